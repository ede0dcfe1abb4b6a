"""Runners that live and runners that died: who is seen, and what becomes of what the dead had leased."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connector.event_types import Change
from connector.store import runners
from connector.store.database import Database
from connector.store.history import ChangeRecord
from connector.store.inbox import Accepted, Work

NOW = 1_800_000_000.0
DEAD_AFTER = 30.0

Claim = Callable[..., list[Work]]


@pytest.fixture
def beat(database: Database) -> Callable[..., None]:
    def say(runner_id: str, *, now: float = NOW) -> None:
        database.write(lambda tx: runners.beat(tx, runner_id, now=now))

    return say


@pytest.fixture
def release(database: Database) -> Callable[[float], int]:
    return lambda now: database.write(lambda tx: runners.release_leases_of_dead(tx, now=now, dead_after=DEAD_AFTER))


def seen(database: Database, since: float) -> bool:
    with database.read() as tx:
        return runners.seen(tx, since=since)


def test_a_runner_is_seen_from_its_last_beat_until_it_leaves(database: Database, beat: Callable[..., None]) -> None:
    assert not seen(database, NOW)
    beat("one", now=NOW - 5)
    beat("one", now=NOW)
    assert seen(database, NOW)
    assert not seen(database, NOW + 1)
    database.write(lambda tx: runners.leave(tx, "one"))
    assert not seen(database, NOW)


def test_what_the_dead_had_leased_is_claimed_by_the_living(
    accept: Callable[..., Accepted],
    change: Callable[..., Change],
    claim: Claim,
    settle: Callable[..., Any],
    records: Callable[[str], list[ChangeRecord]],
    beat: Callable[..., None],
    release: Callable[[float], int],
) -> None:
    late = NOW + DEAD_AFTER + 1
    beat("dead")
    beat("alive")
    (first, second) = (accept(change("evt_1")), accept(change("evt_2")))
    (lost,) = claim("dead", limit=1, lease=300)
    (kept,) = claim("alive", limit=1, lease=300)
    beat("alive", now=late)

    assert release(late) == 1
    assert release(late) == 0

    (again,) = claim("alive", now=late, lease=300)
    assert (again.change_id, again.attempts) == (lost.change_id, 2)
    assert not settle(lost, now=late), "the dead, should it wake, has nothing to say any more"
    assert settle(again, now=late)
    assert settle(kept, now=late)
    assert [record.outcome for one in (first, second) for record in records(one.delivery_id)] == ["created"] * 2


def test_nobody_is_dead_before_its_time_nor_without_ever_having_lived(
    accept: Callable[..., Accepted],
    change: Callable[..., Change],
    claim: Claim,
    beat: Callable[..., None],
    release: Callable[[float], int],
) -> None:
    beat("slow")
    accept(change("evt_1"), change("evt_2"))
    assert len(claim("slow", limit=1, lease=300)) == 1
    assert len(claim("silent", limit=1, lease=300)) == 1

    assert release(NOW + DEAD_AFTER) == 0
    assert release(NOW + DEAD_AFTER + 1) == 1, "the slow one's by now, and never the silent one's"
