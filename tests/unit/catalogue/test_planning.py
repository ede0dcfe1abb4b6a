"""A plan: what a catalogue asks for, against what is known and what LaunchDarkly has."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from connector.catalogue.planning import Action, ActionKind, Plan, World, plan
from connector.catalogue.plans import PlanMalformed
from connector.delivery.merging import Clock, Merged, merge
from connector.event_types import Catalogue, Change, ChangeKind, EventType, Value
from connector.policy import PolicyError, Rules, Source, plan_metrics
from connector.store.links import Link, LinkState
from connector.store.syncs import Held

SOURCE = Source(partner="standard", partner_title="Standard")
BEFORE, NOW, LATER = 1_000_000.0, 2_000_000.0, 3_000_000.0
SIGNUP = EventType(id="1", key="signup", name="Sign up", description="Joined.")
ORDER = EventType(id="2", key="order", name="Order", value=Value("total", unit="USD"))


def held(
    event_type: EventType, *, at: float = BEFORE, kind: ChangeKind = ChangeKind.DEFINED, made: bool = True
) -> Held:
    """An event type as a webhook brought it, and its metrics where they were `made`."""
    registers: dict[str, Any] = {}
    for each in dict.fromkeys((ChangeKind.DEFINED, kind)):
        clock = Clock(at, -1, "msg", list(ChangeKind).index(each))
        registers = dict(merge(registers, Change(each, event_type), clock).registers)
    state = LinkState.LIVE if kind is ChangeKind.DEFINED else LinkState.ARCHIVED
    merged = Merged(registers)
    planned = plan_metrics(merged.event_type, SOURCE, Rules(), key_hint=merged.key_hint).metrics
    return Held(registers, [Link(each.measure, each.key, each.body, state) for each in planned] if made else [])


def live(*there: Held, **edits: Any) -> dict[str, dict[str, Any]]:
    """The metrics of `there` as LaunchDarkly lists them, with `edits` of all of them."""
    return {
        link.metric_key: {
            **link.body,
            "eventDefault": {**link.body["eventDefault"], "value": 0},
            "archived": link.state is LinkState.ARCHIVED,
            **edits,
        }
        for each in there
        for link in each.links
    }


def world(*there: Held, has: dict[str, dict[str, Any]] | None = None, **settings: Any) -> World:
    defaults = {"source": SOURCE, "rules": Rules(), "delete": False, "version": "1"}
    return World("con_1", held=there, live=live(*there) if has is None else has, **{**defaults, **settings})


def catalogue(*event_types: EventType, complete: bool = True, at: float = NOW) -> Catalogue:
    return Catalogue(event_types, complete=complete, occurred_at=datetime.fromtimestamp(at, UTC))


def planned(where: World, said: Catalogue | None, **options: Any) -> Plan:
    return plan(where, said, made_at=NOW, **options)


def only(found: Plan) -> Action:
    (action,) = found.actions
    return action


class TestWhatTheSourceSays:
    def test_nothing_new_is_nothing_to_do(self) -> None:
        found = planned(world(held(SIGNUP), held(ORDER)), catalogue(SIGNUP, ORDER))
        assert (found.actions, found.pending, found.unchanged, found.counts) == ((), (), 2, {"unchanged": 2})

    def test_what_is_new_is_created_with_every_metric_that_it_gets(self) -> None:
        action = only(planned(world(), catalogue(ORDER)))
        assert (action.kind, action.label, action.code) == (ActionKind.CREATE, "2", "not_there")
        assert [(step.key, step.measure, step.step) for step in action.metrics] == [
            ("order", "occurrence", "create"),
            ("order-average", "value-average", "create"),
        ]
        assert action.change == Change(ChangeKind.DEFINED, ORDER, occurred_at=datetime.fromtimestamp(NOW, UTC))

    def test_another_name_and_key_are_a_rename_field_by_field(self) -> None:
        action = only(planned(world(held(SIGNUP)), catalogue(replace(SIGNUP, key="joined", name="Joined"))))
        assert action.kind is ActionKind.RENAME
        (step,) = action.metrics
        assert (step.key, step.fields) == ("signup", {"name": ("Sign up", "Joined"), "eventKey": ("signup", "joined")})

    def test_another_description_is_an_update(self) -> None:
        action = only(planned(world(held(SIGNUP)), catalogue(replace(SIGNUP, description="Came in."))))
        before, after = action.metrics[0].fields["description"]
        assert (action.kind, before.split("\n")[0], after.split("\n")[0]) == (ActionKind.UPDATE, "Joined.", "Came in.")

    def test_what_a_complete_catalogue_lacks_is_archived(self) -> None:
        action = only(planned(world(held(SIGNUP), held(ORDER)), catalogue(SIGNUP)))
        assert (action.kind, action.label) == (ActionKind.ARCHIVE, "2")
        assert [(step.step, step.fields) for step in action.metrics] == [("archive", {"archived": (False, True)})] * 2

    def test_what_is_there_again_is_restored(self) -> None:
        there = held(SIGNUP, kind=ChangeKind.ARCHIVED)
        action = only(planned(world(there), catalogue(SIGNUP)))
        assert (action.kind, action.metrics[0].step) == (ActionKind.RESTORE, "restore")

    def test_what_a_rule_skips_is_shown_with_the_rule(self) -> None:
        rules = Rules.parse('[[rules]]\nmatch = "sign*"\nskip = true\n', "rules.toml")
        found = planned(world(rules=rules), catalogue(SIGNUP))
        assert (only(found).kind, only(found).code, found.pending) == (ActionKind.SKIP, "skipped_by_rule", ())
        assert "rules.toml, rule 1" in only(found).reason

    def test_other_rules_are_an_update_of_what_is_there(self) -> None:
        rules = Rules.parse('[[rules]]\nmatch = "sign*"\nmeasures = ["count"]\n')
        action = only(planned(world(held(SIGNUP), rules=rules), None))
        assert (action.kind, action.code) == (ActionKind.UPDATE, "other_settings")
        assert [(step.key, step.step) for step in action.metrics] == [("signup-count", "create"), ("signup", "archive")]

    def test_an_event_type_without_its_metric_gets_it(self) -> None:
        action = only(planned(world(held(SIGNUP, made=False)), catalogue(SIGNUP)))
        assert (action.kind, action.metrics[0].step) == (ActionKind.CREATE, "create")
        assert action.change == Change(ChangeKind.UPDATED, EventType(id="1"))  # states nothing, so it overtakes nothing

    def test_what_a_catalogue_names_twice_is_acted_on_once(self) -> None:
        twice = catalogue(replace(SIGNUP, name="A"), replace(SIGNUP, name="B"))
        assert only(planned(world(held(SIGNUP)), twice)).metrics[0].fields == {"name": ("Sign up", "A")}

    def test_what_is_new_and_named_twice_is_made_once(self) -> None:
        assert planned(world(), catalogue(SIGNUP, SIGNUP)).counts == {"create": 1}


class TestOlderAndNewerStatements:
    def test_a_webhook_that_is_newer_than_the_catalogue_is_not_undone(self) -> None:
        renamed = replace(SIGNUP, name="Joined")
        found = planned(world(held(renamed, at=LATER)), catalogue(SIGNUP))
        assert (only(found).kind, only(found).code, found.pending) == (ActionKind.KEEP, "newer_statement", ())

    def test_what_came_after_the_catalogue_was_read_is_not_archived(self) -> None:
        found = planned(world(held(SIGNUP, at=LATER)), catalogue())
        assert (only(found).code, found.pending) == ("newer_statement", ())

    def test_a_webhook_that_is_older_than_the_catalogue_gives_way(self) -> None:
        found = planned(world(held(replace(SIGNUP, name="Joined"))), catalogue(SIGNUP))
        assert only(found).metrics[0].fields == {"name": ("Joined", "Sign up")}


class TestKeysThatAreTaken:
    def test_another_metric_under_the_key_is_gone_around(self) -> None:
        other = {"signup": {"key": "signup", "kind": "custom", "eventKey": "other", "isNumeric": False}}
        (step,) = only(planned(world(has=other), catalogue(SIGNUP))).metrics
        assert (step.step, step.key.startswith("signup-"), len(step.key)) == ("create", True, len("signup-") + 8)

    def test_two_event_types_with_the_same_slug_get_a_key_each(self) -> None:
        found = planned(world(), catalogue(SIGNUP, EventType(id="9", key="Signup")))
        first, second = (action.metrics[0].key for action in found.actions)
        assert (first, second.startswith("signup-")) == ("signup", True)

    def test_a_metric_of_somebody_else_for_the_same_event_is_a_conflict(self) -> None:
        theirs = {"their-signup": {**live(held(SIGNUP))["signup"], "key": "their-signup", "description": "Mine."}}
        found = planned(world(has=theirs), catalogue(SIGNUP))
        assert (only(found).kind, only(found).code, found.pending) == (ActionKind.CONFLICT, "metric_exists", ())
        assert "--adopt" in only(found).next_step

    def test_it_is_taken_over_where_a_person_says_so(self) -> None:
        theirs = {"their-signup": {**live(held(SIGNUP))["signup"], "key": "their-signup", "name": "Theirs"}}
        action = only(planned(world(has=theirs), catalogue(SIGNUP), adopt=True))
        (step,) = action.metrics
        assert (action.kind, step.step, step.key) == (ActionKind.ADOPT, "adopt", "their-signup")
        assert step.body is not None
        assert step.body["key"] == "their-signup"

    def test_a_metric_that_measures_something_else_of_the_event_is_no_conflict(self) -> None:
        total = {"their-signup": {"key": "their-signup", "kind": "custom", "eventKey": "signup", "isNumeric": True}}
        assert only(planned(world(has=total), catalogue(SIGNUP))).kind is ActionKind.CREATE

    def test_our_own_metric_is_known_again_after_the_database_was_lost(self) -> None:
        action = only(planned(world(has=live(held(SIGNUP))), catalogue(SIGNUP)))
        assert (action.kind, action.metrics[0].key) == (ActionKind.ADOPT, "signup")


class TestLimits:
    def test_only_what_a_glob_names_is_looked_at(self) -> None:
        where = world(held(EventType(id="3", key="other")))
        found = planned(where, catalogue(SIGNUP, ORDER), only=("sign*", "Ord*"))
        assert [action.label for action in found.actions] == ["1", "2"]

    def test_a_glob_finds_the_name_before_a_rename_too(self) -> None:
        renamed = replace(SIGNUP, key="joined", name="Joined")
        assert planned(world(held(SIGNUP)), catalogue(renamed), only=("signup",)).counts == {"rename": 1}

    def test_a_limit_leaves_the_rest_for_another_time(self) -> None:
        found = planned(world(), catalogue(SIGNUP, ORDER), limit=1)
        assert (len(found.pending), found.left_out) == (1, 1)

    @pytest.mark.parametrize(("known", "gone", "too_many"), [(100, 10, False), (100, 11, True), (200, 20, False)])
    def test_a_catalogue_that_was_cut_short_is_noticed(self, known: int, gone: int, too_many: bool) -> None:
        event_types = [EventType(id=f"{number}", key=f"e{number}") for number in range(known)]
        found = planned(world(*map(held, event_types)), catalogue(*event_types[gone:]))
        assert (found.archives, found.linked, found.archives_too_many) == (gone, known, too_many)

    def test_rules_that_would_empty_a_project_are_noticed_as_well(self) -> None:
        event_types = [EventType(id=f"{number}", key=f"e{number}") for number in range(20)]
        rules = Rules.parse('[[rules]]\nmatch = "*"\nmeasures = ["count"]\n')
        found = planned(world(*map(held, event_types), rules=rules), None)
        assert (found.counts, found.archives, found.archives_too_many) == ({"update": 20}, 20, True)


class TestThePlanItself:
    def test_it_comes_back_from_its_json_as_it_was(self) -> None:
        theirs = {"their-signup": {**live(held(SIGNUP))["signup"], "key": "their-signup"}}
        where = world(held(ORDER), has=theirs)
        found = planned(where, catalogue(SIGNUP, EventType(id="7", key="new")), adopt=True)
        assert {action.kind for action in found.actions} == {ActionKind.ADOPT, ActionKind.CREATE, ActionKind.ARCHIVE}
        assert Plan.from_dict(json.loads(json.dumps(found.to_dict()))) == found

    @pytest.mark.parametrize("stated", [None, [], {}, {"version": 2}, {"version": 1}, {"version": 1, "actions": 3}])
    def test_anything_else_is_refused(self, stated: Any) -> None:
        with pytest.raises(PlanMalformed, match="--out"):
            Plan.from_dict(stated)

    def test_its_fingerprint_tells_another_world_from_the_one_it_was_made_against(self) -> None:
        there = held(SIGNUP)
        now = catalogue(replace(SIGNUP, name="Joined"))
        same = planned(world(there), now).fingerprint
        assert planned(world(there), now).fingerprint == same
        assert planned(world(there, version="2"), now).fingerprint != same
        assert planned(world(there, has=live(there, name="Edited")), now).fingerprint != same

    def test_what_comes_and_goes_beside_it_does_not_matter(self) -> None:
        there = held(SIGNUP)
        stranger = {"stranger": {"key": "stranger", "eventKey": "stranger"}}
        seen = live(there, lastSeen=7, activeExperimentCount=1)
        now = catalogue(replace(SIGNUP, name="Joined"))
        assert planned(world(there, has=seen | stranger), now).fingerprint == planned(world(there), now).fingerprint

    def test_a_setting_that_no_metric_can_have_is_a_conflict_that_names_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: Any, **__: Any) -> None:
            raise PolicyError("the prefix is wrong")

        monkeypatch.setattr("connector.catalogue.planning.plan_metrics", refuse)
        found = planned(world(), catalogue(SIGNUP))
        assert (only(found).kind, only(found).code, only(found).reason) == (
            ActionKind.CONFLICT,
            "policy",
            "the prefix is wrong",
        )
