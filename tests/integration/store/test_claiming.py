"""Claiming work: by one runner at a time, in order, for as long as a lease."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Table

from connector.event_types import Change, ChangeKind, Outcome
from connector.store import connections, endpoints, inbox, leases
from connector.store.connections import Connection
from connector.store.database import Database
from connector.store.endpoints import Endpoint
from connector.store.history import ChangeRecord
from connector.store.inbox import Accepted, Attempt, NewChange, Settled, Work
from connector.store.statements import Statement
from connector.store.tables import attempts

NOW = 1_800_000_000.0
LEASE = 60.0

Accept = Callable[..., Accepted]
Claim = Callable[..., list[Work]]
Make = Callable[..., Change]
NumberOf = Callable[[Table], int]


class TestClaiming:
    def test_work_carries_all_that_it_takes_to_apply_it(self, accept: Accept, claim: Claim, change: Make) -> None:
        sent = change("evt_1", "order", name="Order ✓", kind=ChangeKind.RENAMED, previous_key="buy", sequence=3)
        accepted = accept(sent, message_id="msg_1")

        (work,) = claim("runner")

        assert work.change == sent
        assert (work.delivery_id, work.message_id, work.position) == (accepted.delivery_id, "msg_1", 0)
        assert (work.connection_id, work.received_at, work.queued_at) == ("con_1", NOW, NOW)
        assert (work.attempts, work.replays, work.owner) == (1, 0, "runner")

    def test_what_is_claimed_is_not_claimed_again(self, accept: Accept, claim: Claim, change: Make) -> None:
        accept(change("evt_1"))
        assert len(claim("one")) == 1
        assert claim("two") == []

    def test_the_oldest_come_first_and_no_more_than_asked_for(self, accept: Accept, claim: Claim, change: Make) -> None:
        for number in range(3):
            accept(change(f"evt_{number}"), now=NOW + number)

        assert [work.change.label for work in claim(now=NOW + 9, limit=2)] == ["evt_0", "evt_1"]
        assert [work.change.label for work in claim(now=NOW + 9, limit=2)] == ["evt_2"]

    def test_changes_of_one_event_type_are_claimed_in_order_and_alone(
        self, accept: Accept, claim: Claim, change: Make, settle: Callable[..., bool]
    ) -> None:
        accept(change("evt_1", name="first"), change("evt_2"), change("evt_1", name="second"))

        first, other = claim()
        assert (first.change.event_type.name, other.change.label) == ("first", "evt_2")
        assert claim() == []
        assert settle(first)
        (second,) = claim()
        assert second.change.event_type.name == "second"

    def test_a_parked_change_lets_the_next_one_pass(
        self, accept: Accept, claim: Claim, change: Make, settle: Callable[..., bool]
    ) -> None:
        accept(change("evt_1", name="first"), change("evt_1", name="second"))
        assert settle(claim()[0], Outcome.PARKED)
        assert claim()[0].change.event_type.name == "second"

    def test_a_change_that_is_tried_later_keeps_its_place(
        self, accept: Accept, claim: Claim, change: Make, settle: Callable[..., bool]
    ) -> None:
        accept(change("evt_1", name="first"), change("evt_1", name="second"))
        assert settle(claim()[0], None, due_at=NOW + 30)

        assert claim() == []
        (again,) = claim(now=NOW + 30)
        assert (again.change.event_type.name, again.attempts) == ("first", 2)

    def test_busy_connections_are_left_out(
        self, accept: Accept, claim: Claim, change: Make, connect: Callable[..., str]
    ) -> None:
        connect("con_2")
        accept(change("evt_1"))
        accept(change("evt_1"), connection_id="con_2")

        assert [work.connection_id for work in claim(busy=["con_1"])] == ["con_2"]

    def test_many_claimers_never_take_one_change_twice(
        self, database_url: str, open_database: Callable[[str], Database], accept: Accept, change: Make
    ) -> None:
        accept(*(change(f"evt_{number}") for number in range(60)))
        processes = [open_database(database_url) for _ in range(3)]

        def work(number: int) -> list[int]:
            taken: list[int] = []
            for _ in range(40):
                claimed = processes[number % 3].write(
                    lambda tx: leases.claim(tx, owner=f"runner {number}", now=NOW, lease=LEASE, limit=4)
                )
                taken.extend(each.change_id for each in claimed)
                if not claimed:
                    break
            return taken

        with ThreadPoolExecutor(6) as pool:
            taken = [change_id for part in pool.map(work, range(6)) for change_id in part]

        assert len(set(taken)) == len(taken)
        assert len(taken) == 60

    def test_an_earlier_change_that_becomes_visible_late_waits_for_the_later_one_under_way(
        self, postgres_database: Database, vault: Any, change: Make
    ) -> None:
        def accept(tx: Any, message_id: str) -> None:
            new = NewChange("evt_1", "defined", change("evt_1"), "con_1")
            inbox.accept(
                tx, endpoint_id="ep_1", message_id=message_id, body=b"", headers={}, new_changes=[new], now=NOW
            )

        def claimed() -> list[int]:
            return [
                work.change_id
                for work in postgres_database.write(
                    lambda tx: leases.claim(tx, owner="runner", now=NOW, lease=LEASE, limit=9)
                )
            ]

        connection = Connection("con_1", "ep_1", "Acme", "demo", "https://app.launchdarkly.com")
        postgres_database.write(lambda tx: endpoints.add(tx, Endpoint("ep_1", "standard"), now=NOW))
        postgres_database.write(lambda tx: connections.add(tx, vault, connection, "api-1", now=NOW))
        postgres_database.write(lambda tx: accept(tx, "msg_0"))
        (first,) = postgres_database.write(lambda tx: leases.claim(tx, owner="r", now=NOW, lease=LEASE, limit=9))
        done = Attempt(started_at=NOW, seconds=0, code="created")
        postgres_database.write(lambda tx: leases.settle(tx, first, done, Settled(Outcome.CREATED), now=NOW))
        with postgres_database.engine.begin() as slow:
            accept(slow, "msg_1")
            postgres_database.write(lambda tx: accept(tx, "msg_2"))
            (later,) = claimed()
        assert claimed() == []
        postgres_database.write(lambda tx: leases.release_leases(tx, now=NOW))
        assert claimed() < [later]

    @pytest.mark.parametrize("statement", [leases._FED, leases._CANDIDATES], ids=["connections", "changes"])
    def test_a_server_probes_for_each_row_whatever_it_takes_the_tables_for(
        self, postgres_database: Database, statement: Statement
    ) -> None:
        explain = Statement("EXPLAIN " + statement._sqlite)
        values = {"now": NOW, "limit": 4, "connection_id": "con_1"}
        with postgres_database.read() as tx:
            plan = "\n".join(line for (line,) in explain.all(tx, values))
        assert "SubPlan" in plan
        assert "Anti Join" not in plan
        assert "Semi Join" not in plan


class TestLeases:
    def test_work_of_a_runner_that_died_comes_back_when_its_lease_ends(
        self, accept: Accept, claim: Claim, change: Make
    ) -> None:
        accept(change("evt_1"))
        claim("died", lease=LEASE)

        assert claim("next", now=NOW + LEASE - 1) == []
        (work,) = claim("next", now=NOW + LEASE)
        assert (work.owner, work.attempts) == ("next", 2)

    @pytest.mark.parametrize("next_owner", ["next", "late"], ids=["another runner", "the same runner"])
    def test_who_lost_the_lease_writes_nothing(
        self,
        database: Database,
        number_of: NumberOf,
        accept: Accept,
        claim: Claim,
        change: Make,
        settle: Callable[..., bool],
        records: Callable[[str], list[ChangeRecord]],
        next_owner: str,
    ) -> None:
        delivery = accept(change("evt_1")).delivery_id
        (late,) = claim("late")
        (work,) = claim(next_owner, now=NOW + LEASE)

        assert settle(late, Outcome.PARKED) is False
        database.write(lambda tx: leases.give_back(tx, late, due_at=NOW))
        assert number_of(attempts) == 0
        (record,) = records(delivery)
        assert (record.state, record.leased, record.due_at) == ("pending", True, NOW + 2 * LEASE)
        assert settle(work) is True

    def test_settled_work_is_settled_once(
        self,
        number_of: NumberOf,
        accept: Accept,
        claim: Claim,
        change: Make,
        settle: Callable[..., bool],
    ) -> None:
        accept(change("evt_1"))
        (work,) = claim()
        assert settle(work, Outcome.CREATED)
        assert not settle(work, Outcome.PARKED)
        assert number_of(attempts) == 1

    def test_a_sole_runner_takes_back_all_leases_at_once(
        self, database: Database, accept: Accept, claim: Claim, change: Make
    ) -> None:
        accept(change("evt_1"), change("evt_2"))
        claim("died", limit=1)
        assert database.write(lambda tx: leases.release_leases(tx, now=NOW)) == 1
        assert len(claim("next")) == 2

    def test_work_given_back_is_due_when_it_is_said(
        self, database: Database, accept: Accept, claim: Claim, change: Make
    ) -> None:
        accept(change("evt_1"))
        (work,) = claim()
        database.write(lambda tx: leases.give_back(tx, work, due_at=NOW + 7))
        assert claim(now=NOW + 6) == []
        assert len(claim(now=NOW + 7)) == 1
