"""From what is there to what should be there: the actions that bring an event type's metrics to its state.

Pure: `apply` performs what is listed here, a plan shows it before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from connector.policy import PlannedMetric, patch_operations
from connector.store.links import Link, LinkState

DEFINING = ("eventKey", "kind", "isNumeric", "unitAggregationType", "analysisType", "percentileValue")
"""The fields that say what a metric measures: the source owns them, people own the others."""

_DEFAULTS = {"unitAggregationType": "average", "analysisType": "mean"}
_HANGING_ON = {
    "isNumeric": ("unit", "successCriteria"),
    "analysisType": ("percentileValue", "eventDefault"),
}
"""Fields that LaunchDarkly takes with some values of another one only, so that both have to be set together."""

UNSETTLED = frozenset({LinkState.CREATING, LinkState.ADOPTING})


@dataclass(frozen=True, slots=True)
class Settle:
    """Find out whether the metric is there that `link` was about to make or to take over."""

    link: Link


@dataclass(frozen=True, slots=True)
class Create:
    planned: PlannedMetric


@dataclass(frozen=True, slots=True)
class Patch:
    link: Link
    body: Mapping[str, Any]
    operations: Sequence[Mapping[str, Any]]

    @property
    def changed(self) -> Mapping[str, Any]:
        """The fields of `body` that the operations set: of the others LaunchDarkly may hold what a person wrote."""
        fields = {operation["path"].split("/")[1] for operation in self.operations}
        return {field: value for field, value in self.body.items() if field in fields}

    @property
    def renames(self) -> bool:
        return not {"name", "eventKey"}.isdisjoint(self.changed)


@dataclass(frozen=True, slots=True)
class Archive:
    link: Link


@dataclass(frozen=True, slots=True)
class Restore:
    link: Link


@dataclass(frozen=True, slots=True)
class Delete:
    link: Link


Action = Settle | Create | Patch | Archive | Restore | Delete


def actions(planned: Sequence[PlannedMetric], links: Sequence[Link], *, status: str, delete: bool) -> list[Action]:
    """What to do, in order, where `planned` should be there and `links` are.

    A metric whose measure is no longer planned is archived: without its value it would measure nothing. `delete`
    lets a deleted event type take its metrics with it.
    """
    if unsettled := [Settle(link) for link in links if link.state in UNSETTLED]:
        return [*unsettled]  # before it is known what is there, and whose it is, nothing else can be decided
    by_measure = {link.measure: link for link in links}
    gone = status != "active"
    remove = delete and status == "deleted"
    steps: list[Action] = []
    for metric in planned:
        link = by_measure.pop(metric.measure, None)
        if link is None:
            steps += [] if remove else [Create(metric)]
            continue
        body = metric.with_key(link.metric_key).body
        if not remove and (operations := patch_operations(link.body, body)):
            steps.append(Patch(link, body, operations))
        if gone:
            steps += _leave(link, remove=remove)
        elif link.state is LinkState.ARCHIVED:
            steps.append(Restore(link))
    for link in by_measure.values():
        steps += _leave(link, remove=remove)
    return steps


def _leave(link: Link, *, remove: bool) -> list[Action]:
    if remove:
        return [Delete(link)]
    return [] if link.state is LinkState.ARCHIVED else [Archive(link)]


def redefined(metric: Mapping[str, Any], body: Mapping[str, Any]) -> frozenset[str]:
    """The fields by which `metric`, as LaunchDarkly has it, measures something else than `body` would."""
    return frozenset(field for field in DEFINING if _defined(metric, field) != _defined(body, field))


def as_found(link: Link, metric: Mapping[str, Any]) -> Link:
    """The link as LaunchDarkly has its metric, so that what comes next repairs what the source owns.

    What people own is as it was applied last: what one of them has edited stays.
    """
    body = dict(link.body)
    for field in sorted(redefined(metric, link.body)):
        for each in (field, *_HANGING_ON.get(field, ())):
            if (value := metric.get(each)) is None:
                body.pop(each, None)
            elif each == "eventDefault":
                body[each] = {"disabled": bool(value.get("disabled"))}  # LaunchDarkly adds a value that we never state
            else:
                body[each] = value
    return replace(link, body=body, state=LinkState.ARCHIVED if metric.get("archived") else LinkState.LIVE)


def _defined(fields: Mapping[str, Any], field: str) -> Any:
    return fields.get(field) or _DEFAULTS.get(field)
