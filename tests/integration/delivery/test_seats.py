"""A thread that is kept free for a change on its way in: applied without a claim, and never at another's cost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection as Tx

from connector.delivery import EmbeddedRunner
from connector.delivery import runner as runner_module
from connector.delivery.runner import Seat
from connector.event_types import Change, ChangeKind, EventType
from connector.store import leases
from connector.store.inbox import Accepted, Settled, Work
from tests.integration.delivery.world import World

SIGNUP = EventType(id="evt_1", key="signup", name="Signup")
DEFINED = Change(ChangeKind.DEFINED, SIGNUP)
LONG = 20.0


@pytest.fixture(autouse=True)
def rare_sweeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_module, "SWEEP", LONG)


@pytest.fixture
def runner(world: World) -> Iterator[EmbeddedRunner]:
    started = EmbeddedRunner(world.database, world.applier.begin, threads=4, sole=True, clock=world.time.read)
    started.start()
    settle_down(started)
    yield started
    world.sandbox.gate.opened.set()
    started.stop()


def settle_down(runner: EmbeddedRunner) -> None:
    """Until its first look for work is over: before that it gives no seats."""
    deadline = threading.Event()
    while runner._more or runner._bell.is_set():
        deadline.wait(0.001)


def receive(world: World, seat: Seat, change: Change = DEFINED) -> str:
    """Accept a change for a seat, as the receiver of webhooks does."""
    world.time.now += 1

    def store(tx: Tx) -> Accepted:
        accepted = world.accept_leased(tx, change, seat.lease, message_id=f"msg_{world.time.now}")
        assert accepted.work is not None
        seat.begin(tx, accepted.work)
        return accepted

    return world.database.write(store).delivery_id


def test_the_outcome_comes_without_a_claim(
    world: World, runner: EmbeddedRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims: list[Any] = []
    monkeypatch.setattr(leases, "claim", lambda *_, **how: claims.append(how) or [])
    seat = runner.seat(world.connection.id)
    assert seat is not None

    delivery_id = receive(world, seat)
    seat.go()
    settled = seat.wait(LONG)

    assert settled is not None
    assert settled.outcome == "created"
    assert world.record(delivery_id).outcome == "created"
    assert world.calls() == ["POST demo"]
    assert claims == []


def test_who_waits_for_the_delivery_learns_of_it_too(world: World, runner: EmbeddedRunner) -> None:
    world.play("latency")
    seat = runner.seat(world.connection.id)
    assert seat is not None
    delivery_id = receive(world, seat)
    seat.go()
    assert world.sandbox.gate.reached.wait(LONG)
    assert seat.wait(0.01) is None, "it takes longer"
    finished: list[bool] = []
    waiting = threading.Thread(target=lambda: finished.append(runner.wait(delivery_id, LONG)))
    waiting.start()

    world.sandbox.gate.opened.set()
    waiting.join(LONG)

    assert finished == [True]


def test_one_customer_gets_half_of_them_and_a_seat_that_is_left_is_free_again(
    world: World, runner: EmbeddedRunner
) -> None:
    other = world.connect("other")
    mine, theirs = ([runner.seat(each.id) for _ in range(3)] for each in (world.connection, other))
    assert [[seat is not None for seat in seats] for seats in (mine, theirs)] == [[True, True, False]] * 2

    assert mine[0] is not None
    mine[0].leave()
    again = runner.seat(world.connection.id)
    assert again is not None
    for seat in (again, mine[1], *theirs):
        if seat is not None:
            seat.leave()


def test_there_is_none_while_others_wait(world: World, runner: EmbeddedRunner) -> None:
    world.play("latency", count=None)
    for number in range(3):
        world.accept(Change(ChangeKind.DEFINED, replace(SIGNUP, id=f"evt_{number}", key=f"signup {number}")))
    runner.ring()
    assert world.sandbox.gate.reached.wait(LONG)
    settled = threading.Event()
    while runner._bell.is_set():
        settled.wait(0.001)

    assert runner.seat(world.connect("other").id) is None


def test_a_runner_that_stops_gives_none(world: World, runner: EmbeddedRunner) -> None:
    runner.stop()

    assert runner.seat(world.connection.id) is None


def test_what_was_leased_to_a_runner_that_stopped_meanwhile_is_not_lost(world: World, runner: EmbeddedRunner) -> None:
    seat = runner.seat(world.connection.id)
    assert seat is not None
    delivery_id = receive(world, seat)
    stopping = threading.Thread(target=runner.stop)
    stopping.start()
    while runner._pool is not None and not runner._pool._shutdown:
        stopping.join(0.001)

    seat.go()
    stopping.join(LONG)

    assert seat.wait(LONG) is None
    world.time.now += LONG + 1
    world.work()
    assert world.record(delivery_id).outcome == "created"


def test_a_defect_in_beginning_undoes_no_receipt(world: World) -> None:
    def begin(_tx: Tx, _work: Work) -> Callable[[], Settled]:
        raise LookupError("a defect")

    runner = EmbeddedRunner(world.database, begin, threads=2, sole=True, clock=world.time.read)
    runner.start()
    settle_down(runner)
    try:
        seat = runner.seat(world.connection.id)
        assert seat is not None
        delivery_id = receive(world, seat)
        seat.go()
        assert seat.wait(LONG) is None
    finally:
        runner.stop()

    assert world.record(delivery_id).state == "pending"
    world.time.now += LONG + 1
    world.work()
    assert world.record(delivery_id).outcome == "created"
