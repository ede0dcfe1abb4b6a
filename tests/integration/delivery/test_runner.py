"""The embedded runner: what it takes up, whom it lets wait, what it survives."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection as Tx

from connector.delivery import EmbeddedRunner
from connector.delivery import runner as runner_module
from connector.event_types import Change, ChangeKind, EventType
from connector.store.database import StoreUnavailable
from connector.store.inbox import Settled, Work
from tests.integration.delivery.world import World

SIGNUP = EventType(id="evt_1", key="signup", name="Signup")
DEFINED = Change(ChangeKind.DEFINED, SIGNUP)
LONG = 20.0
"""Seconds that no test comes near to, unless it fails."""

Start = Callable[..., EmbeddedRunner]


class _Store:
    """The world's database: each of `writes` says whether the next write succeeds, all after them do."""

    def __init__(self, world: World) -> None:
        self._database = world.database
        self.writes: Iterator[bool] = iter(())
        self.failed = threading.Semaphore(0)
        self.read_once = threading.Semaphore(0)

    @contextmanager
    def read(self) -> Iterator[Tx]:
        self.read_once.release()
        with self._database.read() as tx:
            yield tx

    def write(self, work: Callable[[Tx], Any], **how: Any) -> Any:
        succeeds = next(self.writes, None)
        if succeeds is False:
            self.failed.release()
            raise StoreUnavailable("The database refused: disk I/O error")
        return self._database.write(work, **how)


@pytest.fixture
def start(world: World) -> Iterator[Start]:
    """Starts a runner on the world's database, and stops it after the test."""
    started: list[EmbeddedRunner] = []

    def start_one(
        *, apply: Callable[[Work], Settled] | None = None, threads: int = 2, sole: bool = True, database: Any = None
    ) -> EmbeddedRunner:
        runner = EmbeddedRunner(
            database or world.database,
            world.applier.begin if apply is None else lambda _tx, work: lambda: apply(work),
            threads=threads,
            sole=sole,
            clock=world.time.read,
        )
        runner.start()
        started.append(runner)
        return runner

    yield start_one
    world.sandbox.gate.opened.set()
    for runner in started:
        runner.stop()


def test_it_takes_up_at_the_start_what_nobody_finished(world: World, start: Start) -> None:
    waiting = world.accept(DEFINED)

    assert start().wait(waiting, LONG)
    assert world.record(waiting).outcome == "created"


def test_the_only_runner_takes_back_at_once_what_a_process_that_died_had(world: World, start: Start) -> None:
    leased = world.accept(DEFINED)
    assert world.claim()  # by a process that dies then

    assert start(sole=True).wait(leased, LONG)


def test_one_of_many_runners_waits_for_the_end_of_the_lease(world: World, start: Start) -> None:
    leased = world.accept(DEFINED)
    assert world.claim()  # by another process
    free = world.accept(Change(ChangeKind.DEFINED, replace(SIGNUP, id="evt_2", key="login")))
    runner = start(sole=False)

    assert runner.wait(free, LONG)
    assert world.record(leased).leased
    world.time.now += 301
    runner.ring()
    assert runner.wait(leased, LONG)


def test_a_ring_makes_it_look_before_its_sweep(world: World, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_module, "SWEEP", LONG)
    runner = start()

    delivery_id = world.accept(DEFINED)
    runner.ring()

    assert runner.wait(delivery_id, LONG / 2)


def test_what_comes_behind_a_change_of_its_event_type_is_taken_up_as_soon_as_that_is_done(
    world: World, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "SWEEP", LONG)
    first = world.accept(DEFINED)
    second = world.accept(Change(ChangeKind.RENAMED, replace(SIGNUP, name="Signed up")))
    runner = start()

    assert runner.wait(first, LONG / 2)
    assert runner.wait(second, LONG / 2)
    assert world.record(second).outcome == "renamed"


