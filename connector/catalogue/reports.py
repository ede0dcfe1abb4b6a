"""What became of a plan: a row for each event type, and what the metrics are good for. Values and their forms only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from connector.catalogue.plans import ActionKind, Plan
from connector.catalogue.usefulness import Usefulness
from connector.event_types import Outcome
from connector.store.syncs import Row

COLUMNS = ("event_type", "action", "outcome", "metrics", "code", "reason", "next_step")
"""Of a report as CSV."""

_CHANGED = {Outcome.RENAMED, Outcome.UPDATED, Outcome.RESTORED, Outcome.ARCHIVED, Outcome.DELETED}


@dataclass(frozen=True, slots=True)
class ReportRow:
    """`code` is stable: the outcome, or why it did not go. `next_step` is empty where a person has nothing to do."""

    event_type: str
    action: str
    outcome: str
    metrics: tuple[str, ...]
    code: str
    reason: str = ""
    next_step: str = ""

    @property
    def went(self) -> bool:
        return self.outcome not in {"pending", Outcome.PARKED, ActionKind.CONFLICT}


@dataclass(frozen=True, slots=True)
class Report:
    """`usefulness` is None where nobody has looked at LaunchDarkly; its `in_use` are those that were changed."""

    delivery_id: str
    connection_id: str
    rows: Sequence[ReportRow]
    unchanged: int
    usefulness: Usefulness | None = None

    @property
    def counts(self) -> Mapping[str, int]:
        """Event types by their outcome."""
        counted = Counter(row.outcome for row in self.rows)
        return dict(sorted(counted.items())) | ({"unchanged": self.unchanged} if self.unchanged else {})

    @property
    def left(self) -> Sequence[ReportRow]:
        """All that did not go."""
        return [row for row in self.rows if not row.went]

    def to_dict(self) -> dict[str, Any]:
        return {
            "delivery": self.delivery_id,
            "connection": self.connection_id,
            "counts": dict(self.counts),
            "rows": [asdict(row) for row in self.rows],
            "usefulness": None if self.usefulness is None else self.usefulness.to_dict(),
        }


def rows_of(plan: Plan, stored: Iterator[Row]) -> Iterator[ReportRow]:
    """A row for each change that the plan put into the inbox, then what the plan only showed."""
    planned = iter(plan.pending)
    for row in stored:
        action = next(planned, None)
        yield _row(row, row.kind if action is None else action.kind.value)
    for action in planned:
        yield ReportRow(
            action.label, action.kind, "pending", (), "pending", action.reason, "It is put into the inbox by itself."
        )
    for action in plan.actions:
        if not action.kind.pending:
            keys = tuple(step.key for step in action.metrics)
            outcome = {ActionKind.SKIP: Outcome.SKIPPED.value, ActionKind.KEEP: "kept"}.get(action.kind, action.kind)
            yield ReportRow(action.label, action.kind, outcome, keys, action.code, action.reason, action.next_step)


def _row(row: Row, action: str) -> ReportRow:
    outcome = row.outcome or "pending"
    reason = " ".join(text for text in (row.result.get("reason"), *row.result.get("notes", ())) if text)
    next_step = row.result.get("next_step", "")
    if row.outcome is None:
        reason = reason or "It is still to be done."
        next_step = "Nothing: it is tried again by itself while a server, a worker or this command runs."
    keys = tuple(metric["key"] for metric in row.result.get("metrics", ()))
    return ReportRow(row.label, action, outcome, keys, row.result.get("code", outcome), reason, next_step)


def changed(rows: Sequence[ReportRow]) -> frozenset[str]:
    """The keys of the metrics that were there before and are different now."""
    return frozenset(key for row in rows if row.outcome in _CHANGED for key in row.metrics)
