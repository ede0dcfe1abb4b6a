"""Drift: what the source owns is repaired, what people own is kept, and the plan says which is which."""

from __future__ import annotations

from typing import Any

import pytest

from connector.catalogue.drift import Found
from connector.catalogue.planning import Action, ActionKind
from connector.event_types import Change, ChangeKind, EventType
from tests.unit.catalogue.test_planning import ORDER, SIGNUP, catalogue, held, live, only, planned, world


def drifted(**edits: Any) -> Action:
    there = held(SIGNUP)
    return only(planned(world(there, has=live(there, **edits)), catalogue(SIGNUP)))


class TestWhatTheSourceOwns:
    def test_a_metric_that_was_deleted_is_made_again(self) -> None:
        action = only(planned(world(held(SIGNUP), has={}), catalogue(SIGNUP)))
        assert (action.kind, action.code, action.look) == (ActionKind.REPAIR, Found.DELETED, True)
        assert [(step.key, step.step) for step in action.metrics] == [("signup", "create")]

    def test_a_metric_that_was_archived_is_restored(self) -> None:
        action = drifted(archived=True)
        assert (action.kind, action.code, action.look) == (ActionKind.REPAIR, Found.ARCHIVED, True)
        assert [step.step for step in action.metrics] == ["restore"]

    @pytest.mark.parametrize(
        ("field", "value", "ours"),
        [("eventKey", "other", "signup"), ("unitAggregationType", "sum", "average"), ("analysisType", "x", "mean")],
    )
    def test_what_it_measures_is_set_again(self, field: str, value: Any, ours: Any) -> None:
        action = drifted(**{field: value})
        assert (action.kind, action.code, action.look) == (ActionKind.REPAIR, Found.REDEFINED, True)
        assert action.metrics[-1].fields[field] == (value, ours)

    def test_a_metric_that_was_made_numeric_loses_its_unit_with_it(self) -> None:
        action = drifted(isNumeric=True, unit="USD")
        assert action.metrics[-1].fields == {"isNumeric": (True, False), "unit": ("USD", None)}

    def test_the_change_behind_a_repair_states_nothing_that_could_overtake_a_webhook(self) -> None:
        assert drifted(archived=True).change == Change(ChangeKind.UPDATED, EventType(id="1"))

    def test_without_any_catalogue_drift_is_found_all_the_same(self) -> None:
        there = held(SIGNUP)
        found = planned(world(there, has=live(there, eventKey="other")), None)
        assert (only(found).kind, len(found.pending)) == (ActionKind.REPAIR, 1)

    def test_of_several_metrics_only_the_broken_one_is_repaired(self) -> None:
        there = held(ORDER)
        there_now = live(there)
        del there_now["order-average"]
        action = only(planned(world(there, has=there_now), catalogue(ORDER)))
        assert [(step.key, step.step) for step in action.metrics] == [("order-average", "create")]


class TestWhatPeopleOwn:
    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("name", "Our sign-ups"),
            ("description", "Mine."),
            ("tags", ["standard", "theirs"]),
            ("successCriteria", "LowerThanBaseline"),
            ("eventDefault", {"disabled": True, "value": 0}),
        ],
    )
    def test_an_edit_is_kept_and_shown(self, field: str, value: Any) -> None:
        action = drifted(**{field: value})
        assert (action.kind, action.code, action.kind.pending) == (ActionKind.KEEP, Found.EDITED, False)
        assert action.metrics[0].fields[field][1] == value

    def test_the_order_of_tags_is_no_edit(self) -> None:
        there = held(EventType(id="1", key="signup", tags=("b", "a")))
        shuffled = live(there, tags=["a", "b", "standard"])
        assert planned(world(there, has=shuffled), None).counts == {"unchanged": 1}

    def test_it_stays_when_the_source_changes_another_field(self) -> None:
        there = held(SIGNUP)
        where = world(there, has=live(there, name="Our sign-ups"))
        action = only(planned(where, catalogue(EventType(id="1", key="signup", name="Sign up", description="Else."))))
        steps = {step.step: set(step.fields) for step in action.metrics}
        assert steps == {"keep": {"name"}, "update": {"description"}}

    def test_it_goes_when_the_source_changes_that_very_field(self) -> None:
        there = held(SIGNUP)
        where = world(there, has=live(there, name="Our sign-ups"))
        action = only(planned(where, catalogue(EventType(id="1", key="signup", name="Joined", description="Joined."))))
        assert [(step.step, step.fields) for step in action.metrics] == [
            ("update", {"name": ("Our sign-ups", "Joined")})
        ]

    def test_a_repair_does_not_touch_it(self) -> None:
        action = drifted(name="Our sign-ups", eventKey="other")
        steps = {step.step: set(step.fields) for step in action.metrics}
        assert (action.kind, steps) == (ActionKind.REPAIR, {"keep": {"name"}, "update": {"eventKey"}})

    def test_a_metric_that_somebody_wants_although_the_source_has_archived_it_stays(self) -> None:
        there = held(SIGNUP, kind=ChangeKind.ARCHIVED)
        action = only(planned(world(there, has=live(there, archived=False)), None))
        assert (action.kind, action.code) == (ActionKind.KEEP, Found.RESTORED)

    def test_an_archived_metric_that_was_deleted_is_not_missed(self) -> None:
        there = held(SIGNUP, kind=ChangeKind.ARCHIVED)
        assert planned(world(there, has={}), None).counts == {"unchanged": 1}


def test_another_metric_under_our_key_is_a_conflict_and_left_alone() -> None:
    action = drifted(kind="pageview")
    assert (action.kind, action.code, action.kind.pending) == (ActionKind.CONFLICT, Found.REPLACED, False)
