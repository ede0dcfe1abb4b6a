"""What each change makes of the metrics, and with which calls."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from connector.event_types import NO_VALUE, Change, ChangeKind, EventType, Value
from connector.policy import collision_key
from connector.store.links import LinkState
from tests.integration.delivery.world import World

SIGNUP = EventType(id="evt_1", key="signup_completed", name="Signup Completed", description="Someone signs up.")
REGISTRATION = replace(SIGNUP, key="registration_completed", name="Registration Completed")
ORDER = EventType(id="evt_2", key="order", name="Order", value=Value("revenue", unit="USD"))
BODY = {"key": "signup-completed", "kind": "custom", "isNumeric": False}


def change(kind: ChangeKind, event_type: EventType = SIGNUP, **fields: Any) -> Change:
    return Change(kind, event_type, **fields)


def defined(event_type: EventType = SIGNUP, **fields: Any) -> Change:
    return change(ChangeKind.DEFINED, event_type, **fields)


RENAMED = change(ChangeKind.RENAMED, REGISTRATION, previous_key="signup_completed", previous_name="Signup Completed")


def test_a_definition_is_one_create(world: World) -> None:
    record = world.deliver(defined())

    assert record.outcome == "created"
    assert world.calls() == ["POST demo"]
    metric = world.metrics()["signup-completed"]
    assert (metric["name"], metric["eventKey"]) == ("Signup Completed", "signup_completed")
    assert record.result == {
        "metrics": [
            {
                "key": "signup-completed",
                "measure": "occurrence",
                "url": f"{world.sandbox.url}/projects/demo/metrics/signup-completed",
            }
        ]
    }


def test_a_rename_is_one_patch_of_name_and_event_key_and_the_metric_key_stays(world: World) -> None:
    world.deliver(defined())
    world.requests()

    record = world.deliver(RENAMED)

    (call,) = world.requests()
    assert record.outcome == "renamed"
    assert (call["method"], call["path"]) == ("PATCH", "/api/v2/metrics/demo/signup-completed")
    assert call["body"]["patch"] == [
        {"op": "replace", "path": "/name", "value": "Registration Completed"},
        {"op": "replace", "path": "/eventKey", "value": "registration_completed"},
    ]
    assert list(world.metrics()) == ["signup-completed"]


@pytest.mark.parametrize("kind", [ChangeKind.DEFINED, ChangeKind.RENAMED, ChangeKind.UPDATED, ChangeKind.RESTORED])
def test_what_is_so_already_needs_no_call(world: World, kind: ChangeKind) -> None:
    world.deliver(defined())
    world.calls()

    assert world.deliver(change(kind)).outcome == "unchanged"
    assert world.calls() == []


def test_an_update_of_the_description_is_one_operation(world: World) -> None:
    world.deliver(defined())
    world.requests()

    record = world.deliver(change(ChangeKind.UPDATED, replace(SIGNUP, description="Someone new signs up.")))

    (call,) = world.requests()
    assert record.outcome == "updated"
    assert [(operation["op"], operation["path"]) for operation in call["body"]["patch"]] == [
        ("replace", "/description")
    ]


def test_what_a_person_edited_stays_until_the_source_changes_that_very_field(world: World) -> None:
    world.deliver(defined())
    world.edit("signup-completed", name="Sign-ups (do not touch)")

    record = world.deliver(change(ChangeKind.UPDATED, replace(SIGNUP, description="Someone new signs up.")))
    assert world.metrics()["signup-completed"]["name"] == "Sign-ups (do not touch)"
    assert "notes" not in record.result

    world.deliver(RENAMED)
    assert world.metrics()["signup-completed"]["name"] == "Registration Completed"


def test_archive_and_restore_are_one_patch_each(world: World) -> None:
    world.deliver(defined())
    world.calls()

    assert world.deliver(change(ChangeKind.ARCHIVED)).outcome == "archived"
    assert world.metrics()["signup-completed"]["archived"]
    assert world.deliver(change(ChangeKind.RESTORED)).outcome == "restored"
    assert not world.metrics()["signup-completed"]["archived"]
    assert world.calls() == ["PATCH demo/signup-completed"] * 2


def test_a_rename_of_an_archived_event_type_leaves_the_metric_archived(world: World) -> None:
    world.deliver(defined())
    world.deliver(change(ChangeKind.ARCHIVED))
    world.calls()

    assert world.deliver(RENAMED).outcome == "renamed"
    assert world.calls() == ["PATCH demo/signup-completed"]
    metric = world.metrics()["signup-completed"]
    assert (metric["archived"], metric["eventKey"]) == (True, "registration_completed")


def test_a_deletion_archives_unless_deleting_is_opted_in(world: World) -> None:
    world.deliver(defined())

    assert world.deliver(change(ChangeKind.DELETED)).outcome == "archived"
    assert world.metrics()["signup-completed"]["archived"]


def test_an_opted_in_deletion_deletes_with_no_other_change(world: World) -> None:
    deleting = world.connect(on_delete="delete")
    world.deliver(defined(), to=deleting)
    world.calls()

    record = world.deliver(change(ChangeKind.DELETED, replace(SIGNUP, description="Gone.")), to=deleting)

    assert record.outcome == "deleted"
    assert record.result["metrics"] == []
    assert world.calls() == ["GET demo/signup-completed?expand=experimentCount", "DELETE demo/signup-completed"]
    assert world.metrics() == {}


def test_a_metric_in_use_that_is_archived_already_is_left_as_it_is(world: World) -> None:
    deleting = world.connect(on_delete="delete")
    world.deliver(defined(), to=deleting)
    world.deliver(change(ChangeKind.ARCHIVED), to=deleting)
    world.edit("signup-completed", experimentCount=1)
    world.calls()

    assert world.deliver(change(ChangeKind.DELETED), to=deleting).outcome == "archived"
    assert world.calls() == ["GET demo/signup-completed?expand=experimentCount"]


@pytest.mark.parametrize("count", ["experimentCount", "activeExperimentCount", "activeGuardedRolloutCount"])
def test_a_metric_in_use_is_archived_and_not_deleted_with_a_note(world: World, count: str) -> None:
    deleting = world.connect(on_delete="delete")
    world.deliver(defined(), to=deleting)
    world.edit("signup-completed", **{count: 1})

    record = world.deliver(change(ChangeKind.DELETED), to=deleting)

    assert record.outcome == "archived"
    assert record.result["notes"] == [
        'The metric "signup-completed" is used by an experiment or rollout: archived instead.'
    ]
    assert world.metrics()["signup-completed"]["archived"]


def test_what_was_deleted_and_archived_instead_comes_back_with_a_restore(world: World) -> None:
    deleting = world.connect(on_delete="delete")
    world.deliver(defined(), to=deleting)
    world.edit("signup-completed", activeExperimentCount=1)
    world.deliver(change(ChangeKind.DELETED), to=deleting)

    assert world.deliver(change(ChangeKind.RESTORED), to=deleting).outcome == "restored"
    assert list(world.metrics()) == ["signup-completed"]
    assert not world.metrics()["signup-completed"]["archived"]


def test_a_metric_with_the_same_key_and_event_key_is_adopted_as_it_is(world: World) -> None:
    world.sandbox.state.book("demo").create(BODY | {"eventKey": "signup_completed", "name": "Ours since 2019"})

    assert world.deliver(defined()).outcome == "adopted"
    assert world.calls() == ["POST demo", "GET demo/signup-completed"]
    assert world.metrics()["signup-completed"]["name"] == "Ours since 2019"
    assert world.deliver(RENAMED).outcome == "renamed"
    assert list(world.metrics()) == ["signup-completed"]


def test_an_archived_metric_is_adopted_and_restored(world: World) -> None:
    world.sandbox.state.book("demo").create(BODY | {"eventKey": "signup_completed"})
    world.edit("signup-completed", archived=True)

    assert world.deliver(defined()).outcome == "adopted"
    assert not world.metrics()["signup-completed"]["archived"]


def test_a_metric_with_the_same_key_and_another_event_key_is_left_alone(world: World) -> None:
    world.sandbox.state.book("demo").create(BODY | {"eventKey": "something_else"})

    record = world.deliver(defined())

    theirs, ours = world.metrics().values()
    assert record.outcome == "created"
    assert record.result["notes"] == ['The project has another metric with the key "signup-completed".']
    assert (theirs["eventKey"], ours["eventKey"]) == ("something_else", "signup_completed")
    assert ours["key"].startswith("signup-completed-")
    assert record.result["metrics"][0]["key"] == ours["key"]


def test_two_event_types_with_the_same_slug_get_a_metric_each(world: World) -> None:
    world.deliver(defined())
    twin = EventType(id="evt_9", key="Signup Completed", name="Signup Completed")

    record = world.deliver(defined(twin))

    ours, theirs = world.metrics().values()
    assert record.result["notes"] == ['The metric key "signup-completed" belongs to another event type.']
    assert (ours["eventKey"], theirs["eventKey"]) == ("signup_completed", "Signup Completed")
    assert world.calls() == ["POST demo", "POST demo"]


def test_where_all_fallbacks_are_taken_the_change_is_parked_and_nothing_is_touched(world: World) -> None:
    fallback = collision_key("signup-completed", "evt_1")
    keys = ["signup-completed", fallback, collision_key(fallback, world.connection.id)]
    for key in keys:
        world.sandbox.state.book("demo").create(BODY | {"key": key, "eventKey": "something_else"})
    before = world.metrics()

    record = world.deliver(defined())

    assert (record.outcome, record.result["code"]) == ("parked", "launchdarkly_key_exists")
    assert world.metrics() == before


def test_a_number_gives_two_metrics_and_its_unit_is_patched_in_one_of_them(world: World) -> None:
    world.deliver(defined(ORDER))
    assert list(world.metrics()) == ["order", "order-average"]
    world.calls()

    world.deliver(change(ChangeKind.UPDATED, replace(ORDER, value=Value("revenue", unit="EUR"))))

    assert world.calls() == ["PATCH demo/order-average"]
    assert world.metrics()["order-average"]["unit"] == "EUR"


def test_a_number_that_goes_takes_its_metric_to_the_archive_and_back(world: World) -> None:
    world.deliver(defined(ORDER))

    assert world.deliver(change(ChangeKind.UPDATED, replace(ORDER, value=NO_VALUE))).outcome == "archived"
    assert [metric["archived"] for metric in world.metrics().values()] == [False, True]
    assert world.deliver(change(ChangeKind.UPDATED, ORDER)).outcome == "restored"
    assert [metric["archived"] for metric in world.metrics().values()] == [False, False]


@pytest.mark.parametrize("first", [ChangeKind.ARCHIVED, ChangeKind.DELETED])
def test_what_is_gone_before_it_is_defined_ends_as_an_archived_metric(world: World, first: ChangeKind) -> None:
    gone = change(first, occurred_at=datetime(2026, 11, 2, tzinfo=UTC))
    definition = defined(occurred_at=datetime(2026, 11, 1, tzinfo=UTC))

    assert world.deliver(gone).outcome == "unchanged"
    assert world.calls() == []
    assert world.deliver(definition).outcome == "created"
    assert world.metrics()["signup-completed"]["archived"]


def test_a_late_older_change_is_superseded_without_a_call(world: World) -> None:
    world.deliver(defined(REGISTRATION, occurred_at=datetime(2026, 11, 2, tzinfo=UTC)))
    world.calls()

    record = world.deliver(defined(SIGNUP, occurred_at=datetime(2026, 11, 1, tzinfo=UTC)))

    assert record.outcome == "superseded"
    assert world.calls() == []
    assert world.metrics()["registration-completed"]["name"] == "Registration Completed"


def test_a_rule_that_skips_is_named_and_makes_no_call(world: World) -> None:
    skipping = world.new_applier(rules='[[rules]]\nmatch = "signup_*"\nskip = true\n')

    record = world.deliver(defined(), applier=skipping)

    assert (record.outcome, record.result) == ("skipped", {"reason": "rules, rule 1"})
    assert world.calls() == []


def test_the_rules_of_the_connection_have_the_last_word(world: World) -> None:
    counting = world.connect(rules='[[rules]]\nmatch = "signup_*"\nmeasures = ["count"]\nskip = false\n')
    skipping = world.new_applier(rules='[[rules]]\nmatch = "signup_*"\nskip = true\n')

    world.deliver(defined(), to=counting, applier=skipping)

    assert list(world.metrics()) == ["signup-completed-count"]


def test_a_connection_that_was_removed_skips_what_still_waits(world: World) -> None:
    delivery_id = world.accept(defined())
    world.connections.remove(world.connection)

    world.work()

    record = world.record(delivery_id)
    assert (record.outcome, record.result) == ("skipped", {"reason": "The connection was removed."})
    assert world.calls() == []


class TestAMetricThatAPersonDeleted:
    @pytest.fixture(autouse=True)
    def _gone(self, world: World) -> None:
        world.deliver(defined())
        world.sandbox.state.book("demo").delete("signup-completed")
        world.calls()

    def test_is_made_anew_by_a_rename(self, world: World) -> None:
        record = world.deliver(RENAMED)

        assert record.outcome == "created"
        assert record.result["notes"] == ['The metric "signup-completed" was no longer in LaunchDarkly.']
        assert world.calls() == ["PATCH demo/signup-completed", "POST demo"]
        assert world.metrics()["signup-completed"]["eventKey"] == "registration_completed"

    def test_is_not_made_anew_to_be_archived_but_by_the_restore_after_it(self, world: World) -> None:
        record = world.deliver(change(ChangeKind.ARCHIVED))

        assert record.outcome == "archived"
        assert record.result["notes"] == ['The metric "signup-completed" was no longer in LaunchDarkly.']
        assert world.calls() == ["PATCH demo/signup-completed"]
        assert world.metrics() == {}
        assert world.deliver(change(ChangeKind.RESTORED)).outcome == "created"
        assert not world.metrics()["signup-completed"]["archived"]

    def test_is_made_anew_by_a_replay_which_reads_back(self, world: World) -> None:
        world.replay()

        assert world.calls() == ["GET demo/signup-completed", "POST demo"]
        assert list(world.metrics()) == ["signup-completed"]

    def test_needs_no_deletion(self, world: World) -> None:
        deleting = world.connect("other", on_delete="delete")
        world.deliver(defined(), to=deleting)
        world.sandbox.state.book("other").delete("signup-completed")

        assert world.deliver(change(ChangeKind.DELETED), to=deleting).outcome == "deleted"
        assert world.metrics("other") == {}


def test_a_replay_restores_what_a_person_archived(world: World) -> None:
    world.deliver(defined())
    world.edit("signup-completed", archived=True)
    world.calls()

    world.replay()

    assert world.calls() == ["GET demo/signup-completed", "PATCH demo/signup-completed"]
    assert not world.metrics()["signup-completed"]["archived"]


def test_a_field_that_launchdarkly_passes_over_is_noted(world: World) -> None:
    book = world.sandbox.state.book("demo")
    create = book.create
    book.create = lambda body, member=None: create({**body, "description": "Cut."}, member)  # type: ignore[assignment,dict-item]

    assert world.deliver(defined()).result["notes"] == ["LaunchDarkly did not apply: description."]


def test_every_call_is_written_down_with_its_attempt(world: World) -> None:
    delivery_id = world.accept(defined(ORDER))

    world.work()

    (attempt,) = world.attempts(delivery_id)
    assert (attempt.number, attempt.code, attempt.message) == (1, "created", None)
    assert [(call["method"], call["status"]) for call in attempt.calls] == [("POST", 201), ("POST", 201)]
    assert [link.state for link in world.links(defined(ORDER))] == [LinkState.LIVE, LinkState.LIVE]
