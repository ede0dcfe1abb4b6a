"""The history as people page through it."""

from __future__ import annotations

from collections.abc import Callable

from connector.event_types import Change, Outcome
from connector.store import connections, history
from connector.store.connections import ConnectionState
from connector.store.database import Database
from connector.store.inbox import Accepted, Work

NOW = 1_800_000_000.0

Accept = Callable[..., Accepted]
Make = Callable[..., Change]


def test_pages_go_from_the_newest_to_the_oldest_without_a_gap(database: Database, accept: Accept) -> None:
    newest_first = [accept(now=NOW + number).delivery_id for number in range(7)][::-1]

    seen: list[str] = []
    with database.read() as tx:
        while page := history.listing(tx, before=seen[-1] if seen else None, limit=3):
            seen.extend(record.id for record in page)

    assert seen == newest_first


def test_a_page_shows_a_delivery_with_all_its_changes(database: Database, accept: Accept, change: Make) -> None:
    accept(change("evt_1"), change("evt_2"), message_id="msg_1")
    with database.read() as tx:
        (record,) = history.listing(tx)
    assert (record.endpoint_id, record.message_id, record.received_at) == ("ep_1", "msg_1", NOW)
    assert [(each.label, each.connection_id, each.held) for each in record.changes] == [
        ("evt_1", "con_1", False),
        ("evt_2", "con_1", False),
    ]


def test_a_page_can_be_of_one_connection_and_of_one_state(
    database: Database,
    connect: Callable[..., str],
    accept: Accept,
    claim: Callable[..., list[Work]],
    settle: Callable[..., bool],
    change: Make,
) -> None:
    connect("con_2")
    parked = accept(change("evt_1")).delivery_id
    settle(claim()[0], Outcome.PARKED)
    pending = accept(change("evt_1"), connection_id="con_2").delivery_id
    empty = accept().delivery_id

    def listed(**filters: str) -> list[str]:
        with database.read() as tx:
            return [record.id for record in history.listing(tx, **filters)]

    assert set(listed()) == {empty, pending, parked}
    assert listed(connection_id="con_1") == listed(state="parked") == [parked]
    assert listed(connection_id="con_2", state="pending") == [pending]
    assert listed(connection_id="con_2", state="parked") == []


def test_what_is_not_there_has_no_details(database: Database) -> None:
    with database.read() as tx:
        assert history.details(tx, "dlv_none") is None
        assert history.changes_of(tx, ["dlv_none"]) == {"dlv_none": []}


def test_counts_tell_what_is_held_from_what_is_pending(
    database: Database,
    connect: Callable[..., str],
    accept: Accept,
    claim: Callable[..., list[Work]],
    settle: Callable[..., bool],
    change: Make,
) -> None:
    with database.read() as tx:
        assert history.counts(tx) == {}
    connect("con_2")
    accept(change("evt_1"), change("evt_2"), change("evt_3"))
    done, parked, _ = claim()
    settle(done, Outcome.CREATED)
    settle(parked, Outcome.PARKED)
    database.write(lambda tx: connections.set_state(tx, "con_2", ConnectionState.PAUSED))
    accept(change("evt_1"), change("evt_2"), connection_id="con_2")

    with database.read() as tx:
        assert history.counts(tx) == {"done": 1, "parked": 1, "pending": 1, "held": 2}
