"""What fails on the way is settled by reading back, waits as long as LaunchDarkly asks, or waits for a person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection as Tx

from connector.delivery.retrying import GIVE_UP, WAITS
from connector.event_types import NO_VALUE, Change, ChangeKind, EventType, Value
from connector.store import connections
from connector.store.connections import Connection, ConnectionState
from connector.store.history import ChangeRecord
from connector.store.links import LinkState
from connector.store.vault import Vault, generate_key
from tests.integration.delivery.world import World

SIGNUP = EventType(id="evt_1", key="signup", name="Signup")
ORDER = EventType(id="evt_2", key="order", name="Order", value=Value("revenue", unit="USD"))
DEFINED = Change(ChangeKind.DEFINED, SIGNUP)
RENAMED = Change(ChangeKind.RENAMED, replace(SIGNUP, key="registration", name="Registration"), previous_key="signup")


@pytest.mark.parametrize(
    ("fault", "calls"),
    [
        ("answer-lost", ["POST demo", "GET demo/signup"]),
        ("garbage", ["POST demo", "GET demo/signup"]),
        ("reset", ["POST demo", "GET demo/signup", "POST demo"]),
        ("error-500", ["POST demo", "GET demo/signup", "POST demo"]),
        ("error-503", ["POST demo", "GET demo/signup", "POST demo"]),
        ("conflict", ["POST demo", "POST demo"]),
    ],
)
def test_a_create_that_failed_ends_in_one_metric(world: World, fault: str, calls: list[str]) -> None:
    world.play(fault, method="POST")

    waiting = world.deliver(DEFINED)
    assert (waiting.state, waiting.due_at) == ("pending", world.time.now + WAITS[0])
    record = world.try_again(waiting)

    assert record.outcome == "created"
    assert world.calls() == calls
    assert list(world.metrics()) == ["signup"]


@pytest.mark.parametrize("fault", ["answer-lost", "reset", "error-503", "conflict", "garbage"])
@pytest.mark.parametrize("kind", [ChangeKind.RENAMED, ChangeKind.ARCHIVED])
def test_a_patch_that_failed_is_made_again(world: World, fault: str, kind: ChangeKind) -> None:
    world.deliver(DEFINED)
    world.calls()
    world.play(fault, method="PATCH")

    record = world.try_again(world.deliver(replace(RENAMED, kind=kind)))

    assert record.outcome == str(kind)
    assert world.calls() == ["PATCH demo/signup", "PATCH demo/signup"] + (
        ["PATCH demo/signup"] if kind is ChangeKind.ARCHIVED else []  # it renames as well
    )
    metric = world.metrics()["signup"]
    assert (metric["eventKey"], metric["archived"]) == ("registration", kind is ChangeKind.ARCHIVED)


def test_a_key_that_is_taken_and_then_free_is_tried_again(world: World) -> None:
    book = world.sandbox.state.book("demo")
    book.create({"key": "signup", "kind": "custom", "isNumeric": False, "eventKey": "something_else"})
    clearing = world.tapped_session(after=lambda: book.delete("signup") if "signup" in world.metrics() else None)

    record = world.try_again(world.deliver(DEFINED, applier=world.new_applier(session=clearing)))

    assert record.outcome == "created"
    assert world.calls() == ["POST demo", "GET demo/signup", "GET demo/signup", "POST demo"]
    assert list(world.metrics()) == ["signup"]


def test_what_another_runner_has_taken_over_is_not_written_twice(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    delivery_id = world.accept(DEFINED)
    (overdue,) = world.claim()
    world.time.now += 301
    world.work()

    world.applier.apply(overdue)

    assert [attempt.code for attempt in world.attempts(delivery_id)] == ["created"]
    assert "was taken over by another runner" in caplog.text
    assert list(world.metrics()) == ["signup"]


@pytest.mark.parametrize(
    ("fault", "calls"),
    [
        ("answer-lost", ["GET", "DELETE", "GET"]),
        ("error-503", ["GET", "DELETE", "GET", "DELETE"]),
    ],
)
def test_a_deletion_that_failed_is_settled_by_reading_back(world: World, fault: str, calls: list[str]) -> None:
    deleting = world.connect(on_delete="delete")
    world.deliver(DEFINED, to=deleting)
    world.calls()
    world.play(fault, method="DELETE")

    record = world.try_again(world.deliver(replace(DEFINED, kind=ChangeKind.DELETED), to=deleting))

    assert record.outcome == "deleted"
    assert [call.split()[0] for call in world.calls()] == calls
    assert world.metrics() == {}


@pytest.mark.parametrize(("fault", "reads_back"), [("answer-lost", True), ("error-503", True), ("conflict", False)])
def test_when_only_the_second_of_two_metrics_fails_the_first_is_not_made_again(
    world: World, fault: str, reads_back: bool
) -> None:
    waiting_for_second = Change(ChangeKind.DEFINED, ORDER)
    world.deliver(Change(ChangeKind.DEFINED, replace(ORDER, value=None)))  # its first metric
    world.play(fault, method="POST")

    record = world.try_again(world.deliver(waiting_for_second))

    assert record.outcome == "created"
    assert list(world.metrics()) == ["order", "order-average"]
    assert ("GET demo/order-average" in world.calls()) is reads_back


@pytest.mark.parametrize("lost", [1, 2])
def test_of_one_definition_with_two_metrics_each_is_made_once(world: World, lost: int) -> None:
    world.play("answer-lost", method="POST", count=lost)

    record = world.deliver(Change(ChangeKind.DEFINED, ORDER))
    while record.state == "pending":
        record = world.try_again(record)

    assert (record.outcome, record.attempts) == ("created", 1 + lost)
    assert list(world.metrics()) == ["order", "order-average"]
    assert world.calls().count("POST demo") == 2


class TestRateLimits:
    @pytest.mark.parametrize("family", ["ip", "global", "route", "token"])
    def test_nothing_is_called_before_launchdarkly_says_so(self, world: World, family: str) -> None:
        started = world.time.now
        world.play(f"rate-limit-{family}", seconds=40)

        waiting = world.deliver(DEFINED)

        assert started + 40 <= waiting.due_at <= started + 50
        assert world.calls() == ["POST demo"]
        world.time.now = waiting.due_at - 0.5
        world.work()
        assert world.calls() == []
        assert world.try_again(waiting).outcome == "created"
        assert world.calls() == ["POST demo"]  # a refusal has no effect: nothing is to be read back

    def test_a_throttled_customer_does_not_slow_another(self, world: World) -> None:
        other = world.connect("other")
        world.play("rate-limit-ip", seconds=40, path="*/demo*")

        assert world.deliver(DEFINED).state == "pending"
        assert world.deliver(DEFINED, to=other).outcome == "created"


class TestAPausedConnection:
    def test_is_paused_by_a_key_that_is_wrong_and_resumed_by_one_that_is_good(self, world: World) -> None:
        world.connections.set_key(world.connection, "api-revoked")

        accepted = [world.accept(DEFINED), world.accept(RENAMED)]
        world.work()
        accepted.append(world.accept(RENAMED))

        held, behind, after = [world.record(delivery_id) for delivery_id in accepted]
        assert (held.held, behind.held, after.held) == (True, True, True)
        assert held.result["code"] == "launchdarkly_unauthorized"
        assert world.connection_now().state is ConnectionState.PAUSED
        assert world.connection_now().state_code == "launchdarkly_unauthorized"
        assert world.calls() == ["POST demo"]

        world.connections.set_key(world.connection, "api-fresh")
        world.work()

        assert world.connection_now().state is ConnectionState.ACTIVE
        assert [world.record(delivery_id).outcome for delivery_id in accepted] == ["created", "renamed", "unchanged"]
        assert world.metrics()["signup"]["eventKey"] == "registration"

    @pytest.mark.parametrize(
        ("project", "key", "code"),
        [("demo", "api-reader", "launchdarkly_forbidden"), ("nowhere", "api-demo", "launchdarkly_not_found")],
    )
    def test_is_paused_where_the_token_may_not_or_the_project_is_missing(
        self, world: World, project: str, key: str, code: str
    ) -> None:
        broken = world.connect(project, key=key)

        record = world.deliver(DEFINED, to=broken)

        assert (record.held, record.result["code"]) == (True, code)
        with world.database.read() as tx:
            paused = connections.get(tx, broken.id)
        assert paused is not None
        assert (paused.state, paused.state_code) == (ConnectionState.PAUSED, code)
        assert paused.state_reason

    def test_is_paused_where_the_project_went_since(self, world: World) -> None:
        world.deliver(DEFINED)
        world.play("answer-lost", method="POST")
        unsettled = world.deliver(Change(ChangeKind.DEFINED, ORDER))
        del world.sandbox.state.books["demo"]

        assert world.deliver(RENAMED).held
        assert world.connection_now().state_code == "launchdarkly_not_found"

        world.connections.set_key(world.connection, "api-fresh")
        assert world.try_again(unsettled).held

    def test_does_not_hold_up_another(self, world: World) -> None:
        broken = world.connect("nowhere")

        world.deliver(DEFINED, to=broken)

        assert world.deliver(DEFINED).outcome == "created"

    def test_forgets_nothing_of_what_was_made_before_the_key_was_revoked(self, world: World) -> None:
        keys = world.sandbox.state.keys
        revoking = world.tapped_session(after=lambda: keys.pop("api-demo", None))

        held = world.deliver(Change(ChangeKind.DEFINED, ORDER), applier=world.new_applier(session=revoking))
        assert held.held
        assert list(world.metrics()) == ["order"]

        world.connections.set_key(world.connection, "api-fresh")
        world.work()

        assert world.record_of(held.id).outcome == "created"
        assert list(world.metrics()) == ["order", "order-average"]
        assert world.calls() == ["POST demo", "POST demo", "POST demo"]

    def test_is_not_held_by_an_attempt_with_the_key_before(self, world: World) -> None:
        """The person was faster than the attempt: its refusal says nothing of the new key."""
        world.connections.set_key(world.connection, "api-revoked")
        delivery_id = world.accept(DEFINED)
        world.work(world.new_applier(database=_KeySetMeanwhile(world)))

        assert world.connection_now().state is ConnectionState.ACTIVE
        assert world.record(delivery_id).outcome == "created"


class _KeySetMeanwhile:
    """The world's database, where a person sets a good key just after the first attempt has read the old one."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._keys = ["api-fresh"]
        self.read = world.database.read

    def write(self, work: Callable[[Tx], Any], **how: Any) -> Any:
        result = self._world.database.write(work, **how)
        if self._keys:
            self._world.connections.set_key(self._world.connection, self._keys.pop())
        return result


