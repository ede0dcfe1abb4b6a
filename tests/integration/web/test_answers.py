"""Every row of the answer table, over Flask's test client and over HTTP from a running gunicorn."""

from __future__ import annotations

import json
import sqlite3
import time

import requests

from connector.app import create_app
from connector.connections import NewConnection
from connector.installation import open_installation
from connector.settings import Settings
from connector.signatures import STANDARD_WEBHOOKS
from tests.integration.web.conftest import ENVIRONMENT, MAX_BODY, Connector, over_http

DEFINED = "event_type.defined"
SIGNUP = {"id": "evt_1", "key": "signup_completed", "name": "Signup Completed"}


def test_201_a_metric_was_created(endpoint):
    answer = endpoint.send(DEFINED, SIGNUP)
    assert answer.status == 201
    assert answer.body["delivery"].startswith("dlv_")
    assert answer.body["duplicate"] is False
    (change,) = answer.body["changes"]
    assert change["event_type"] == "evt_1"
    assert change["change"] == "defined"
    assert change["outcome"] == "created"
    (metric,) = change["metrics"]
    assert metric["key"] == "signup-completed"
    assert metric["measure"] == "occurrence"
    assert metric["url"].endswith("/projects/demo/metrics/signup-completed")


def test_200_nothing_was_created(endpoint, sandbox):
    endpoint.send(DEFINED, SIGNUP, timestamp="2026-11-22T10:00:00Z")
    outcomes = [
        (answer.status, answer.body["changes"][0]["outcome"])
        for answer in (
            endpoint.send("event_type.renamed", SIGNUP | {"name": "Joined"}, timestamp="2026-11-22T11:00:00Z"),
            endpoint.send("event_type.updated", SIGNUP | {"name": "Joined"}, timestamp="2026-11-22T12:00:00Z"),
            endpoint.send("event_type.renamed", SIGNUP | {"name": "Old"}, timestamp="2026-11-22T09:00:00Z"),
            endpoint.send("event_type.invented", {}),
        )
    ]
    assert outcomes == [(200, "renamed"), (200, "unchanged"), (200, "superseded"), (200, "skipped")]


def test_200_a_duplicate_is_answered_with_the_earlier_outcome(endpoint, sandbox):
    body = json.dumps({"type": DEFINED, "data": SIGNUP}).encode()
    first = endpoint.post(body, endpoint.sign(body, "msg_1"))
    again = endpoint.post(body, endpoint.sign(body, "msg_1"))
    assert again.status == 200
    assert again.body == first.body | {"duplicate": True}
    assert len(sandbox.calls()) == 1


def test_202_safely_stored_but_not_finished(endpoint, sandbox):
    sandbox.play({"kind": "error-503"})
    answer = endpoint.send(DEFINED, SIGNUP)
    assert answer.status == 202
    assert answer.body["changes"][0]["outcome"] == "pending"
    assert answer.body["changes"][0]["code"] == "launchdarkly_server_error"


def test_400_not_json(endpoint):
    for body in (b"", b"{", b'{"a": NaN}', b'{"a":1,"a":2}', b"\xff", b"[" * 4000):
        answer = endpoint.post(body, endpoint.sign(body))
        assert (answer.status, answer.body["code"]) == (400, "body_not_json"), body


def test_415_not_the_content_type_of_json(endpoint):
    body = json.dumps({"type": DEFINED, "data": SIGNUP}).encode()
    for content_type in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = endpoint.post(body, endpoint.sign(body) | {"Content-Type": content_type})
        assert (answer.status, answer.body["code"]) == (415, "content_type_not_json")
    assert endpoint.post(body, endpoint.sign(body) | {"Content-Type": "application/json; charset=utf-8"}).status == 201


def test_422_the_schema_refuses_with_field_errors(endpoint):
    answer = endpoint.send(DEFINED, {"id": 7, "key": "k", "value": {"type": "money"}, "tags": "none"})
    assert (answer.status, answer.body["code"]) == (422, "payload_refused")
    assert set(answer.body["errors"]["data"]) == {"id", "value", "tags"}
    assert "type" in answer.body["errors"]["data"]["value"]


def test_401_says_the_same_for_every_wrong_signature(endpoint):
    body = json.dumps({"type": DEFINED, "data": SIGNUP}).encode()
    signed = endpoint.sign(body)
    wrong = [
        {},
        {**signed, "webhook-signature": "v1,AAAA"},
        {**signed, "webhook-timestamp": "1"},
        {name: value for name, value in signed.items() if name != "webhook-id"},
    ]
    answers = [endpoint.post(body, headers) for headers in wrong]
    assert {answer.status for answer in answers} == {401}
    assert len({json.dumps(answer.body, sort_keys=True) for answer in answers}) == 1
    assert answers[0].body["code"] == "signature_refused"


def test_404_405_and_410(connector, endpoint):
    missing = connector.request("POST", "/webhooks/ep_none", b"{}", {"Content-Type": "application/json"})
    assert (missing.status, missing.body["code"]) == (404, "endpoint_unknown")
    elsewhere = connector.request("GET", "/nothing/here", None, {})
    assert (elsewhere.status, elsewhere.body["code"]) == (404, "not_found")
    for method in ("GET", "PUT", "DELETE", "OPTIONS"):
        wrong = connector.request(method, endpoint.path, None, {})
        assert (wrong.status, wrong.body["code"]) == (405, "method_not_allowed")
        assert "POST" in wrong.headers["Allow"]
    _connections(connector, lambda connections: connections.remove(endpoint.connection))
    assert endpoint.send(DEFINED, SIGNUP).status == 410


