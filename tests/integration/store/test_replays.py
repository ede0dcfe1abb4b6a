"""Replays of many changes: queued at once, watched, taken back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connector.event_types import Change, Outcome
from connector.store import history, replays
from connector.store.database import Database
from connector.store.history import ChangeRecord, Filter
from connector.store.inbox import KEEP_SECONDS, Accepted, NewChange, Work
from connector.store.replays import Replay

NOW = 1_800_000_000.0

Claim = Callable[..., list[Work]]
Settle = Callable[..., bool]


@pytest.fixture
def start(database: Database) -> Callable[..., Replay]:
    def begin(cap: int = 100, now: float = NOW + 1, **wanted: Any) -> Replay:
        return database.write(lambda tx: replays.start(tx, Filter(**wanted), cap=cap, now=now))

    return begin


@pytest.fixture
def read(database: Database) -> Callable[[str], Replay | None]:
    def get(replay_id: str) -> Replay | None:
        with database.read() as tx:
            return replays.get(tx, replay_id)

    return get


@pytest.fixture
def parked(accept: Callable[..., Accepted], change: Callable[..., Change], claim: Claim, settle: Settle) -> list[Work]:
    """Three parked changes, oldest first, and one that is done."""
    for number in range(4):
        accept(change(f"evt_{number}"))
    *work, done = claim()
    for each in work:
        settle(each, Outcome.PARKED, result={"reason": "Look at it."})
    settle(done, Outcome.CREATED)
    return work


def records(database: Database) -> list[ChangeRecord]:
    with database.read() as tx:
        found = history.search(tx, Filter()).deliveries
    return sorted((change for delivery in found for change in delivery.changes), key=lambda change: change.id)


def test_what_the_filter_finds_is_queued_again_and_counted_by_where_it_is(
    parked: list[Work], start: Callable[..., Replay], read: Callable[[str], Replay], claim: Claim, settle: Settle
) -> None:
    replay = start(state="parked")
    assert (replay.changes, replay.more, replay.state, replay.states) == (3, False, "running", {"pending": 3})

    first, *others = claim(now=NOW + 1)
    assert [work.change_id for work in (first, *others)] == [work.change_id for work in parked]
    settle(first, Outcome.CREATED, now=NOW + 2)
    assert read(replay.id).states == {"created": 1, "pending": 2}
    for work in others:
        settle(work, Outcome.UNCHANGED, now=NOW + 2)
    assert read(replay.id).states == {"created": 1, "unchanged": 2}
    assert read(replay.id).state == "done"


def test_a_cap_takes_the_oldest_and_says_that_there_are_more(
    parked: list[Work], start: Callable[..., Replay], claim: Claim
) -> None:
    replay = start(cap=2, state="parked")
    assert (replay.changes, replay.more) == (2, True)
    assert [work.change_id for work in claim(now=NOW + 1)] == [work.change_id for work in parked[:2]]
    assert (start(cap=2, state="parked").changes, start(cap=2, state="parked").changes) == (1, 0)


def test_it_can_be_counted_before(parked: list[Work], database: Database, start: Callable[..., Replay]) -> None:
    def counted(most: int = 100, **wanted: Any) -> int:
        with database.read() as tx:
            return replays.count(tx, Filter(**wanted), most=most)

    assert (counted(), counted(state="parked"), counted(event_type="evt_0"), counted(state="pending")) == (4, 3, 1, 0)
    assert counted(most=2) == 2
    start(state="parked")
    assert (counted(), counted(state="parked")) == (1, 0)


def test_to_cancel_gives_back_what_waits_as_it_was_and_lets_what_is_begun_finish(
    parked: list[Work],
    database: Database,
    start: Callable[..., Replay],
    read: Callable[[str], Replay],
    claim: Claim,
    settle: Settle,
) -> None:
    before = records(database)
    replay = start()
    assert replay.states == {"pending": 4}
    (begun,) = claim(now=NOW + 1, limit=1)

    cancelled = database.write(lambda tx: replays.cancel(tx, replay.id, now=NOW + 2))
    assert cancelled is not None
    assert (cancelled.state, cancelled.cancelled_at) == ("cancelled", NOW + 2)
    assert cancelled.states == {"pending": 1, "parked": 2, "created": 1}
    assert claim(now=NOW + 3) == []
    assert settle(begun, Outcome.CREATED, now=NOW + 3)

    for was, now in zip(before[1:], records(database)[1:], strict=True):
        assert (now.state, now.outcome, now.result, now.finished_at) == (
            was.state,
            was.outcome,
            was.result,
            was.finished_at,
        )
        assert (now.attempts, now.replays) == (was.attempts, was.replays + 1)
    assert database.write(lambda tx: replays.cancel(tx, replay.id, now=NOW + 9)) == read(replay.id)
    assert read(replay.id).cancelled_at == NOW + 2


def test_to_cancel_leaves_alone_what_was_queued_once_more_since(
    parked: list[Work], database: Database, start: Callable[..., Replay], claim: Claim, settle: Settle
) -> None:
    first = start(state="parked")
    for work in claim(now=NOW + 1):
        settle(work, Outcome.PARKED, now=NOW + 1)
    second = start(state="parked", now=NOW + 2)
    database.write(lambda tx: replays.cancel(tx, first.id, now=NOW + 3))
    assert second.changes == len(claim(now=NOW + 3)) == 3


def test_only_what_has_a_connection_and_is_not_under_way_is_replayed(
    accept: Callable[..., Accepted], change: Callable[..., Change], start: Callable[..., Replay]
) -> None:
    accept(change("evt_1"), new_changes=[NewChange("evt_2", "defined", change("evt_2"), outcome=Outcome.SKIPPED)])
    replay = start()
    assert (replay.changes, replay.state) == (0, "done")


def test_a_filter_of_the_delivery_holds_too(parked: list[Work], start: Callable[..., Replay]) -> None:
    assert start(message_id="msg_2").changes == 1
    assert start(endpoint_id="ep_none").changes == 0
    assert start(since=NOW + 60).changes == 0
    assert start(connection_id="con_none").changes == 0


def test_the_list_goes_from_the_newest_on_and_forgets_with_the_history(
    parked: list[Work], database: Database, start: Callable[..., Replay], read: Callable[[str], Replay | None]
) -> None:
    made = [start(now=NOW + number).id for number in range(1, 4)]
    with database.read() as tx:
        assert [each.id for each in replays.listing(tx, limit=2)] == [made[2], made[1]]
        assert [each.id for each in replays.listing(tx, after=made[1], limit=2)] == [made[0]]
    start(now=NOW + KEEP_SECONDS + 2.5)
    assert [read(each) is not None for each in made] == [False, False, True]
    assert database.write(lambda tx: replays.cancel(tx, "rpl_none", now=NOW)) is None
