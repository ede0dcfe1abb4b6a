"""From what is there to what should be there: the actions that bring an event type's metrics to its state.

Pure: `apply` performs what is listed here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connector.policy import PlannedMetric, patch_operations
from connector.store.links import Link, LinkState


@dataclass(frozen=True, slots=True)
class Settle:
    """Find out whether the attempt that left `link` unfinished made its metric."""

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
    if unsettled := [Settle(link) for link in links if link.state is LinkState.CREATING]:
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
