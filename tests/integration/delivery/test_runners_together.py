"""Several runners on one database: who takes over from whom, and who is told of work that is too much for one."""

from __future__ import annotations

import threading
from dataclasses import replace

from connector.delivery import EmbeddedRunner
from connector.event_types import Change, ChangeKind, EventType
from connector.store import runners
from tests.integration.delivery.world import World

SIGNUP = EventType(id="evt_1", key="signup", name="Signup")
DEFINED = Change(ChangeKind.DEFINED, SIGNUP)
LONG = 20.0
DEAD_AFTER = 30.0


def test_what_a_runner_that_fell_silent_had_is_taken_over_before_its_lease_ends(world: World) -> None:
    leased = world.accept(DEFINED)
    (work,) = world.claim()
    world.database.write(lambda tx: runners.beat(tx, work.owner, now=world.time.now))
    world.time.now += DEAD_AFTER + 1
    runner = EmbeddedRunner(
        world.database,
        world.applier.begin,
        threads=2,
        sole=False,
        take_over_after=DEAD_AFTER,
        clock=world.time.read,
    )

    runner.start()

    assert runner.wait(leased, LONG)
    with world.database.read() as tx:
        assert runners.seen(tx, since=world.time.now)
    runner.stop()
    with world.database.read() as tx:
        assert not runners.seen(tx, since=0.0), "who stops says so"


def test_where_there_is_more_than_it_has_threads_for_it_passes_on(world: World) -> None:
    told = threading.Event()
    deliveries = [
        world.accept(Change(ChangeKind.DEFINED, replace(SIGNUP, id=f"evt_{number}", key=f"signup {number}")))
        for number in range(3)
    ]
    runner = EmbeddedRunner(
        world.database, world.applier.begin, threads=2, sole=False, pass_on=told.set, clock=world.time.read
    )

    runner.start()

    assert all(runner.wait(each, LONG) for each in deliveries)
    runner.stop()
    assert told.is_set()