def test_409_a_message_id_with_different_bytes(endpoint):
    first, second = (json.dumps({"type": DEFINED, "data": SIGNUP | {"name": name}}).encode() for name in "ab")
    endpoint.post(first, endpoint.sign(first, "msg_1"))
    answer = endpoint.post(second, endpoint.sign(second, "msg_1"))
    assert (answer.status, answer.body["code"]) == (409, "message_id_reused")


def test_413_the_body_is_over_the_limit(endpoint):
    largest = json.dumps({"type": DEFINED, "data": SIGNUP}).encode().ljust(4096)
    assert endpoint.post(largest, endpoint.sign(largest)).status == 201
    larger = largest + b" "
    answer = endpoint.post(larger, endpoint.sign(larger))
    assert (answer.status, answer.body["code"]) == (413, "body_too_large")


def test_413_also_when_the_sender_does_not_tell_the_length(gunicorn, sandbox):
    url, settings = gunicorn
    endpoint = Connector(over_http(url), settings, sandbox).endpoint()
    chunks = (b"x" * 1000 for _ in range(10))
    answer = requests.post(url + endpoint.path, data=chunks, headers={"Content-Type": "application/json"}, timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_429_a_flood_is_counted_after_the_signature(endpoint):
    body = json.dumps({"type": "event_type.invented", "data": {}}).encode()
    for _ in range(30):
        assert endpoint.post(body, {"webhook-signature": "v1,AAAA"}).status == 401
    answers = [endpoint.post(body, endpoint.sign(body)) for _ in range(40)]
    assert answers[0].status == 200
    flooded = [answer for answer in answers if answer.status == 429]
    assert flooded
    assert flooded[0].body["code"] == "endpoint_floods"
    assert int(flooded[0].headers["Retry-After"]) >= 1


def test_503_where_it_cannot_be_stored(connector, endpoint):
    lock = sqlite3.connect(connector.settings.database_url.removeprefix("sqlite:///"), isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    try:
        answer = endpoint.send(DEFINED, SIGNUP, message_id="msg_1")
    finally:
        lock.execute("ROLLBACK")
        lock.close()
    assert (answer.status, answer.body["code"]) == (503, "store_unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    assert endpoint.send(DEFINED, SIGNUP, message_id="msg_1").body["duplicate"] is False


def test_problems_are_rfc_9457(endpoint):
    answer = endpoint.post(b"{}")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert set(answer.body) >= {"type", "title", "status", "detail", "code"}
    assert answer.body["status"] == answer.status


def test_health(connector):
    assert connector.request("GET", "/healthz", None, {}).body == {"status": "ok"}
    ready = connector.request("GET", "/readyz", None, {})
    assert (ready.status, ready.body) == (200, {"status": "ok", "checks": {"database": "ok", "runner": "ok"}})


def _connections(connector, act) -> None:
    installation = open_installation(connector.settings)
    try:
        act(installation.connections)
    finally:
        installation.close()


def test_past_flask_a_webhook_is_answered_as_flask_would(tmp_path, sandbox):
    settings = Settings.from_environment(
        ENVIRONMENT | {"CONNECTOR_DATABASE_URL": f"sqlite:///{tmp_path}/connector.db", "CONNECTOR_ENDPOINT_RATE": "99"}
    )
    app = create_app(settings)
    shortcut, client = app.wsgi_app, app.test_client()
    installation = app.extensions["connector"].installation
    new = NewConnection("acme", "standard", "demo", "api-demo", base_url=sandbox.url)
    added = installation.connections.add(new)
    path = f"/webhooks/{added.connection.endpoint_id}"
    body = json.dumps({"type": DEFINED, "data": SIGNUP}).encode()
    signed = {"Content-Type": "application/json", **STANDARD_WEBHOOKS.sign(body, added.secret, "msg_1", time.time())}
    client.post(path, data=body, headers=signed)
    asked = [
        ("POST", path, body, signed),
        ("POST", path, body + b" ", signed),
        ("POST", path, body, signed | {"Content-Type": "text/plain"}),
        ("POST", path, b"x" * (MAX_BODY + 1), signed),
        ("POST", "/webhooks/ep_none", body, signed),
        ("POST", "/webhooks/a/b", body, signed),
        ("POST", "/webhooks/", body, signed),
        ("POST", "/webhooks/%20", body, signed),
        ("GET", path, None, {}),
        ("OPTIONS", path, None, {}),
    ]

    def answers() -> list[tuple[int, bytes, list[tuple[str, str]]]]:
        found = [client.open(path, method=method, data=data, headers=headers) for method, path, data, headers in asked]
        return [(each.status, each.data, sorted(each.headers)) for each in found]

    try:
        past = answers()
        app.wsgi_app = shortcut._app
        assert past == answers()
        assert [status[:3] for status, _, _ in past] == [
            *("200", "401", "415", "413", "404", "404", "404", "404", "405", "405"),
        ]
    finally:
        app.extensions["connector"].close()
