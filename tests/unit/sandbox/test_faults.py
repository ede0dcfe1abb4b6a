"""Which calls a fault strikes and what they come to, as far as that shows without a socket."""

from __future__ import annotations

import json

import pytest

from connector.sandbox import Fault, FaultKind

METRICS = "/api/v2/metrics/demo"


def statuses(call, number, method="GET", path=METRICS):
    return [call(method, path).status_code for _ in range(number)]


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        (FaultKind.RATE_LIMIT_GLOBAL, 429, "rate_limited"),
        (FaultKind.RATE_LIMIT_ROUTE, 429, "rate_limited"),
        (FaultKind.RATE_LIMIT_TOKEN, 429, "rate_limited"),
        (FaultKind.RATE_LIMIT_IP, 429, "rate_limited"),
        (FaultKind.CONFLICT, 409, "conflict"),
        (FaultKind.ERROR_500, 500, "internal_error"),
        (FaultKind.ERROR_503, 503, "service_unavailable"),
    ],
)
def test_a_refusal_comes_in_place_of_the_call(start, kind, status, code):
    call = start(faults=(Fault(kind, count=1),))
    answer = call.create()
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert call("GET", METRICS).json["totalCount"] == 0


@pytest.mark.parametrize(
    ("kind", "headers"),
    [
        (FaultKind.RATE_LIMIT_GLOBAL, {"X-Ratelimit-Global-Remaining": "0", "X-Ratelimit-Reset": "1800000002500"}),
        (FaultKind.RATE_LIMIT_ROUTE, {"X-Ratelimit-Route-Remaining": "0", "X-Ratelimit-Reset": "1800000002500"}),
        (FaultKind.RATE_LIMIT_TOKEN,
         {"X-Ratelimit-Auth-Token-Remaining": "0", "X-Ratelimit-Auth-Token-Reset": "1800000002500"}),
        (FaultKind.RATE_LIMIT_IP, {"Retry-After": "3"}),
    ],
)  # fmt: skip
def test_a_rate_limit_of_each_family_tells_when_it_ends(start, kind, headers):
    answer = start(faults=(Fault(kind, seconds=2.5),))("GET", METRICS)
    assert headers.items() <= dict(answer.headers).items()
    assert ("Retry-After" in answer.headers) is (kind is FaultKind.RATE_LIMIT_IP)


def test_latency_and_jitter_are_waited_out_before_another_fault(start, time):
    call = start(
        faults=(
            Fault(FaultKind.ERROR_503),
            Fault(FaultKind.LATENCY, seconds=0.05),
            Fault(FaultKind.LATENCY, seconds=1, jitter=0.5),
        )
    )
    assert call("GET", METRICS).status_code == 503
    assert time.slept[0] == 0.05
    assert 1 <= time.slept[1] < 1.5


def test_a_reset_leaves_nothing_behind(start):
    call = start(faults=(Fault(FaultKind.RESET, count=1),))
    with pytest.raises(ConnectionResetError):
        call.create()
    assert call("GET", METRICS).json["totalCount"] == 0
    assert call("GET", "/sandbox/requests").json[0]["status"] is None


def test_a_lost_answer_leaves_the_metric_behind(start):
    call = start(faults=(Fault(FaultKind.ANSWER_LOST, count=1),))
    with pytest.raises(ConnectionResetError):
        call.create()
    assert call("GET", METRICS).json["totalCount"] == 1
    assert call("GET", "/sandbox/requests").json[0]["status"] == 201


def test_a_held_answer_takes_effect_first(start, time):
    call = start(faults=(Fault(FaultKind.HOLD, seconds=30, count=1),))
    assert call.create().status_code == 201
    assert time.slept == [30]


def test_a_slow_body_arrives_whole(start, time):
    call = start(faults=(Fault(FaultKind.SLOW_BODY, seconds=30),))
    answer = call.create()
    assert answer.json["key"] == "orders"
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    assert time.slept == [30]


def test_garbage_is_no_json_though_it_says_so(start):
    answer = start(faults=(Fault(FaultKind.GARBAGE),)).create()
    assert (answer.status_code, answer.content_type) == (201, "application/json")
    with pytest.raises(ValueError, match="Unterminated"):
        json.loads(answer.data)


def test_a_wrong_content_type_labels_an_intact_body(start):
    answer = start(faults=(Fault(FaultKind.CONTENT_TYPE),)).create()
    assert answer.content_type == "text/html; charset=utf-8"
    assert json.loads(answer.data)["key"] == "orders"


def test_a_fault_strikes_its_method_and_path_only(start):
    call = start(faults=(Fault(FaultKind.ERROR_500, method="get", path="/api/v2/metrics/*"),))
    assert statuses(call, 1) == [500]
    assert statuses(call, 1, path="/api/v2/projects/demo") == [200]
    assert call.create().status_code == 201


def test_a_counted_fault_ends_after_its_last_strike(start):
    assert statuses(start(faults=(Fault(FaultKind.ERROR_500, count=2),)), 4) == [500, 500, 200, 200]


def test_the_same_seed_strikes_the_same_calls(start):
    settings = {"faults": (Fault(FaultKind.ERROR_500, probability=0.5),), "seed": 7}
    first = statuses(start(**settings), 50)
    assert first == statuses(start(**settings), 50)
    assert set(first) == {200, 500}


def test_a_reset_of_the_sandbox_starts_the_dice_again(start):
    call = start(faults=(Fault(FaultKind.ERROR_500, probability=0.5),), seed=7)
    first = statuses(call, 50)
    call("POST", "/sandbox/reset")
    assert statuses(call, 50) == first


def test_faults_are_changed_at_run_time_and_tell_how_often_they_struck(call):
    answer = call("PUT", "/sandbox/faults", [{"kind": "error-503", "count": 2, "seconds": 1}])
    assert answer.json[0]["struck"] == 0
    assert statuses(call, 1) == [503]
    told = call("GET", "/sandbox/faults").json
    assert told == [{"kind": "error-503", "probability": 1.0, "method": None, "path": None, "count": 2, "seconds": 1,
                     "jitter": 0.0, "struck": 1}]  # fmt: skip
    assert call("PUT", "/sandbox/faults", told).json[0]["struck"] == 0


def test_the_sandboxs_own_pages_are_never_struck(start):
    assert start(faults=(Fault(FaultKind.ERROR_500),))("GET", "/sandbox/faults").status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        ["reset"],
        [{}],
        [{"kind": None}],
        [{"kind": "fire"}],
        [{"kind": "reset", "probability": 2}],
        [{"kind": "reset", "probability": "often"}],
        [{"kind": "reset", "method": 7}],
        [{"kind": "reset", "count": -1}],
        [{"kind": "reset", "count": True}],
        [{"kind": "latency", "seconds": -1}],
        [{"kind": "reset", "colour": "red"}],
    ],
)
def test_a_fault_that_cannot_be_played_is_refused(call, body):
    answer = call("PUT", "/sandbox/faults", body)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")
