"""The main job with real peers: the partners' signing libraries, LaunchDarkly's own client models, kill -9."""

from __future__ import annotations

import json
import os
import signal
import time
from datetime import UTC, datetime
from pathlib import Path

import launchdarkly_api
import pytest
import standardwebhooks
import svix
from itsdangerous import TimestampSigner

from connector import __version__
from connector.settings import Settings
from tests.integration.web.conftest import Connector, free_port, over_http, running

ORDER = {
    "id": "evt_3",
    "key": "Order Completed",
    "name": "Order Completed",
    "description": "A cart was paid.",
    "value": {"property": "revenue", "type": "number", "unit": "USD"},
    "tags": ["checkout"],
    "url": "https://partner.example/events/evt_3",
}


@pytest.mark.parametrize("library", [standardwebhooks, svix])
def test_a_webhook_signed_by_a_real_library_is_accepted(endpoint, library):
    body = json.dumps({"type": "event_type.defined", "data": ORDER})
    now = datetime.now(UTC)
    signature = library.Webhook(endpoint.secret).sign("msg_1", now, body)
    family = "svix" if library is svix else "webhook"
    headers = {
        f"{family}-id": "msg_1",
        f"{family}-timestamp": str(int(now.timestamp())),
        f"{family}-signature": signature,
    }
    assert endpoint.post(body.encode(), headers).status == 201


def test_a_python_partner_signs_with_itsdangerous(endpoint):
    body = json.dumps({"type": "event_type.defined", "data": ORDER}).encode()
    signed = TimestampSigner(endpoint.secret).sign(body)
    assert endpoint.post(body, {"X-Connector-Signature": signed[len(body) + 1 :].decode()}).status == 201


def test_launchdarklys_own_model_accepts_every_body_and_the_calls_are_as_the_guide_asks(endpoint, sandbox):
    endpoint.send("event_type.defined", ORDER)
    posts = sandbox.calls("POST")
    assert [post["body"]["key"] for post in posts] == ["order-completed", "order-completed-average"]
    for post in posts:
        model = launchdarkly_api.MetricPost.from_dict(post["body"])
        assert (model.kind, model.event_key) == ("custom", "Order Completed")
        headers = {name.lower(): value for name, value in post["headers"].items()}
        assert headers["user-agent"] == f"metrics-standard-int/{__version__}"
        assert headers["content-type"] == "application/json"
    assert posts[1]["body"] | {"isNumeric": True, "unit": "USD", "unitAggregationType": "average"} == posts[1]["body"]


def test_define_then_rename_is_one_post_and_one_patch_of_name_and_event_key(endpoint, sandbox):
    signup = {"id": "evt_1", "key": "signup_completed", "name": "Signup Completed"}
    endpoint.send("event_type.defined", signup)
    renamed = {"id": "evt_1", "key": "registered", "name": "Registered", "previous_key": "signup_completed"}
    answer = endpoint.send("event_type.renamed", renamed)
    assert answer.body["changes"][0]["outcome"] == "renamed"
    create, patch = sandbox.calls()
    assert (create["method"], create["status"]) == ("POST", 201)
    assert (patch["method"], patch["status"]) == ("PATCH", 200)
    assert patch["path"] == "/api/v2/metrics/demo/signup-completed"
    assert sorted(operation["path"] for operation in patch["body"]["patch"]) == ["/eventKey", "/name"]
    assert sandbox.metrics()["signup-completed"]["eventKey"] == "registered"


def test_a_shared_endpoint_feeds_the_connection_of_the_workspace_and_shows_the_unknown(connector, sandbox):
    first = connector.endpoint(shared=True, workspace="ws_1")
    connector.endpoint(endpoint=first.id, workspace="ws_2", options=first.connection.options)
    answer = first.send("event_type.defined", ORDER | {"workspace": "ws_1"})
    assert [change["outcome"] for change in answer.body["changes"]] == ["created"]
    answer = first.send("event_type.defined", ORDER | {"id": "evt_9", "workspace": "ws_9"})
    assert (answer.status, answer.body["changes"][0]["outcome"]) == (200, "skipped")
    assert "'ws_9'" in answer.body["changes"][0]["reason"]


