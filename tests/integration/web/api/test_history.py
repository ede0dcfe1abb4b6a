"""Deliveries, event types and replays by the API."""

from __future__ import annotations

from typing import Any

import pytest

from connector.event_types import Outcome
from connector.store import inbox


def ids(page: dict[str, Any]) -> list[str]:
    return [each["id"] for each in page["deliveries"]]


def test_a_search_finds_deliveries_by_what_they_are_about(served: Any) -> None:
    acme, other = served.connect("acme"), served.connect("other")
    created = served.deliver(acme, "evt_1")
    parked = served.deliver(other, "evt_2", Outcome.PARKED)
    pending = served.deliver(acme, "evt_1", None)

    assert ids(served.get("/deliveries")) == [pending, parked, created]
    assert ids(served.get("/deliveries", connection=acme["id"])) == [pending, created]
    assert ids(served.get("/deliveries", event_type="evt_1", state="done")) == [created]
    assert ids(served.get("/deliveries", outcome="parked")) == [parked]
    assert ids(served.get("/deliveries", endpoint=other["endpoint"])) == [parked]
    assert ids(served.get("/deliveries", delivery=created)) == [created]
    found = served.get("/deliveries", delivery=created)["deliveries"][0]
    assert ids(served.get("/deliveries", message_id=found["message_id"])) == [created]
    assert ids(served.get("/deliveries", until=found["received_at"])) == []
    assert created in ids(served.get("/deliveries", since=found["received_at"]))

    first = served.get("/deliveries", limit=2)
    assert ids(first) == [pending, parked]
    rest = served.get("/deliveries", limit=2, cursor=first["next"])
    assert (ids(rest), rest["next"]) == ([created], None)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"state": "lost"}, "state"),
        ({"outcome": "won"}, "outcome"),
        ({"since": "yesterday"}, "since"),
        ({"since": "2026-11-22"}, "since"),
        ({"until": "2026-13-22T10:00:00Z"}, "until"),
        ({"limit": "0"}, "limit"),
        ({"limit": "1e2"}, "limit"),
        ({"conection": "con_1"}, "conection"),
        ({"cursor": ""}, "cursor"),
    ],
    ids=repr,
)
def test_a_search_that_is_not_as_documented_is_refused(on_sqlite: Any, query: dict[str, str], field: str) -> None:
    answer = on_sqlite.call("GET", "/api/v1/deliveries", query_string=query)
    assert (answer.status_code, list(answer.json["errors"])) == (422, [field])


def test_one_delivery_shows_all_there_is(served: Any) -> None:
    acme = served.connect()
    delivery = served.deliver(acme)
    shown = served.get(f"/deliveries/{delivery}")
    assert shown["body"] == '{"from": "the partner"}'
    assert shown["headers"] == {"user-agent": "partner/1"}
    (change,) = shown["changes"]
    assert (change["event_type"], change["change"], change["outcome"]) == ("evt_1", "defined", "created")
    assert change["metrics"][0]["key"] == "order-completed"
    assert (change["next_attempt_at"], change["held"]) == (None, False)
    (attempt,) = shown["attempts"]
    assert (attempt["event_type"], attempt["number"], attempt["code"]) == ("evt_1", 1, "created")
    assert attempt["calls"][0]["path"] == "/api/v2/metrics/demo"
    assert served.call("GET", "/api/v1/deliveries/dlv_none").json["code"] == "delivery_unknown"


def test_a_replay_queues_the_changes_of_a_delivery_again(served: Any) -> None:
    acme = served.connect()
    delivery = served.deliver(acme, "evt_1", Outcome.PARKED)
    assert served.get(f"/deliveries/{delivery}")["changes"][0]["next_step"] == "Mend it."
    rung = served.runner.rung
    assert served.post(f"/deliveries/{delivery}/replay", status=202) == {"changes": 1}
    assert served.runner.rung == rung + 1
    (change,) = served.get(f"/deliveries/{delivery}")["changes"]
    assert (change["state"], change["outcome"], change["replays"]) == ("pending", None, 1)
    assert served.post(f"/deliveries/{delivery}/replay", status=409)["code"] == "nothing_to_replay"
    assert served.post("/deliveries/dlv_none/replay", status=404)["code"] == "delivery_unknown"