def test_where_nothing_is_left_it_does_not_look_again(
    world: World, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A claim costs every webhook as much as its own row, so none may be for nothing."""
    monkeypatch.setattr(runner_module, "SWEEP", LONG)
    claims: list[int] = []
    claim = runner_module.leases.claim

    def count(*given: Any, **named: Any) -> Any:
        claimed = claim(*given, **named)
        claims.append(len(claimed))
        return claimed

    monkeypatch.setattr(runner_module.leases, "claim", count)
    delivery_id = world.accept(DEFINED)
    runner = start()
    assert runner.wait(delivery_id, LONG / 2)
    runner.stop()

    assert claims == [1]


class TestWaiting:
    def test_ends_at_once_for_what_is_done(self, world: World, start: Start) -> None:
        world.deliver(DEFINED)
        done = world.accept(DEFINED)
        world.work()

        assert start().wait(done, 0.0)

    def test_ends_at_once_for_what_is_parked(self, world: World, start: Start) -> None:
        applier = world.new_applier(rules='[[rules]]\nmatch = "*"\nanalysis_units = ["organisation"]\n')
        parked = world.accept(DEFINED)

        assert start(apply=applier.apply).wait(parked, LONG)
        assert world.record(parked).outcome == "parked"

    def test_does_not_last_where_the_work_is_held(self, world: World, start: Start) -> None:
        world.connections.set_key(world.connection, "api-revoked")
        held = world.accept(DEFINED)
        began = time.monotonic()

        assert not start().wait(held, LONG)
        assert time.monotonic() - began < LONG / 2
        assert world.record(held).held

    def test_does_not_last_where_the_next_attempt_comes_later(self, world: World, start: Start) -> None:
        world.play("rate-limit-ip", seconds=600)
        throttled = world.accept(DEFINED)
        began = time.monotonic()

        assert not start().wait(throttled, LONG)
        assert time.monotonic() - began < LONG / 2
        assert world.record(throttled).attempts == 1

    def test_ends_in_time_where_the_work_takes_longer(self, world: World, start: Start) -> None:
        world.play("latency")
        slow = world.accept(DEFINED)
        runner = start()
        assert world.sandbox.gate.reached.wait(LONG)

        assert not runner.wait(slow, 0.01)
        world.sandbox.gate.opened.set()
        assert runner.wait(slow, LONG)

    def test_is_over_for_everyone_who_waits_for_the_same_delivery(self, world: World, start: Start) -> None:
        """A sender that grows impatient sends the same message again while the first request still waits."""
        world.play("latency")
        slow = world.accept(DEFINED)
        store = _Store(world)
        runner = start(database=store)
        assert world.sandbox.gate.reached.wait(LONG)
        finished: list[bool] = []
        waiting = [
            threading.Thread(target=lambda: finished.append(runner.wait(slow, LONG)), daemon=True) for _ in range(3)
        ]
        for thread in waiting:
            thread.start()
        assert all(store.read_once.acquire(timeout=LONG) for _ in waiting)

        began = time.monotonic()
        world.sandbox.gate.opened.set()
        for thread in waiting:
            thread.join()

        assert finished == [True, True, True]
        assert time.monotonic() - began < LONG / 2

    def test_leaves_nothing_behind(self, world: World, start: Start) -> None:
        delivery_id = world.accept(DEFINED)
        runner = start()
        assert runner.wait(delivery_id, LONG)

        assert runner._waiting == {}


@pytest.mark.parametrize("threads", [2, 5])
def test_a_customer_whose_launchdarkly_is_slow_does_not_hold_up_another(
    world: World, start: Start, threads: int
) -> None:
    other = world.connect("other")
    world.play("latency", path="*/demo", count=None)
    for number in range(10):
        world.accept(Change(ChangeKind.DEFINED, replace(SIGNUP, id=f"evt_{number}", key=f"signup {number}")))
    runner = start(threads=threads)
    assert world.sandbox.gate.reached.wait(LONG)

    quick = world.accept(DEFINED, to=other)
    runner.ring()

    assert runner.wait(quick, LONG / 4)  # the slow calls last longer than that
    assert len(world.metrics()) == 0
    assert len(world.calls()) <= 1 + threads // 2


def test_it_finishes_what_is_under_way_before_it_stops_and_takes_no_more(world: World, start: Start) -> None:
    world.play("latency")
    under_way = world.accept(DEFINED)
    runner = start()
    assert world.sandbox.gate.reached.wait(LONG)

    (dispatcher,) = [thread for thread in threading.enumerate() if thread.name == "connector-dispatch"]
    stopping = threading.Thread(target=runner.stop)
    stopping.start()
    dispatcher.join(LONG)
    assert stopping.is_alive()
    afterwards = world.accept(Change(ChangeKind.DEFINED, replace(SIGNUP, id="evt_2", key="login")))
    world.sandbox.gate.opened.set()
    stopping.join(LONG)

    assert not runner.alive
    assert world.record(under_way).outcome == "created"
    assert world.record(afterwards).state == "pending"


def test_stopping_what_never_started_is_nothing(world: World) -> None:
    runner = EmbeddedRunner(world.database, world.applier.begin, threads=2, sole=True)

    runner.stop()

    assert not runner.alive


def test_a_store_that_fails_for_a_while_stops_nothing(
    world: World, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "SWEEP", 0.0)
    store = _Store(world)
    runner = start(database=store)
    store.writes = iter([False] * 5)
    assert all(store.failed.acquire(timeout=LONG) for _ in range(5))

    delivery_id = world.accept(DEFINED)

    assert runner.alive
    assert runner.wait(delivery_id, LONG)


def test_an_attempt_that_cannot_be_written_down_is_made_again_and_has_one_effect(
    world: World, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "SWEEP", 0.0)
    store = _Store(world)
    store.writes = iter([True, False])  # the key is reserved, but what came of it cannot be written
    delivery_id = world.accept(DEFINED)

    assert start(apply=world.new_applier(database=store).apply).wait(delivery_id, LONG)

    assert world.calls() == ["POST demo", "GET demo/signup"]
    assert world.record(delivery_id).outcome == "created"


def test_what_can_neither_be_written_down_nor_given_back_is_given_back_when_the_store_is_there_again(
    world: World, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "SWEEP", 0.0)
    store = _Store(world)
    delivery_id = world.accept(DEFINED)

    def apply(work: Work) -> Settled:
        if work.attempts == 1:
            store.writes = iter([False] * 5)
            raise StoreUnavailable("The database refused: the server closed the connection")
        return world.applier.apply(work)

    assert start(apply=apply, database=store).wait(delivery_id, LONG)

    assert world.record(delivery_id).outcome == "created"


def test_a_defect_in_applying_does_not_take_the_runner_with_it(
    world: World, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "SWEEP", 0.0)

    def apply(work: Work) -> Settled:
        if work.attempts == 1:
            raise LookupError("a defect")
        return world.applier.apply(work)

    assert start(apply=apply).wait(world.accept(DEFINED), LONG)
    assert list(world.metrics()) == ["signup"]
