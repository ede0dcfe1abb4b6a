"""What a catalogue, or LaunchDarkly as it was left, asks for: a plan that a person can read before anything is done.

Pure: it uses the same merging, policy and convergence as the delivery of a change, on a copy of what is known. It must
never call anybody.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

from connector.catalogue.diffing import Known, difference, reference
from connector.catalogue.drift import Drift, Found, Live, drift
from connector.catalogue.plans import Action, ActionKind, MetricStep, Plan, fingerprint
from connector.catalogue.usefulness import usefulness
from connector.delivery.convergence import (
    UNSETTLED,
    Archive,
    Create,
    Delete,
    Patch,
    Restore,
    actions,
    redefined,
)
from connector.delivery.merging import Clock, Merged, merge
from connector.event_types import Catalogue, Change, ChangeKind
from connector.policy import PlannedMetric, PolicyError, Rules, Source, candidate_keys, plan_metrics
from connector.store.links import Link, LinkState
from connector.store.syncs import Held

__all__ = ["Action", "ActionKind", "MetricStep", "Plan", "World", "plan"]


@dataclass(frozen=True, slots=True)
class World:
    """What a plan is made against. `version` is the store's word for it, `live` LaunchDarkly's metrics by key."""

    connection_id: str
    source: Source
    rules: Rules
    delete: bool
    held: Sequence[Held]
    version: str
    live: Mapping[str, Live]


def plan(
    world: World,
    catalogue: Catalogue | None,
    *,
    made_at: float,
    adopt: bool = False,
    only: Sequence[str] = (),
    limit: int | None = None,
) -> Plan:
    """What it takes to bring LaunchDarkly to `catalogue`; without one, to what its source has said so far.

    `only` are globs of keys, names or ids; `limit` is how many event types are acted on at most.
    """
    planner = _Planner(world, made_at=made_at, adopt=adopt)
    found: list[Action] = []
    unchanged = left_out = acted = 0
    for held, change in _subjects(world, catalogue, only):
        action = planner.judge(held, change)
        if action is None:
            unchanged += 1
        elif action.kind.pending and limit is not None and acted >= limit:
            left_out += 1
        else:
            acted += action.kind.pending
            found.append(action)
    linked = [link for held in world.held for link in held.links]
    return Plan(
        connection_id=world.connection_id,
        made_at=made_at,
        fingerprint=fingerprint(world.version, world.live, (link.metric_key for link in linked), found),
        actions=tuple(found),
        unchanged=unchanged,
        left_out=left_out,
        linked=sum(link.state is LinkState.LIVE for link in linked),
        usefulness=usefulness(world.live, {link.metric_key for link in linked}),
    )


def _subjects(
    world: World, catalogue: Catalogue | None, only: Sequence[str]
) -> list[tuple[Held | None, Change | None]]:
    """Each event type once: those of the catalogue in its order, then those that only we know of."""
    known = [(held, Merged(held.registers)) for held in world.held]
    by_id = {merged.event_type.id: held for held, merged in known if merged.event_type.id is not None}
    by_key = {merged.event_type.key: held for held, merged in known if merged.event_type.key is not None}
    changes: Sequence[Change] = ()
    if catalogue is not None:
        changes = difference(catalogue, [Known(merged.event_type, merged.status) for _, merged in known]).changes
    subjects: list[tuple[Held | None, Change | None]] = []
    touched: set[int] = set()
    new: set[tuple[str | None, str | None]] = set()
    for change in changes:
        event_type = change.event_type
        held = by_id.get(event_type.id) if event_type.id is not None else by_key.get(event_type.key or "")
        named = (event_type.id, None if event_type.id is not None else event_type.key)
        if named in new or (held is not None and id(held) in touched):
            continue  # the catalogue names it twice: the first counts
        new.add(named)
        if held is not None:
            touched.add(id(held))
        subjects.append((held, change))
    subjects += [(held, None) for held, _ in known if id(held) not in touched]
    if not only:
        return subjects
    return [(held, change) for held, change in subjects if _named(held, change, only)]


def _named(held: Held | None, change: Change | None, only: Sequence[str]) -> bool:
    stated = [change.event_type] if change is not None else []
    stated += [Merged(held.registers).event_type] if held is not None else []
    names = {name for each in stated for name in (each.key, each.name, each.id) if name}
    return any(fnmatchcase(name, glob) for name in names for glob in only)


@dataclass(slots=True)
class _Draft:
    """The steps for one event type, as they are found; `owner` tells it from the others."""

    owner: object
    steps: list[MetricStep] = field(default_factory=list)
    drifts: list[Drift] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unfinished: bool = False

    @property
    def does(self) -> set[str]:
        return {step.step for step in self.steps} - {"keep"}


class _Planner:
    def __init__(self, world: World, *, made_at: float, adopt: bool) -> None:
        self._world = world
        self._made_at = made_at
        self._adopt = adopt
        # Whose each key of the connection is; what is planned takes its keys as well.
        self._taken: dict[str, tuple[object, str]] = {
            link.metric_key: (held, link.measure) for held in world.held for link in held.links
        }
        self._by_event_key: defaultdict[Any, list[Live]] = defaultdict(list)
        for metric in world.live.values():
            self._by_event_key[metric.get("eventKey")].append(metric)

    def judge(self, held: Held | None, change: Change | None) -> Action | None:
        """None where there is nothing to do and nothing to say."""
        registers = held.registers if held is not None else {}
        merged = Merged(registers)
        if change is not None:
            merged = merge(registers, change, Clock.of(change, received_at=self._made_at, message_id="", position=0))
        label = merged.event_type.id or merged.event_type.key or ""
        try:
            policy = plan_metrics(merged.event_type, self._world.source, self._world.rules, key_hint=merged.key_hint)
        except PolicyError as error:
            return Action(
                ActionKind.CONFLICT, label, error.code, str(error), next_step="Correct the setting, then plan again."
            )
        if policy.skipped_by is not None:
            return Action(ActionKind.SKIP, label, "skipped_by_rule", f"{policy.skipped_by} says skip.")
        links = held.links if held is not None else ()
        draft = _Draft(owner=held if held is not None else object())
        if merged.wanted:
            self._metrics(draft, links, merged, policy.metrics)
        return self._action(draft, label, merged, change, made_before=bool(links))

    def _metrics(
        self,
        draft: _Draft,
        links: Sequence[Link],
        merged: Merged,
        planned: Sequence[PlannedMetric],
    ) -> None:
        active = merged.status == "active"
        as_is = [self._as_is(draft, link, active=active) for link in links]
        if any(each.found is Found.REPLACED for each in draft.drifts):
            return
        there = [link for link in as_is if link is not None]
        for step in actions(planned, there, status=merged.status, delete=self._world.delete):
            match step:
                case Create(metric):
                    self._create(draft, metric, merged.identity)
                case Patch(link, body, operations):
                    self._patch(draft, link, body, [operation["path"].split("/")[1] for operation in operations])
                case Archive(link) | Restore(link) | Delete(link):
                    name = type(step).__name__.lower()
                    fields = {} if name == "delete" else {"archived": (name == "restore", name == "archive")}
                    draft.steps.append(MetricStep(link.metric_key, link.measure, name, fields))

    def _as_is(self, draft: _Draft, link: Link, *, active: bool) -> Link | None:
        metric = self._world.live.get(link.metric_key)
        if link.state in UNSETTLED:
            draft.unfinished = True
            settled = replace(link, state=LinkState.LIVE)
            return None if metric is None or redefined(metric, link.body) else settled
        found = drift(link, metric, active=active)
        draft.drifts.append(found)
        if found.kept:
            draft.steps.append(MetricStep(link.metric_key, link.measure, "keep", found.kept))
        return found.link if active or metric is not None else link

    def _patch(self, draft: _Draft, link: Link, body: Mapping[str, Any], names: Sequence[str]) -> None:
        there = self._world.live.get(link.metric_key, link.body)
        fields = {name: (there.get(name), body.get(name)) for name in dict.fromkeys(names)}
        draft.steps.append(MetricStep(link.metric_key, link.measure, "update", fields))
        # What the source changes is not kept any more.
        for index, step in enumerate(draft.steps):
            if step.step == "keep" and step.key == link.metric_key:
                draft.steps[index] = replace(
                    step, fields={name: values for name, values in step.fields.items() if name not in fields}
                )
        draft.steps[:] = [step for step in draft.steps if step.step != "keep" or step.fields]

    def _create(self, draft: _Draft, planned: PlannedMetric, identity: str) -> None:
        if (metric := self._made_by_another(planned)) is not None:
            body = planned.with_key(metric["key"]).body
            fields = {name: (metric.get(name), body[name]) for name in ("name", "eventKey")}
            if self._adopt or _ours(metric, planned):
                self._taken[metric["key"]] = (draft.owner, planned.measure)
                draft.steps.append(MetricStep(metric["key"], planned.measure, "adopt", fields, body))
            else:
                draft.steps.append(MetricStep(metric["key"], planned.measure, "conflict", fields))
            return
        for key in candidate_keys(planned.key, identity, self._world.connection_id):
            owner, measure = self._taken.get(key, (draft.owner, planned.measure))
            if owner is not draft.owner or measure != planned.measure:
                draft.notes.append(f'The metric key "{key}" belongs to another event type.')
            elif key in self._world.live:
                draft.notes.append(f'The project has another metric with the key "{key}".')
            else:
                self._taken[key] = (draft.owner, planned.measure)
                body = planned.with_key(key).body
                fields = {name: (None, body[name]) for name in ("name", "eventKey")}
                draft.steps.append(MetricStep(key, planned.measure, "create", fields))
                return
        draft.steps.append(MetricStep(planned.key, planned.measure, "conflict"))

    def _made_by_another(self, planned: PlannedMetric) -> Live | None:
        """A metric that nobody of this connection made and that measures the same: best the one with the same key."""
        same = [
            metric
            for metric in self._by_event_key.get(planned.body["eventKey"], ())
            if metric["key"] not in self._taken and not redefined(metric, planned.body)
        ]
        named = [metric for metric in same if metric["key"] == planned.key]
        return next(iter(named or [metric for metric in same if not metric.get("archived")]), None)

    def _action(
        self, draft: _Draft, label: str, merged: Merged, change: Change | None, *, made_before: bool
    ) -> Action | None:
        steps, notes = tuple(draft.steps), " ".join(draft.notes)
        if any(each.found is Found.REPLACED for each in draft.drifts) or "conflict" in draft.does:
            return _conflict(draft, label, notes)
        repaired = [each.found for each in draft.drifts if each.found.repaired]
        if draft.does or draft.unfinished:
            kind, code, reason = _doing(draft, change, repaired, made_before=made_before)
            stated = change or Change(ChangeKind.UPDATED, reference(merged.event_type))
            return Action(kind, label, code, f"{reason} {notes}".strip(), steps, stated, look=bool(repaired))
        if change is not None and merged.won:
            kind = ActionKind.ARCHIVE if change.kind is ChangeKind.ARCHIVED else ActionKind.UPDATE
            return Action(kind, label, "noted", "Is noted; no metric changes by it.", steps, change)
        if change is not None and merged.said:
            reason = "The source has said something newer by a webhook."
            return Action(ActionKind.KEEP, label, "newer_statement", reason, steps)
        kept = [each.found for each in draft.drifts if each.kept]
        return Action(ActionKind.KEEP, label, kept[0], _KEPT[kept[0]], steps) if steps and kept else None


_KEPT = {
    Found.EDITED: "A person edited it in LaunchDarkly: that stays until the source changes it.",
    Found.RESTORED: "A person restored it in LaunchDarkly, although the source has archived it: that stays.",
}
_REPAIRED = {
    Found.DELETED: "It was deleted in LaunchDarkly, and is made again.",
    Found.ARCHIVED: "It was archived in LaunchDarkly, and is restored.",
    Found.REDEFINED: "What it measures was changed in LaunchDarkly, and is set again.",
}
_SAID = {
    ActionKind.CREATE: ("not_there", "Has no metric yet."),
    ActionKind.ADOPT: ("metric_exists", "Takes over a metric that measures the same."),
    ActionKind.RENAME: ("renamed_at_source", "Was renamed at the source."),
    ActionKind.ARCHIVE: ("gone_at_source", "Is no longer in the catalogue."),
    ActionKind.RESTORE: ("back_at_source", "Is in the catalogue again."),
    ActionKind.UPDATE: ("changed_at_source", "Was changed at the source."),
}


def _doing(
    draft: _Draft, change: Change | None, drifted: Sequence[Found], *, made_before: bool
) -> tuple[ActionKind, str, str]:
    does = draft.does
    if drifted and (change is None or change.kind is not ChangeKind.RENAMED):
        return ActionKind.REPAIR, drifted[0], _REPAIRED[drifted[0]]
    if draft.unfinished and change is None:
        return ActionKind.REPAIR, "unfinished", "An earlier attempt was cut off, and is settled."
    if does <= {"create", "adopt"} and not made_before:
        kind = ActionKind.ADOPT if "adopt" in does else ActionKind.CREATE
    elif change is None:
        return ActionKind.UPDATE, "other_settings", "The rules or the connection's settings ask for it now."
    elif change.kind is ChangeKind.ARCHIVED:
        kind = ActionKind.ARCHIVE
    elif change.kind is ChangeKind.RESTORED:
        kind = ActionKind.RESTORE
    else:
        kind = ActionKind.RENAME if change.kind is ChangeKind.RENAMED else ActionKind.UPDATE
    return kind, *_SAID[kind]


def _conflict(draft: _Draft, label: str, notes: str) -> Action:
    steps = tuple(draft.steps)
    if any(each.found is Found.REPLACED for each in draft.drifts):
        return Action(
            ActionKind.CONFLICT,
            label,
            Found.REPLACED,
            "Another metric stands in LaunchDarkly under the key of ours.",
            steps,
            next_step="Delete that metric or give it another key in LaunchDarkly, then plan again.",
        )
    there = ", ".join(f'"{step.key}"' for step in steps if step.step == "conflict" and step.fields)
    if there:
        return Action(
            ActionKind.CONFLICT,
            label,
            "metric_exists",
            f"The project has {there} for the same event, and this connection did not make it.",
            steps,
            next_step="Give --adopt to take it over as it is, or skip the event type by a rule.",
        )
    return Action(
        ActionKind.CONFLICT,
        label,
        "no_free_key",
        notes,
        steps,
        next_step="Give the connection a key prefix, or free one of the keys in LaunchDarkly.",
    )


def _ours(metric: Live, planned: PlannedMetric) -> bool:
    """Whether a metric was made for this very event type by an installation whose database is lost."""
    provenance = str(planned.body.get("description", "")).rpartition("\n")[2]
    same_key = metric["key"] == planned.key
    return same_key and bool(provenance) and str(metric.get("description", "")).endswith(provenance)
