"""What waits: held work, replays, and what a purge must leave."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Table, true

from connector.event_types import Change, Outcome
from connector.store import connections, history, inbox
from connector.store.database import Database
from connector.store.history import ChangeRecord
from connector.store.inbox import Accepted, NewChange, Work
from connector.store.tables import attempts, changes, deliveries

NOW = 1_800_000_000.0
LEASE = 60.0

Accept = Callable[..., Accepted]
Claim = Callable[..., list[Work]]
Make = Callable[..., Change]
NumberOf = Callable[[Table], int]


class TestHolding:
    def test_a_pause_holds_what_waits_until_the_connection_is_resumed(
        self, accept: Accept, claim: Claim, change: Make, pause: Callable[..., None], resume: Callable[..., None]
    ) -> None:
        accept(change("evt_1"))
        pause()
        assert claim(now=NOW + 1e9) == []
        resume()
        assert len(claim(now=NOW + 9)) == 1

    def test_new_work_of_a_paused_connection_is_accepted_and_held(
        self,
        accept: Accept,
        claim: Claim,
        change: Make,
        pause: Callable[..., None],
        resume: Callable[..., None],
        records: Callable[[str], list[ChangeRecord]],
    ) -> None:
        pause()
        delivery = accept(change("evt_1")).delivery_id
        assert records(delivery)[0].held
        assert claim(now=NOW + 1e9) == []
        resume()
        assert len(claim()) == 1

    def test_another_connection_goes_on(
        self, accept: Accept, claim: Claim, change: Make, connect: Callable[..., str], pause: Callable[..., None]
    ) -> None:
        connect("con_2")
        accept(change("evt_1"))
        accept(change("evt_1"), connection_id="con_2")
        pause("con_1")
        assert [work.connection_id for work in claim()] == ["con_2"]

    def test_a_pause_leaves_alone_what_a_runner_has(
        self, accept: Accept, claim: Claim, change: Make, pause: Callable[..., None], settle: Callable[..., bool]
    ) -> None:
        accept(change("evt_1"))
        (work,) = claim()
        pause()
        assert settle(work, Outcome.CREATED)

    def test_work_of_a_removed_connection_is_due_so_that_it_can_be_skipped(
        self, database: Database, vault: Any, accept: Accept, claim: Claim, change: Make
    ) -> None:
        database.write(lambda tx: connections.remove(tx, vault, "con_1", now=NOW))
        accept(change("evt_1"))
        assert len(claim()) == 1


class TestReplaying:
    def replay(self, database: Database, where: Any = None, now: float = NOW + 5) -> int:
        return database.write(lambda tx: inbox.replay(tx, true() if where is None else where, now=now))

    @pytest.mark.parametrize("outcome", [Outcome.CREATED, Outcome.PARKED, Outcome.SUPERSEDED])
    def test_finished_and_parked_work_is_queued_as_if_it_had_just_come(
        self,
        database: Database,
        accept: Accept,
        claim: Claim,
        change: Make,
        settle: Callable[..., bool],
        outcome: Outcome,
    ) -> None:
        accept(change("evt_1"))
        assert settle(claim()[0], outcome, result={"reason": "…"})

        assert self.replay(database) == 1
        (work,) = claim(now=NOW + 5)
        assert (work.attempts, work.replays, work.queued_at, work.received_at) == (1, 1, NOW + 5, NOW)

    def test_what_is_under_way_is_left_alone(
        self, database: Database, accept: Accept, claim: Claim, change: Make, settle: Callable[..., bool]
    ) -> None:
        accept(change("evt_1"), change("evt_2"))
        (work, _) = claim()
        assert self.replay(database) == 0
        assert settle(work)

    def test_only_what_is_asked_for_is_queued(
        self, database: Database, accept: Accept, claim: Claim, change: Make, settle: Callable[..., bool]
    ) -> None:
        first = accept(change("evt_1")).delivery_id
        accept(change("evt_2"))
        for work in claim():
            settle(work)

        assert self.replay(database, changes.c.delivery_id == first) == 1
        assert [work.change.label for work in claim(now=NOW + 5)] == ["evt_1"]

    def test_what_never_had_a_connection_cannot_be_replayed(self, database: Database, accept: Accept) -> None:
        accept(new_changes=[NewChange("x", "defined", outcome=Outcome.SKIPPED)])
        assert self.replay(database) == 0

    def test_a_replay_on_a_paused_connection_is_held(
        self,
        database: Database,
        accept: Accept,
        claim: Claim,
        change: Make,
        settle: Callable[..., bool],
        pause: Callable[..., None],
    ) -> None:
        accept(change("evt_1"))
        settle(claim()[0])
        pause()
        assert self.replay(database) == 1
        assert claim(now=NOW + 1e9) == []

    def test_a_replay_on_a_removed_connection_is_due_so_that_it_can_be_skipped(
        self,
        database: Database,
        vault: Any,
        accept: Accept,
        claim: Claim,
        change: Make,
        settle: Callable[..., bool],
    ) -> None:
        accept(change("evt_1"))
        settle(claim()[0])
        database.write(lambda tx: connections.remove(tx, vault, "con_1", now=NOW))
        assert self.replay(database) == 1
        assert len(claim(now=NOW + 5)) == 1


class TestRefreshing:
    def test_what_a_refresh_finds_joins_its_delivery(
        self,
        database: Database,
        accept: Accept,
        claim: Claim,
        change: Make,
        settle: Callable[..., bool],
        records: Callable[[str], list[ChangeRecord]],
    ) -> None:
        delivery = accept(new_changes=[NewChange("", inbox.REFRESH, connection_id="con_1")]).delivery_id
        (work,) = claim()
        assert (work.kind, work.change, work.event_type_id) == ("refresh", None, None)

        found = [NewChange("evt_1", "defined", change("evt_1"), "con_1")]
        assert settle(work, Outcome.UPDATED)
        database.write(lambda tx: inbox.append(tx, work, found, now=NOW + 1))

        assert [(each.kind, each.state) for each in records(delivery)] == [("refresh", "done"), ("defined", "pending")]
        (next_work,) = claim(now=NOW + 1)
        assert (next_work.position, next_work.change) == (1, change("evt_1"))


class TestPurging:
    def purge(self, database: Database, now: float, **options: int) -> int:
        return database.write(lambda tx: inbox.purge(tx, now=now, **options))

    def test_what_is_done_and_old_goes_with_its_attempts(
        self,
        database: Database,
        number_of: NumberOf,
        accept: Accept,
        claim: Claim,
        change: Make,
        settle: Callable[..., bool],
    ) -> None:
        accept(change("evt_1"))
        settle(claim()[0])

        assert self.purge(database, NOW + inbox.KEEP_SECONDS) == 0
        assert self.purge(database, NOW + inbox.KEEP_SECONDS + 1) == 1
        assert [number_of(table) for table in (deliveries, changes, attempts)] == [0, 0, 0]

    @pytest.mark.parametrize("outcome", [None, Outcome.PARKED], ids=["pending", "parked"])
    def test_what_waits_stays_however_old_and_with_its_whole_delivery(
        self,
        database: Database,
        number_of: NumberOf,
        accept: Accept,
        claim: Claim,
        change: Make,
        settle: Callable[..., bool],
        outcome: Outcome | None,
    ) -> None:
        accept(change("evt_1"), change("evt_2"))
        done, waiting = claim()
        settle(done)
        settle(waiting, outcome, due_at=NOW + 1e9)

        assert self.purge(database, NOW + 10 * inbox.KEEP_SECONDS) == 0
        assert number_of(changes) == 2

    def test_it_goes_in_portions_oldest_first(self, database: Database, accept: Accept) -> None:
        newest = [accept(now=NOW + number).delivery_id for number in range(3)][-1]
        later = NOW + 2 * inbox.KEEP_SECONDS

        assert self.purge(database, later, limit=2) == 2
        with database.read() as tx:
            assert [record.id for record in history.search(tx, history.Filter()).deliveries] == [newest]
        assert self.purge(database, later, limit=2) == 1

    def test_after_it_a_message_id_is_new_again(self, database: Database, accept: Accept) -> None:
        accept(message_id="msg_1", body=b"one")
        self.purge(database, NOW + inbox.KEEP_SECONDS + 1)
        assert not accept(message_id="msg_1", body=b"two").duplicate


def test_settling_shows_in_the_history(
    database: Database, accept: Accept, claim: Claim, change: Make, settle: Callable[..., bool]
) -> None:
    delivery = accept(change("evt_1")).delivery_id
    (work,) = claim()
    settle(work, None, due_at=NOW + 1)
    (again,) = claim(now=NOW + 1)
    settle(again, Outcome.CREATED, now=NOW + 2, result={"metrics": [{"key": "order"}]})

    with database.read() as tx:
        details = history.details(tx, delivery)
    assert details is not None
    (record,) = details.delivery.changes
    assert (record.state, record.outcome, record.finished_at) == ("done", "created", NOW + 2)
    assert record.result == {"metrics": [{"key": "order"}]}
    assert [(each.number, each.code, each.calls) for each in details.attempts] == [
        (1, "None", [{"status": 201}]),
        (2, "created", [{"status": 201}]),
    ]
