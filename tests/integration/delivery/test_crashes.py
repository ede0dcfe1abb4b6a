"""A process that dies between any two of its steps leaves nothing undone and nothing done twice.

A step is a transaction or a call: the process dies just before it, or just after it took effect and before it was
learnt of. A fresh process then starts from the same database.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from connector.delivery import Applier, EmbeddedRunner
from connector.event_types import Change, ChangeKind, EventType, Value
from connector.store import history, leases
from connector.store.inbox import Lease
from connector.store.links import LinkState
from tests.integration.delivery.world import World


class Killed(BaseException):
    """The end of the process: no handler of ours sees it."""


class Fate:
    """Kills at a step; `killed` says whether it came to that."""

    def __init__(self, at: int) -> None:
        self._left = at
        self.killed = False

    def step(self) -> None:
        if self._left == 0:
            self.killed = True
            raise Killed
        self._left -= 1


class MortalDatabase:
    def __init__(self, world: World, fate: Fate) -> None:
        self._database = world.database
        self._fate = fate
        self.read = world.database.read

    def write(self, work: Callable[[Any], Any], **how: Any) -> Any:
        self._fate.step()
        result = self._database.write(work, **how)
        self._fate.step()
        return result


def _die_and_start_over(world: World, change: Change, at: int) -> bool:
    """Receive a change, die at a step of applying it, and let another process finish; whether there was that step."""
    delivery_id = world.accept(change)
    fate = Fate(at)
    database = MortalDatabase(world, fate)
    applier = world.new_applier(database=database, session=world.tapped_session(fate.step, fate.step))
    try:
        (work,) = database.write(
            lambda tx: leases.claim(tx, owner="a process that dies", now=world.time.now, lease=300.0, limit=1)
        )
        applier.apply(work)
    except Killed:
        runner = EmbeddedRunner(world.database, world.applier.begin, threads=2, sole=True, clock=world.time.read)
        runner.start()
        assert runner.wait(delivery_id, 10)
        runner.stop()
    assert world.record(delivery_id).state == "done"
    return fate.killed


ORDER = EventType(key="order", name="Order", value=Value("revenue", unit="USD"))


def _history(number: int) -> dict[str, Change]:
    event_type = replace(ORDER, id=f"evt_{number}", key=f"order {number}")
    renamed = replace(event_type, key=f"paid {number}", name="Paid")
    return {
        "defined": Change(ChangeKind.DEFINED, event_type),
        "renamed": Change(ChangeKind.RENAMED, renamed, previous_key=event_type.key),
        "archived": Change(ChangeKind.ARCHIVED, event_type),
    }


def test_a_death_at_any_step_of_a_change_that_is_leased_with_its_receipt_loses_nothing(world: World) -> None:
    # the receipt (in which the attempt begins), two creates, settle: each has a before and an after
    steps = 8
    for number in range(steps + 1):
        change = _history(number)["defined"]
        fate = Fate(number)
        database = MortalDatabase(world, fate)
        applier = world.new_applier(database=database, session=world.tapped_session(fate.step, fate.step))
        world.time.now += 1

        def receive(tx: Any, number: int = number, change: Change = change, applier: Applier = applier) -> Any:
            lease = Lease("a process that dies", world.time.now + 300)
            accepted = world.accept_leased(tx, change, lease, message_id=f"msg_{number}")
            return accepted.work and applier.begin(tx, accepted.work)

        world.calls()
        try:
            (database.write(receive) or (lambda: None))()
        except Killed:
            world.database.write(receive)  # the sender had no answer, and sends it again
            runner = EmbeddedRunner(world.database, world.applier.begin, threads=2, sole=True, clock=world.time.read)
            runner.start()
            with world.database.read() as tx:
                (delivery_id,) = [
                    each.id for each in history.search(tx, history.Filter(event_type=change.label), limit=9).deliveries
                ]
            assert runner.wait(delivery_id, 10)
            runner.stop()

        assert fate.killed is (number < steps)
        assert {f"order-{number}", f"order-{number}-average"} <= world.metrics().keys()
        assert world.calls().count("POST demo") == 2


@pytest.mark.parametrize(
    ("dies_in", "before", "steps"),
    [
        # claim, begin (which reserves both links), two creates, settle: each has a before and an after
        ("defined", [], 10),
        # claim, begin, two patches, settle
        ("renamed", ["defined"], 10),
        ("archived", ["defined"], 10),
    ],
)
def test_a_death_at_any_step_ends_in_one_metric_for_each_measure(
    world: World, dies_in: str, before: list[str], steps: int
) -> None:
    for number in range(steps + 1):
        changes = _history(number)
        for name in before:
            world.deliver(changes[name])
        world.calls()

        assert _die_and_start_over(world, changes[dies_in], number) is (number < steps)

        keys = [f"order-{number}", f"order-{number}-average"]
        metrics = world.metrics()
        assert [key for key in metrics if key.startswith(keys[0])] == keys
        expected = f"paid {number}" if dies_in == "renamed" else f"order {number}"
        assert [metrics[key]["eventKey"] for key in keys] == [expected, expected]
        assert [metrics[key]["archived"] for key in keys] == [dies_in == "archived"] * 2
        state = LinkState.ARCHIVED if dies_in == "archived" else LinkState.LIVE
        links = world.links(changes["defined"])
        assert [(link.metric_key, link.state, link.body["eventKey"]) for link in links] == [
            (key, state, expected) for key in keys
        ]
        calls = world.calls()
        assert calls.count("POST demo") == (2 if dies_in == "defined" else 0)
        assert len(calls) <= 2 + 2  # each of the two, and at most once more to be sure