def test_many_changes_are_replayed_watched_and_cancelled(served: Any) -> None:
    acme = served.connect()
    for number in range(3):
        served.deliver(acme, f"evt_{number}", Outcome.PARKED)
    served.deliver(acme, "evt_9")

    replay = served.post("/replays", {"filter": {"state": "parked"}, "cap": 2}, status=202)
    assert (replay["changes"], replay["more"], replay["state"]) == (2, True, "running")
    assert (replay["filter"], replay["states"]) == ({"state": "parked"}, {"pending": 2})
    assert served.runner.rung > 0
    assert served.get(f"/replays/{replay['id']}") == replay
    assert served.get("/replays") == {"replays": [replay], "next": None}

    cancelled = served.post(f"/replays/{replay['id']}/cancel")
    assert (cancelled["state"], cancelled["states"]) == ("cancelled", {"parked": 2})
    assert served.post(f"/replays/{replay['id']}/cancel") == cancelled

    assert served.post("/replays", {"filter": {}}, status=422)["errors"] == {"filter": ["Needs at least one field."]}
    assert served.post("/replays", {"filter": {"state": "parked"}, "cap": 10_001}, status=422)["errors"]["cap"]
    assert served.call("GET", "/api/v1/replays/rpl_none").json["code"] == "replay_unknown"
    assert served.post("/replays/rpl_none/cancel", status=404)["code"] == "replay_unknown"


def test_ten_thousand_changes_are_queued_again_by_one_request(on_sqlite: Any) -> None:
    acme = on_sqlite.connect()
    from connector.event_types import Change, ChangeKind, EventType  # noqa: PLC0415
    from connector.store.inbox import NewChange  # noqa: PLC0415

    changes = [Change(ChangeKind.DEFINED, EventType(id=f"evt_{number}")) for number in range(10_000)]
    new = [
        NewChange(each.label, each.kind, each, acme["id"], outcome=Outcome.PARKED, reason="Look.") for each in changes
    ]
    on_sqlite.installation.database.write(
        lambda tx: inbox.accept(
            tx, endpoint_id=acme["endpoint"], message_id="msg", body=b"", headers={}, new_changes=new, now=1.0
        )
    )
    replay = on_sqlite.post("/replays", {"filter": {"connection": acme["id"]}}, status=202)
    assert (replay["changes"], replay["more"], replay["states"]) == (10_000, False, {"pending": 10_000})
    assert on_sqlite.post(f"/replays/{replay['id']}/cancel")["states"] == {"parked": 10_000}


def test_event_types_are_shown_with_their_metrics(served: Any) -> None:
    acme = served.connect()
    for number in range(3):
        served.deliver(acme, f"evt_{number}")
    served.deliver(acme, "evt_3", None)

    path = f"/connections/{acme['id']}/event-types"
    first = served.get(path, limit=2)
    rest = served.get(path, limit=2, cursor=first["next"])
    assert rest["next"] is None
    found = first["event_types"] + rest["event_types"]
    assert [each["source_id"] for each in found] == ["evt_0", "evt_1", "evt_2", None]
    one = found[0]
    assert (one["key"], one["name"], one["status"]) == ("evt_0_key", "Order Completed", "active")
    (metric,) = one["metrics"]
    assert (metric["measure"], metric["state"], metric["name"]) == ("occurrence", "live", "Order")
    assert metric["url"] == f"https://app.launchdarkly.com/projects/demo/metrics/{metric['key']}"
    assert served.get(f"{path}/{one['id']}") == one
    assert [each["source_id"] for each in served.get(path, event_type="evt_1")["event_types"]] == ["evt_1"]
    assert [each["source_id"] for each in served.get(path, event_type="evt_1_key")["event_types"]] == ["evt_1"]
    for number in (0, 2**63, 10**30):
        assert served.call("GET", f"/api/v1{path}/{number}").json["code"] == "event_type_unknown"
    assert served.call("GET", f"/api/v1{path}?cursor=x").status_code == 422