class TestWhatAPersonMustMend:
    def test_is_parked_with_the_advice_and_holds_up_nobody_else(self, world: World) -> None:
        rules = world.new_applier(rules='[[rules]]\nmatch = "signup"\nanalysis_units = ["organisation"]\n')

        parked = world.deliver(DEFINED, applier=rules)
        other = world.deliver(Change(ChangeKind.DEFINED, ORDER), applier=rules)

        assert (parked.state, parked.outcome) == ("parked", "parked")
        assert parked.result["code"] == "launchdarkly_invalid"
        assert '"organisation" available for experiments' in parked.result["next_step"]
        assert other.outcome == "created"

    def test_is_applied_by_a_replay_once_it_is_mended(self, world: World) -> None:
        rules = world.new_applier(rules='[[rules]]\nmatch = "signup"\nanalysis_units = ["organisation"]\n')
        parked = world.deliver(DEFINED, applier=rules)

        world.replay()

        assert world.record_of(parked.id).outcome == "created"

    def test_is_a_change_that_failed_for_three_days(self, world: World) -> None:
        record = give_up(world, DEFINED)

        assert (record.outcome, record.attempts) == ("parked", len(WAITS))
        assert record.result["code"] == "launchdarkly_server_error"
        assert record.result["next_step"] == "Given up after 11 attempts; replay the delivery to try again."

    def test_is_not_a_change_that_was_only_held_for_days_and_then_met_one_failure(self, world: World) -> None:
        world.connections.set_key(world.connection, "api-revoked")
        held = world.deliver(DEFINED)
        world.time.now += 2 * GIVE_UP
        world.play("error-503")

        world.connections.set_key(world.connection, "api-fresh")
        world.work()

        assert world.try_again(world.record_of(held.id)).outcome == "created"


