"""The sandbox's own pages: what it saw and what it holds."""

from __future__ import annotations

import pytest


def test_the_log_tells_each_call_of_the_api_oldest_first(call):
    call.create()
    call("GET", "/api/v2/metrics/demo?filter=isNumeric%20equals%20true")
    call("GET", "/api/v2/nowhere")
    call("GET", "/sandbox/")
    seen = call("GET", "/sandbox/requests").json
    assert [(entry["method"], entry["path"], entry["status"]) for entry in seen] == [
        ("POST", "/api/v2/metrics/demo", 201),
        ("GET", "/api/v2/metrics/demo?filter=isNumeric%20equals%20true", 200),
        ("GET", "/api/v2/nowhere", 404),
    ]
    assert seen[0]["body"]["key"] == "orders"
    assert seen[1]["body"] is None
    assert seen[0]["headers"]["Content-Type"] == "application/json"


def test_the_log_keeps_only_the_end_of_a_token(call):
    call("GET", "/api/v2/caller-identity", token="Bearer oauth-token")
    assert call("GET", "/sandbox/requests").json[0]["headers"]["Authorization"] == "***oken"


def test_the_log_is_read_on_from_where_it_was_left(start):
    call = start(record_limit=3)
    for project in "abcde":
        call("GET", f"/api/v2/projects/{project}")
    answer = call("GET", "/sandbox/requests?since=3")
    assert [entry["path"][-1] for entry in answer.json] == ["d", "e"]
    assert answer.headers["X-Sandbox-Next"] == "5"
    assert [entry["path"][-1] for entry in call("GET", "/sandbox/requests").json] == ["c", "d", "e"]
    assert call("GET", "/sandbox/requests?since=9").json == []
    assert call("GET", "/sandbox/requests?since=x").status_code == 400


def test_the_log_can_be_cleared(call):
    call("GET", "/api/v2/projects")
    assert call("DELETE", "/sandbox/requests").status_code == 204
    assert call("GET", "/sandbox/requests").json == []


def test_every_metric_is_shown_unpaged_with_every_field(call):
    for number in range(60):
        call.create(f"m-{number}")
    metrics = call("GET", "/sandbox/metrics/demo").json
    assert len(metrics) == 60
    assert metrics[0]["experimentCount"] == 0
    assert call("GET", "/sandbox/metrics/nowhere").status_code == 404


def test_a_persons_edit_is_a_new_version(call):
    call.create()
    edited = call("PATCH", "/sandbox/metrics/demo/orders", {"name": "Purchases", "archived": True}).json
    assert (edited["name"], edited["archived"], edited["_version"]) == ("Purchases", True, 2)


def test_usage_is_no_new_version(call):
    call.create()
    usage = {"activeExperimentCount": 2, "activeGuardedRolloutCount": 1, "lastSeen": 1_800_000_000_000}
    call("PATCH", "/sandbox/metrics/demo/orders", usage)
    metric = call("GET", "/api/v2/metrics/demo/orders").json
    assert usage.items() <= metric.items()
    assert metric["_version"] == 1
    call("PATCH", "/sandbox/metrics/demo/orders", {"lastSeen": None})
    assert "lastSeen" not in call("GET", "/api/v2/metrics/demo/orders").json


@pytest.mark.parametrize(
    "fields", [{"key": "a"}, {"colour": "red"}, {"experimentCount": "2"}, {"experimentCount": None}, {"tags": [""]}, []]
)
def test_an_edit_that_nobody_could_make_is_refused(call, fields):
    call.create()
    assert call("PATCH", "/sandbox/metrics/demo/orders", fields).status_code == 400


def test_the_end_of_a_token_is_set_at_run_time(call, time):
    ends = {"api-demo": int(time.now * 1000) + 1}
    assert call("PUT", "/sandbox/expiries", ends).json == call("GET", "/sandbox/expiries").json == ends
    assert call("GET", "/api/v2/caller-identity").json["expiresAt"] == ends["api-demo"]
    assert "expiresAt" not in call("GET", "/api/v2/caller-identity", token="api-other").json
    assert call("PUT", "/sandbox/expiries", {}).json == {}
    assert "expiresAt" not in call("GET", "/api/v2/caller-identity").json


@pytest.mark.parametrize("stated", [[], None, {"api-demo": True}, {"api-demo": "soon"}, {"api-demo": 1.5}])
def test_an_end_that_is_no_time_is_refused(call, stated):
    assert call("PUT", "/sandbox/expiries", stated).status_code == 400


def test_a_reset_forgets_everything_but_the_settings(call):
    call.create()
    call("PUT", "/sandbox/expiries", {"api-demo": 1})
    call("PUT", "/sandbox/limits", {"global": 0})
    call("PUT", "/sandbox/faults", [{"kind": "error-500"}])
    assert call("POST", "/sandbox/reset").status_code == 204
    assert call("GET", "/sandbox/requests").json == []
    assert call("GET", "/sandbox/faults").json == []
    assert call("GET", "/api/v2/metrics/demo").json["totalCount"] == 0


@pytest.mark.parametrize("address", ["192.0.2.7", ""])
def test_the_pages_answer_their_own_machine_only(call, address):
    answer = call("GET", "/sandbox/requests", environ_base={"REMOTE_ADDR": address})
    assert (answer.status_code, answer.json["code"]) == (403, "forbidden")


def test_the_index_lists_the_pages(call):
    assert "POST /sandbox/reset" in call("GET", "/sandbox/", token=None).json
    assert call("PUT", "/sandbox/limits", data=b"{").status_code == 400
