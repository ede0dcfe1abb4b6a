"""What is of one connection is never shown or touched through another, and no secret comes back by any way."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connector.event_types import Change, ChangeKind, EventType, Outcome
from connector.store.inbox import NewChange
from tests.integration.web.routes import all_rules

CANARIES = {
    "api key": "api-canary-0001-key",
    "next api key": "api-canary-0002-key",
    "list api": "phx-canary-0003",
    "webhook secret": "whsec_Y2FuYXJ5LTAwMDQtY2FuYXJ5LTAwMDQtY2FuYXJ5",
    "next webhook secret": "whsec_Y2FuYXJ5LTAwMDUtY2FuYXJ5LTAwMDUtY2FuYXJ5",
    "admin token": "an-operators-token-of-good-length",
}


@pytest.fixture
def two(served: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two connections on one shared endpoint, each with an event type of its own and one delivery that both are in."""
    mine = served.connect("mine", shared=True, workspace="ws_mine", options={"tags": ["mine-only"]})
    theirs = served.connect("theirs", endpoint=mine["endpoint"], workspace="ws_theirs")
    served.call("PUT", f"/api/v1/connections/{mine['id']}/rules", {"rules": '[[rules]]\nmatch = "mine-*"\nskip = true'})
    mine["delivery"] = served.deliver(mine, "evt_mine", Outcome.PARKED)
    theirs["delivery"] = served.deliver(theirs, "evt_theirs")
    change = Change(ChangeKind.DEFINED, EventType(id="evt_theirs"))
    mine["both"] = served.deliver(
        mine, "evt_mine", more=(NewChange("evt_theirs", "defined", change, theirs["id"]),), body=b"mine and theirs"
    )
    plan = served.post(f"/connections/{mine['id']}/plans", {"catalogue": CATALOGUE}, status=201)
    mine["plan"] = plan["id"]
    return mine, theirs


CATALOGUE = {"complete": False, "event_types": [{"id": "evt_mine", "key": "mine-key", "name": "Mine"}]}


@pytest.fixture(autouse=True)
def project(no_network: Any) -> None:
    no_network.get("https://app.launchdarkly.com/api/v2/metrics/demo", json={"items": [], "totalCount": 0})
    no_network.get("https://app.launchdarkly.com/api/v2/caller-identity", json={"accountId": "acc_1"})