def test_a_native_catalogue_is_diffed_by_id(endpoint, sandbox):
    def event_type(number: int, **fields: str) -> dict[str, str]:
        return {"id": f"e{number}", "key": f"event_{number}", "name": f"Event {number}"} | fields

    first = {"complete": True, "event_types": [event_type(1), event_type(2)]}
    assert endpoint.send("event_type.catalogue", first).status == 201
    second = {"complete": True, "event_types": [event_type(2, key="event_two"), event_type(3)]}
    answer = endpoint.send("event_type.catalogue", second)
    became = {change["event_type"]: change["outcome"] for change in answer.body["changes"]}
    assert became == {"e2": "renamed", "e3": "created", "e1": "archived"}
    partial = {"complete": False, "event_types": [event_type(3)]}
    assert endpoint.send("event_type.catalogue", partial).body["changes"] == []
    assert {key: metric["archived"] for key, metric in sandbox.metrics().items()} == {
        "event-1": True,
        "event-2": False,
        "event-3": False,
    }


def test_kill_9_between_the_202_and_the_call_loses_nothing_and_doubles_nothing(tmp_path: Path, sandbox):
    environment = {
        "CONNECTOR_DATABASE_URL": f"sqlite:///{tmp_path}/connector.db",
        "CONNECTOR_RESPOND_WITHIN": "0",
    }
    sandbox.play({"kind": "latency", "seconds": 30.0, "method": "POST"})
    url = f"http://127.0.0.1:{free_port()}"
    arguments = ("serve", "--bind", url.removeprefix("http://"))
    with running(environment, url + "/readyz", *arguments) as process:
        endpoint = Connector(over_http(url), Settings.from_environment(environment), sandbox).endpoint()
        assert endpoint.send("event_type.defined", ORDER).status == 202
        for pid in _children(process.pid):
            os.kill(pid, signal.SIGKILL)
        process.kill()
        process.wait(10)
    sandbox.play()
    with running(environment, url + "/readyz", *arguments):
        deadline = time.monotonic() + 20
        while len(sandbox.metrics()) < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
    assert sorted(sandbox.metrics()) == ["order-completed", "order-completed-average"]


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in tasks.split()]


def test_a_forged_request_costs_launchdarkly_nothing(endpoint, sandbox):
    body = json.dumps({"type": "event_type.defined", "data": ORDER}).encode()
    headers = endpoint.sign(body)
    assert endpoint.post(body + b" ", headers).status == 401
    assert sandbox.calls() == []


def test_a_replay_with_duplicates_makes_at_most_a_call_per_change_and_none_for_a_duplicate(endpoint, sandbox):
    def messages(number: int) -> list[tuple[str, dict[str, str]]]:
        first = {"id": f"evt_{number}", "key": f"event_{number}", "name": f"Event {number}"}
        second = first | {"key": f"event_{number}_b", "name": f"Event {number} B"}
        return [("defined", first), ("renamed", second), ("archived", second)]

    stream = [(f"msg_{number}_{type_}", type_, data) for number in range(4) for type_, data in messages(number)]
    sent = {
        message_id: json.dumps({"type": f"event_type.{type_}", "data": data}).encode()
        for message_id, type_, data in stream
    }
    duplicates = list(sent)[::2]  # a third of all that is sent, and each kind among them
    for message_id, body in sent.items():
        assert endpoint.post(body, endpoint.sign(body, message_id)).status in {200, 201}
        if message_id in duplicates:
            before = len(sandbox.calls())
            endpoint.post(body, endpoint.sign(body, message_id))
            assert len(sandbox.calls()) == before
    assert len(sandbox.calls()) <= 1.05 * len(sent)
