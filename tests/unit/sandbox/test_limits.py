"""Rate limits, their headers and their windows."""

from __future__ import annotations

import pytest

from connector.sandbox import Limits

IDENTITY = "/api/v2/caller-identity"
RESET = "1800000010000"


def rate_headers(answer):
    return {name: value for name, value in answer.headers.items() if name.startswith(("X-Ratelimit", "Retry-After"))}


def test_without_limits_there_are_no_headers(call):
    assert rate_headers(call("GET", IDENTITY)) == {}


@pytest.mark.parametrize(
    ("limits", "headers"),
    [
        (Limits(global_=5), {"X-Ratelimit-Global-Limit": "5", "X-Ratelimit-Global-Remaining": "4",
                             "X-Ratelimit-Reset": RESET}),
        (Limits(route=5), {"X-Ratelimit-Route-Limit": "5", "X-Ratelimit-Route-Remaining": "4",
                           "X-Ratelimit-Reset": RESET}),
        (Limits(token=5), {"X-Ratelimit-Auth-Token-Limit": "5", "X-Ratelimit-Auth-Token-Remaining": "4",
                           "X-Ratelimit-Auth-Token-Reset": RESET}),
        (Limits(ip=5), {}),
    ],
)  # fmt: skip
def test_every_answer_tells_the_limits_in_force_even_a_refusal(start, time, limits, headers):
    for path in (IDENTITY, "/api/v2/metrics/nowhere"):
        assert rate_headers(start(limits=limits)("GET", path)) == headers


@pytest.mark.parametrize("limits", [Limits(global_=1), Limits(route=1), Limits(token=1)])
def test_a_call_over_a_limit_is_refused_until_the_window_ends(start, time, limits):
    call = start(limits=limits)
    assert call("GET", IDENTITY).status_code == 200
    time.now += 9.9
    refused = call("GET", IDENTITY)
    assert (refused.status_code, refused.json["code"]) == (429, "rate_limited")
    assert "0" in rate_headers(refused).values()
    assert RESET in rate_headers(refused).values()
    assert "Retry-After" not in refused.headers
    time.now += 0.1
    assert call("GET", IDENTITY).status_code == 200


def test_an_address_over_its_limit_is_told_only_how_long_to_wait(start, time):
    call = start(limits=Limits(ip=1, global_=9))
    call("GET", IDENTITY)
    time.now += 2.5
    refused = call("GET", IDENTITY)
    assert refused.status_code == 429
    assert rate_headers(refused) == {"Retry-After": "8"}


def test_the_global_limit_is_shared_by_the_tokens_of_an_account_only(start):
    call = start(limits=Limits(global_=1))
    assert call("GET", IDENTITY).status_code == 200
    assert call("GET", IDENTITY, token="api-reader").status_code == 429
    assert call("GET", IDENTITY, token="api-other").status_code == 200


def test_the_route_limit_is_counted_per_pattern_and_verb(start):
    call = start(limits=Limits(route=1))
    assert call("GET", "/api/v2/metrics/demo/a").status_code == 404
    assert call("GET", "/api/v2/metrics/demo/b").status_code == 429
    assert call("DELETE", "/api/v2/metrics/demo/b").status_code == 404
    assert call("GET", "/api/v2/metrics/demo").status_code == 200


def test_the_token_limit_is_a_tokens_own(start):
    call = start(limits=Limits(token=1))
    assert call("GET", IDENTITY).status_code == 200
    assert call("GET", IDENTITY, token="api-reader").status_code == 200


def test_a_refused_call_spends_nothing_of_the_other_limits(start):
    call = start(limits=Limits(global_=5, token=1))
    for _ in range(3):
        call("GET", IDENTITY)
    assert call("GET", IDENTITY, token="api-reader").headers["X-Ratelimit-Global-Remaining"] == "3"


def test_limits_are_changed_at_run_time(call):
    stated = {"global": 1, "route": None, "token": None, "ip": None}
    assert call("PUT", "/sandbox/limits", {"global": 1}).json == stated
    assert call("GET", "/sandbox/limits").json == stated
    call("GET", IDENTITY)
    assert call("GET", IDENTITY).status_code == 429
    call("PUT", "/sandbox/limits", {})
    assert rate_headers(call("GET", IDENTITY)) == {}


@pytest.mark.parametrize("body", [[], {"global": -1}, {"global": "9"}, {"global": True}, {"account": 9}])
def test_limits_that_are_none_are_refused(call, body):
    assert call("PUT", "/sandbox/limits", body).status_code == 400