def test_every_route_with_the_ids_of_another_connection_shows_nothing_of_it(
    served: Any, two: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    mine, theirs = two
    event_types = served.get(f"/connections/{mine['id']}/event-types")["event_types"]
    sync = served.post(f"/connections/{mine['id']}/plans/{mine['plan']}/apply", status=202)["sync"]
    ids = {
        "connection_id": theirs["id"],
        "event_type_id": event_types[0]["id"],
        "delivery_id": mine["delivery"],
        "plan_id": mine["plan"],
        "sync_id": sync,
    }
    said_of_mine = [mine["id"], "evt_mine", "mine-only", "mine-*", "ws_mine", mine["secret"], "mine-key"]
    before = served.get(f"/deliveries/{mine['delivery']}")
    tried = 0
    for rule in all_rules(served.app):
        if not rule.rule.startswith("/api/v1/") or rule.arguments <= {"replay_id"}:
            continue
        for method in sorted(rule.methods - {"OPTIONS", "HEAD", "DELETE"}):
            _, path = rule.build({name: ids[name] for name in rule.arguments})
            body = {} if method in {"POST", "PUT", "PATCH"} else None
            # On a delivery, the connection is said in the query.
            query = {"connection": theirs["id"]} if "connection_id" not in rule.arguments else {}
            answer = served.call(method, path, body, query_string=query)
            tried += 1
            if rule.arguments & {"event_type_id", "delivery_id", "plan_id", "sync_id"}:
                assert answer.status_code == 404, (method, rule.rule, answer.text)
            shown = [each for each in said_of_mine if each in answer.text]
            assert not shown, (method, rule.rule, shown)
    assert tried >= 20
    assert served.get(f"/deliveries/{mine['delivery']}") == before


def test_a_delivery_that_is_of_both_shows_each_its_own(served: Any, two: tuple[dict[str, Any], dict[str, Any]]) -> None:
    mine, theirs = two
    for one, event_type in ((mine, "evt_mine"), (theirs, "evt_theirs")):
        shown = served.get(f"/deliveries/{mine['both']}", connection=one["id"])
        assert [change["connection"] for change in shown["changes"]] == [one["id"]]
        assert {attempt["event_type"] for attempt in shown["attempts"]} == {event_type}
        assert (shown["body"], shown["headers"]) == ("", {})
        listed = served.get("/deliveries", connection=one["id"])["deliveries"]
        assert {change["connection"] for each in listed for change in each["changes"]} == {one["id"]}
    everything = served.get(f"/deliveries/{mine['both']}")
    assert (everything["body"], len(everything["changes"])) == ("mine and theirs", 2)


def test_a_replay_for_one_connection_leaves_the_other_alone(
    served: Any, two: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    mine, theirs = two

    def states(delivery: str) -> dict[str, str]:
        return {each["connection"]: each["state"] for each in served.get(f"/deliveries/{delivery}")["changes"]}

    assert served.post(f"/deliveries/{mine['both']}/replay?connection={theirs['id']}", status=202) == {"changes": 1}
    assert states(mine["both"]) == {mine["id"]: "done", theirs["id"]: "pending"}
    served.post("/replays", {"filter": {"connection": theirs["id"]}}, status=202)
    assert states(theirs["delivery"]) == {theirs["id"]: "pending"}
    assert states(mine["delivery"]) == {mine["id"]: "parked"}


def test_no_secret_comes_back_or_lies_in_the_clear(
    on_sqlite: Any, sqlite_url: str, caplog: pytest.LogCaptureFixture, no_network: Any
) -> None:
    with caplog.at_level(logging.DEBUG):
        texts = list(_put_secrets_everywhere(on_sqlite.call))
        rules = [rule for rule in all_rules(on_sqlite.app) if "GET" in rule.methods and not rule.arguments]
        texts += [on_sqlite.call("GET", rule.rule).text for rule in rules]
    for what, canary in CANARIES.items():
        assert not [text for text in texts if canary in text], what
        assert canary not in caplog.text, what
    files = [path for path in Path(sqlite_url.removeprefix("sqlite:///")).parent.iterdir() if path.is_file()]
    stored = b"".join(path.read_bytes() for path in files)
    assert b"the-name-of-a-customer" in stored
    for what, canary in CANARIES.items():
        assert canary.encode() not in stored, what


def _put_secrets_everywhere(call: Callable[..., Any]) -> Iterator[str]:
    """Each into its field, and into fields where it does not belong; the answers, but those that show it once."""
    secret = {name: value for name, value in CANARIES.items() if name != "admin token"}
    new = {"name": "the-name-of-a-customer", "partner": "posthog", "project_key": "demo"}
    keyed = {"Idempotency-Key": "once"}
    added = call(
        "POST",
        "/api/v1/connections",
        new | {"partner": "standard", "api_key": secret["api key"], "secret": secret["webhook secret"]},
        headers=keyed,
    )
    assert added.status_code == 201
    connection = f"/api/v1/connections/{added.json['id']}"
    yield call("GET", connection).text
    yield call("GET", "/api/v1/connections").text
    yield call("PUT", f"{connection}/key", {"api_key": secret["next api key"]}).text
    rotated = call("POST", f"{connection}/rotate-secret", {"secret": secret["next webhook secret"]})
    assert rotated.json == {"secret": secret["next webhook secret"]}
    yield call("POST", f"{connection}/test").text
    yield call("POST", f"{connection}/plans", {}).text
    lister = call("POST", "/api/v1/connections", new | {"api_key": secret["api key"]})
    assert lister.status_code == 201, lister.text
    source = f"/api/v1/connections/{lister.json['id']}/source"
    for credential in ({"token": secret["list api"]}, {"personal_api_key": secret["list api"], "project_id": "1"}):
        yield call("PUT", source, {"credential": credential}).text
    for wrong in secret.values():  # what is refused is not repeated either
        yield call("PUT", f"{connection}/key", {"api_key": "Bearer " + wrong}).text
        yield call("PUT", f"{connection}/key", {"api_key": wrong + "\n"}).text
        yield call("PUT", f"{connection}/key", {"api_key": wrong, wrong[:0] + "more": 1}).text
        yield call("PUT", f"{connection}/source", {"credential": wrong}).text
        yield call("POST", f"{connection}/rotate-secret", {"secret": wrong[:12]}).text
        yield call("POST", "/api/v1/connections", new | {"api_key": f" {wrong}"}, headers=keyed).text
    yield call(
        "GET", "/api/v1/connections", token=None, headers={"Authorization": "Basic " + CANARIES["admin token"]}
    ).text