def give_up(world: World, change: Change, *, to: Connection | None = None) -> ChangeRecord:
    """Let LaunchDarkly fail for three days."""
    world.play("error-503", count=None)
    record = world.deliver(change, to=to)
    world.time.now += GIVE_UP
    while record.state == "pending":
        record = world.try_again(record)
    world.sandbox.state.faults.set([])
    world.calls()
    return record


class TestACreateOfWhichNobodyKnowsWhetherItHappened:
    def test_keeps_its_key_reserved(self, world: World) -> None:
        world.play("error-503", method="POST")

        world.deliver(DEFINED)

        (link,) = world.links(DEFINED)
        assert (link.metric_key, link.state) == ("signup", LinkState.CREATING)

    def test_is_settled_by_a_replay(self, world: World) -> None:
        record = give_up(world, DEFINED)

        world.replay()

        assert world.record_of(record.id).outcome == "created"
        assert world.calls() == ["GET demo/signup", "POST demo"]

    def test_touches_nobody_elses_metric_when_its_measure_is_not_wanted_any_more(self, world: World) -> None:
        world.sandbox.state.book("demo").create(
            {"key": "order-average", "kind": "custom", "isNumeric": False, "eventKey": "something_else"}
        )
        world.deliver(Change(ChangeKind.DEFINED, replace(ORDER, value=None)))
        give_up(world, Change(ChangeKind.UPDATED, ORDER))

        world.deliver(Change(ChangeKind.UPDATED, replace(ORDER, value=NO_VALUE)))

        assert world.calls() == ["GET demo/order-average"]
        assert not world.metrics()["order-average"]["archived"]

    def test_is_settled_before_a_deletion_which_then_has_nothing_to_delete(self, world: World) -> None:
        deleting = world.connect(on_delete="delete")
        give_up(world, DEFINED, to=deleting)

        record = world.deliver(Change(ChangeKind.DELETED, SIGNUP), to=deleting)

        assert record.outcome == "unchanged"
        assert world.calls() == ["GET demo/signup"]


def test_a_stored_key_that_nothing_opens_waits_and_says_no_secret(world: World) -> None:
    world.vault = Vault([generate_key()])

    record = world.deliver(DEFINED, applier=world.new_applier())

    assert (record.state, record.held, record.result["code"]) == ("pending", False, "internal_error")
    assert "api-demo" not in str(record.result)
    assert world.connection_now().state is ConnectionState.ACTIVE
