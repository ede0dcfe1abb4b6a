"""Connections by the API: one POST connects a customer; what it shows, changes and refuses."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from sqlalchemy import text

from connector.signatures import STANDARD_WEBHOOKS
from connector.store import connections, endpoints

SHOWN = {
    "id", "name", "partner", "state", "state_code", "state_reason", "project_key", "base_url", "workspace", "endpoint",
    "webhook_url", "key_expires_at", "options",
}  # fmt: skip


def test_one_post_connects_a_customer_and_shows_the_secret_once(served: Any) -> None:
    answer = served.call(
        "POST",
        "/api/v1/connections",
        {
            "name": "Acme",
            "project_key": "demo",
            "api_key": "api-canary-key",
            "base_url": "eu",
            "options": {"tags": ["acme"], "key_prefix": "acme-", "analysis_units": ["user"], "on_delete": "delete"},
        },
    )
    assert answer.status_code == 201
    added = answer.json
    assert set(added) == SHOWN | {"secret"}
    assert answer.headers["Location"] == f"/api/v1/connections/{added['id']}"
    assert added["webhook_url"] == f"https://connector.example.com/webhooks/{added['endpoint']}"
    assert added["base_url"] == "https://app.eu.launchdarkly.com"
    assert added["options"] == {
        "tags": ["acme"],
        "key_prefix": "acme-",
        "analysis_units": ["user"],
        "on_delete": "delete",
        "maintainer_id": None,
    }
    body = b'{"type": "ping", "data": {}}'
    headers = STANDARD_WEBHOOKS.sign(body, added["secret"], "msg_1", time.time())
    received = served.call("POST", f"/webhooks/{added['endpoint']}", token=None, data=body,
                           headers={**headers, "Content-Type": "application/json"})  # fmt: skip
    assert received.status_code == 200, received.text

    read = served.get(f"/connections/{added['id']}")
    assert read == {name: value for name, value in added.items() if name != "secret"}
    assert served.get("/connections") == {"connections": [read], "next": None}


def test_the_same_request_with_the_same_key_is_one_connection(served: Any) -> None:
    new = {"name": "Acme", "project_key": "demo", "api_key": "api-canary-key"}
    headers = {"Idempotency-Key": "order-7"}
    first = served.post("/connections", new, status=201, headers=headers)
    again = served.post("/connections", dict(reversed(new.items())), status=201, headers=headers)
    assert again == first
    assert len(served.get("/connections")["connections"]) == 1
    other = served.post("/connections", new | {"name": "Other"}, status=409, headers=headers)
    assert other["code"] == "idempotency_key_reused"
    assert served.connect("Acme")["id"] != first["id"]


def test_connections_are_read_page_by_page(served: Any) -> None:
    made = [served.connect(f"customer-{number}")["id"] for number in range(5)]
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    while True:
        page = served.get("/connections", **query)
        seen += [each["id"] for each in page["connections"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert seen == sorted(made)


def test_what_is_given_changes_and_all_else_stays(served: Any) -> None:
    acme = served.connect("acme", options={"tags": ["a"], "key_prefix": "p-"})
    changed = served.call(
        "PATCH", f"/api/v1/connections/{acme['id']}", {"name": "Acme Inc", "options": {"tags": ["b"]}}
    ).json
    assert changed["name"] == "Acme Inc"
    assert (changed["options"]["tags"], changed["options"]["key_prefix"]) == (["b"], "p-")
    moved = served.call("PATCH", f"/api/v1/connections/{acme['id']}", {"project_key": "other", "base_url": "eu"}).json
    assert (moved["project_key"], moved["base_url"]) == ("other", "https://app.eu.launchdarkly.com")
    assert served.get(f"/connections/{acme['id']}") == moved


def test_a_connection_with_metrics_stays_in_its_project(served: Any) -> None:
    acme = served.connect()
    served.deliver(acme)
    answer = served.call("PATCH", f"/api/v1/connections/{acme['id']}", {"project_key": "other"})
    assert (answer.status_code, answer.json["code"]) == (422, "connection_refused")
    assert "add another connection" in answer.json["detail"]
    assert served.call("PATCH", f"/api/v1/connections/{acme['id']}", {"project_key": "demo"}).status_code == 200


@pytest.mark.parametrize(
    ("new", "code"),
    [
        ({"name": " "}, "connection_refused"),
        ({"partner": "nobody"}, "partner_unknown"),
        ({"api_key": "sdk-123"}, "sdk_key"),
        ({"api_key": "Bearer api-1"}, "bearer"),
        ({"base_url": "http://example.com"}, "base_url_insecure"),
        ({"project_key": "../x"}, "connection_refused"),
        ({"secret": "short"}, None),
        ({"options": {"tags": ["not a tag"]}}, "invalid_source"),
        ({"endpoint": "ep_none"}, "connection_refused"),
    ],
    ids=repr,
)
def test_what_no_connection_can_have_is_refused_by_the_code_of_its_room(
    on_sqlite: Any, new: dict[str, Any], code: str | None
) -> None:
    good = {"name": "Acme", "project_key": "demo", "api_key": "api-canary-key"}
    problem = on_sqlite.post("/connections", good | new, status=422)
    assert code in {None, problem["code"]}
    assert problem["detail"]
    assert on_sqlite.get("/connections")["connections"] == []


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["name"]),
        ({"name": 1}, ["name"]),
        ({"name": "a\u0000b"}, ["name"]),
        ({"name": "a", "nmae": "b", "shared": "yes"}, ["nmae", "shared"]),
        ({"name": "a", "options": {"on_delete": "burn"}}, ["options"]),
        ([], ["_schema"]),
    ],
    ids=repr,
)
def test_what_is_not_as_documented_names_the_fields(on_sqlite: Any, body: Any, fields: list[str]) -> None:
    problem = on_sqlite.post("/connections", body, status=422)
    assert problem["code"] == "request_refused"
    assert sorted(problem["errors"]) == fields


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (b"{", "application/json", 400, "body_not_json"),
        (b'{"name": "a", "name": "b"}', "application/json", 400, "body_not_json"),
        (b'{"name": NaN}', "application/json", 400, "body_not_json"),
        (b"\xff", "application/json", 400, "body_not_json"),
        (b'{"name": "a"}', "text/plain", 415, "content_type_not_json"),
        (b'"' + b"a" * 300_000 + b'"', "application/json", 413, "body_too_large"),
    ],
)
def test_a_body_that_is_not_strict_json_is_refused(
    on_sqlite: Any, body: bytes, content_type: str, status: int, code: str
) -> None:
    answer = on_sqlite.call("POST", "/api/v1/connections", data=body, headers={"Content-Type": content_type})
    assert (answer.status_code, answer.json["code"]) == (status, code)


def test_the_end_of_a_key_is_shown_until_another_is_set(served: Any) -> None:
    acme = served.connect()
    assert acme["key_expires_at"] is None
    served.installation.database.write(lambda tx: connections.set_expiry(tx, acme["id"], 1_802_592_000.0))
    assert served.get(f"/connections/{acme['id']}")["key_expires_at"] == "2027-02-14T08:00:00.000Z"
    renewed = served.call("PUT", f"/api/v1/connections/{acme['id']}/key", {"api_key": "api-canary-other"}).json
    assert renewed["key_expires_at"] is None


def test_a_rotated_secret_is_shown_once_and_the_one_before_verifies_a_while(served: Any) -> None:
    acme = served.connect()
    fresh = served.post(f"/connections/{acme['id']}/rotate-secret", {"overlap": 3600})["secret"]

    def good() -> list[str]:
        installation = served.installation
        with installation.database.read() as tx:
            return list(endpoints.secrets(tx, installation.vault, acme["endpoint"], now=time.time()))

    assert good() == [fresh, acme["secret"]]
    last = served.post(f"/connections/{acme['id']}/rotate-secret", {"overlap": 0})["secret"]
    assert good() == [last]
    own = STANDARD_WEBHOOKS.generate_secret()
    assert served.post(f"/connections/{acme['id']}/rotate-secret", {"secret": own})["secret"] == own
    assert served.post(f"/connections/{acme['id']}/rotate-secret")["secret"] not in {own, last}


def test_pause_and_resume_tell_why(served: Any) -> None:
    acme = served.connect()
    paused = served.post(f"/connections/{acme['id']}/pause", {"reason": "They asked for it."})
    assert (paused["state"], paused["state_code"]) == ("paused", "paused_by_person")
    assert paused["state_reason"] == "They asked for it."
    resumed = served.post(f"/connections/{acme['id']}/resume")
    assert (resumed["state"], resumed["state_code"], resumed["state_reason"]) == ("active", None, None)
    assert served.post(f"/connections/{acme['id']}/pause")["state_reason"] == "A person paused it."


def test_a_connection_without_a_key_waits_for_one(served: Any) -> None:
    new = served.post("/connections", {"name": "Acme", "project_key": "demo"}, status=201)
    assert (new["state"], new["state_code"]) == ("paused", "waiting_for_key")
    served.post(f"/connections/{new['id']}/pause")
    assert served.post(f"/connections/{new['id']}/resume", status=422)["code"] == "connection_refused"
    link = served.post(f"/connections/{new['id']}/setup-link", status=201)["url"]
    assert re.fullmatch(r"https://connector\.example\.com/setup/\S+", link)
    key = served.call("PUT", f"/api/v1/connections/{new['id']}/key", {"api_key": "api-canary-key"})
    assert (key.status_code, key.json["state"]) == (200, "active")


def test_the_list_apis_credential_is_checked_against_what_the_partner_wants(served: Any) -> None:
    listing = next(each for each in served.get("/partners")["partners"] if each["webhook"] and each["list_api"])
    partner = served.connect(partner=listing["name"])
    given = {field["name"]: field["default"] or "canary" for field in listing["list_api"]}
    path = f"/api/v1/connections/{partner['id']}/source"
    assert served.call("PUT", path, {"credential": given}).status_code == 204
    assert served.call("PUT", path, {"credential": given | {"more": "x"}}).json["code"] == "connection_refused"
    assert served.call("PUT", path, {"credential": {"a": 1}}).json["code"] == "request_refused"


def test_a_removed_connection_is_gone_and_its_key_too(served: Any) -> None:
    acme = served.connect()
    path = f"/api/v1/connections/{acme['id']}"
    assert served.call("DELETE", path).status_code == 204
    for method in ("GET", "DELETE"):
        gone = served.call(method, path)
        assert (gone.status_code, gone.json["code"]) == (404, "connection_unknown")
    assert served.get("/connections")["connections"] == []
    assert served.call("POST", f"/webhooks/{acme['endpoint']}", {}, token=None).status_code == 410
    installation = served.installation
    with installation.database.read() as tx:
        assert installation.vault.decrypt(connections.stored_credential(tx, acme["id"])) == ""
        assert tx.execute(text("SELECT count(*) FROM endpoint_secrets")).scalar_one() == 0


def test_the_test_says_who_the_key_is_or_what_is_wrong(served: Any, no_network: Any) -> None:
    acme = served.connect()
    nobody = served.post(f"/connections/{acme['id']}/test")
    assert (nobody["ok"], nobody["code"]) == (False, "launchdarkly_answer_lost")
    api = "https://app.launchdarkly.com/api/v2"
    no_network.get(f"{api}/caller-identity", json={"tokenName": "for metrics"})
    no_network.get(f"{api}/projects/demo", json={"key": "demo", "name": "Demo project"})
    no_network.get(f"{api}/metrics/demo", json={"items": [], "totalCount": 0})
    assert served.post(f"/connections/{acme['id']}/test") == {
        "ok": True, "code": None, "detail": None, "who": "for metrics", "project": "Demo project",
    }  # fmt: skip
