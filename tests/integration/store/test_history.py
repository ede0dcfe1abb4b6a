"""The history as people page through it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from connector.event_types import Change, Outcome
from connector.store import connections, history
from connector.store.connections import ConnectionState
from connector.store.database import Database
from connector.store.history import Filter
from connector.store.inbox import Accepted, NewChange, Work
from connector.store.searching import matching

NOW = 1_800_000_000.0

Accept = Callable[..., Accepted]
Make = Callable[..., Change]


def test_pages_go_from_the_newest_to_the_oldest_without_a_gap(database: Database, accept: Accept) -> None:
    newest_first = [accept(now=NOW + number).delivery_id for number in range(7)][::-1]

    seen: list[str] = []
    with database.read() as tx:
        after: str | None = None
        while len(seen) < 7:
            page = history.search(tx, Filter(), after=after, limit=3)
            seen.extend(record.id for record in page.deliveries)
            after = page.next

    assert seen == newest_first
    assert after is None


def test_a_page_shows_a_delivery_with_all_its_changes(database: Database, accept: Accept, change: Make) -> None:
    accept(change("evt_1"), change("evt_2"), message_id="msg_1")
    with database.read() as tx:
        (record,) = history.search(tx, Filter()).deliveries
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
            return [record.id for record in history.search(tx, Filter(**filters)).deliveries]

    assert set(listed()) == {empty, pending, parked}
    assert listed(connection_id="con_1") == listed(state="parked") == [parked]
    assert listed(connection_id="con_2", state="pending") == [pending]
    assert listed(connection_id="con_2", state="parked") == []


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (Filter(state="pending"), "ix_changes_outcome_delivery_id"),
        (Filter(state="parked"), "ix_changes_outcome_delivery_id"),
        (Filter(state="done", until=NOW), "ix_changes_outcome_delivery_id"),
        (Filter(connection_id="con_1", state="pending"), "ix_changes_connection_id_outcome_delivery_id"),
        (Filter(connection_id="con_1", outcome="created"), "ix_changes_connection_id_outcome_delivery_id"),
        (Filter(event_type="evt_1"), "ix_changes_label_delivery_id"),
    ],
)
def test_a_search_walks_down_an_index_in_its_own_order(database: Database, wanted: Filter, index: str) -> None:
    with database.read() as tx:
        if not database.sqlite:
            for other in ("seqscan", "bitmapscan", "sort", "hashagg"):  # as a planner that knows of many rows does
                tx.exec_driver_sql(f"SET LOCAL enable_{other} = off")
        walk = matching(wanted, after=None, limit=51).compile(tx, compile_kwargs={"literal_binds": True})
        explain = "EXPLAIN QUERY PLAN" if database.sqlite else "EXPLAIN"
        plan = "\n".join(str(row) for row in tx.exec_driver_sql(f"{explain} {walk}"))
    assert set(re.findall(r"ix_changes_\w+", plan)) == {index}, plan


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


@pytest.fixture
def stored(
    accept: Accept,
    connect: Callable[..., str],
    claim: Callable[..., list[Work]],
    settle: Callable[..., bool],
    change: Make,
) -> dict[str, str]:
    """Deliveries by name, a second apart: of two connections, in every state, and with nothing for anybody."""
    connect("con_2", endpoint="ep_2")
    names = {
        "parked": accept(change("evt_1"), now=NOW, message_id="msg_a").delivery_id,
        "created": accept(change("evt_1"), now=NOW + 1).delivery_id,
        "renamed": accept(change("evt_2"), connection_id="con_2", now=NOW + 2).delivery_id,
        "both": accept(
            change("evt_3"), now=NOW + 3, new_changes=[NewChange("evt_3", "defined", change("evt_3"), "con_2")]
        ).delivery_id,
    }
    first = claim(now=NOW + 3)
    outcomes = {names["parked"]: Outcome.PARKED, names["renamed"]: Outcome.RENAMED}
    for work in first:
        settle(work, outcomes.get(work.delivery_id, Outcome.CREATED), now=NOW + 3)
    (second,) = claim(now=NOW + 4)  # of evt_1, the one behind the parked
    settle(second, Outcome.CREATED, now=NOW + 4)
    names["pending"] = accept(change("evt_1"), now=NOW + 5).delivery_id
    names["empty"] = accept(now=NOW + 6).delivery_id
    return names


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Filter(), "empty pending both renamed created parked"),
        (Filter(message_id="msg_a"), "parked"),
        (Filter(message_id="msg_a", endpoint_id="ep_1"), "parked"),
        (Filter(message_id="msg_a", endpoint_id="ep_2"), ""),
        (Filter(endpoint_id="ep_1"), "empty pending both renamed created parked"),
        (Filter(endpoint_id="ep_2"), ""),
        (Filter(event_type="evt_1"), "pending created parked"),
        (Filter(event_type="evt_1", state="done"), "created"),
        (Filter(event_type="evt_1", outcome="parked"), "parked"),
        (Filter(event_type="evt_2", connection_id="con_1"), ""),
        (Filter(event_type="evt_1", endpoint_id="ep_1", message_id="msg_a"), "parked"),
        (Filter(connection_id="con_1"), "pending both created parked"),
        (Filter(connection_id="con_2"), "both renamed"),
        (Filter(connection_id="con_2", outcome="renamed"), "renamed"),
        (Filter(connection_id="con_1", state="pending"), "pending"),
        (Filter(state="pending"), "pending"),
        (Filter(state="parked"), "parked"),
        (Filter(state="done"), "both renamed created"),
        (Filter(state="done", endpoint_id="ep_2"), ""),
        (Filter(outcome="created"), "both created"),
        (Filter(state="parked", outcome="created"), ""),
        (Filter(state="done", outcome="parked", event_type="evt_1"), ""),
        (Filter(since=NOW + 2), "empty pending both renamed"),
        (Filter(until=NOW + 2), "created parked"),
        (Filter(state="done", since=NOW + 2, until=NOW + 3), "renamed"),
        (Filter(since=-1e300, until=1e300), "empty pending both renamed created parked"),
        (Filter(outcome="nonsense", state="nonsense"), ""),
        (Filter(delivery_id="dlv_none"), ""),
    ],
    ids=repr,
)
def test_a_search_finds_what_matches_all_that_is_given(
    database: Database, stored: dict[str, str], wanted: Filter, expected: str
) -> None:
    by_id = {delivery: name for name, delivery in stored.items()}
    found: list[str] = []
    after: str | None = None
    with database.read() as tx:
        while True:
            page = history.search(tx, wanted, after=after, limit=2)
            found += [by_id[record.id] for record in page.deliveries]
            if (after := page.next) is None:
                break
    assert found == expected.split()


def test_a_search_finds_a_delivery_by_its_id(database: Database, stored: dict[str, str]) -> None:
    with database.read() as tx:
        (record,) = history.search(tx, Filter(delivery_id=stored["parked"])).deliveries
    assert record.message_id == "msg_a"


def test_a_page_shows_only_the_changes_that_match(database: Database, stored: dict[str, str]) -> None:
    with database.read() as tx:
        (record,) = history.search(tx, Filter(connection_id="con_2", outcome="created")).deliveries
    assert record.id == stored["both"]
    assert [change.connection_id for change in record.changes] == ["con_2"]
    assert not record.more


def test_a_page_cuts_a_delivery_with_very_many_changes_and_says_so(
    database: Database, accept: Accept, change: Make
) -> None:
    accept(*(change(f"evt_{number}") for number in range(history.MOST_SHOWN + 1)), now=NOW)
    accept(change("evt_0"), now=NOW + 1)
    with database.read() as tx:
        small, large = history.search(tx, Filter(state="pending")).deliveries
    assert (len(small.changes), small.more) == (1, False)
    assert [each.label for each in large.changes] == [f"evt_{number}" for number in range(history.MOST_SHOWN)]
    assert large.more


def test_details_for_one_connection_show_nothing_of_another(database: Database, stored: dict[str, str]) -> None:
    with database.read() as tx:
        own = history.details(tx, stored["renamed"], connection_id="con_2")
        both = history.details(tx, stored["both"], connection_id="con_2")
        assert history.details(tx, stored["renamed"], connection_id="con_1") is None
    assert own is not None
    assert (own.body, own.headers, len(own.attempts)) == (b"{}", {"webhook-id": own.delivery.message_id}, 1)
    assert both is not None
    assert [change.connection_id for change in both.delivery.changes] == ["con_2"]
    assert (both.body, both.headers, len(both.attempts)) == (b"", {}, 1)
