"""A plan as a value: what is to become of every event type of a connection, to be read, kept in a file and applied.

It must never know how a plan comes about: `planning` does.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from connector.catalogue.diffing import LARGEST_ARCHIVE, LARGEST_SHARE
from connector.catalogue.drift import Fields, Live
from connector.catalogue.usefulness import Usefulness
from connector.event_types import Change

VERSION = 1

_MAKE_ONE = "Make one with: connector sync CONNECTION --plan --out FILE"


class ActionKind(StrEnum):
    """What is to become of an event type. The first seven are done by an apply, the others are shown only."""

    CREATE = "create"
    ADOPT = "adopt"
    RENAME = "rename"
    UPDATE = "update"
    ARCHIVE = "archive"
    RESTORE = "restore"
    REPAIR = "repair"
    KEEP = "keep"
    SKIP = "skip"
    CONFLICT = "conflict"

    @property
    def pending(self) -> bool:
        return self not in {ActionKind.KEEP, ActionKind.SKIP, ActionKind.CONFLICT}


class PlanMalformed(ValueError):
    """What was read is no plan that this version made."""

    code = "plan_malformed"


@dataclass(frozen=True, slots=True)
class MetricStep:
    """What is to become of one metric. `fields` has what is there and what is to be there, by LaunchDarkly's names.

    `step` is `create`, `adopt`, `update`, `archive`, `restore`, `delete`, `keep` or `conflict`. `body` is what an
    adopted metric is taken for.
    """

    key: str
    measure: str
    step: str
    fields: Fields = field(default_factory=dict)
    body: Mapping[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        stated: dict[str, Any] = {
            "key": self.key,
            "measure": self.measure,
            "step": self.step,
            "fields": {name: list(values) for name, values in self.fields.items()},
        }
        return stated if self.body is None else stated | {"body": dict(self.body)}

    @classmethod
    def from_dict(cls, stated: Mapping[str, Any]) -> MetricStep:
        fields = {name: (before, after) for name, (before, after) in stated["fields"].items()}
        return cls(stated["key"], stated["measure"], stated["step"], fields, stated.get("body"))


@dataclass(frozen=True, slots=True)
class Action:
    """What is to become of one event type. `code` is stable, `reason` and `next_step` are for people.

    `change` is what goes into the inbox; with `look` it is applied to what LaunchDarkly really has.
    """

    kind: ActionKind
    label: str
    code: str
    reason: str
    metrics: tuple[MetricStep, ...] = ()
    change: Change | None = None
    look: bool = False
    next_step: str = ""

    @property
    def archives(self) -> int:
        """How many metrics the project has less after it."""
        return sum(step.step in {"archive", "delete"} for step in self.metrics)

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": self.kind.value,
            "label": self.label,
            "code": self.code,
            "reason": self.reason,
            "next_step": self.next_step,
            "metrics": [step.to_dict() for step in self.metrics],
            "change": None if self.change is None else self.change.to_dict(),
            "look": self.look,
        }

    @classmethod
    def from_dict(cls, stated: Mapping[str, Any]) -> Action:
        change = stated["change"]
        return cls(
            kind=ActionKind(stated["kind"]),
            label=stated["label"],
            code=stated["code"],
            reason=stated["reason"],
            next_step=stated["next_step"],
            metrics=tuple(MetricStep.from_dict(step) for step in stated["metrics"]),
            change=None if change is None else Change.from_dict(change),
            look=bool(stated["look"]),
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """`made_at` is unix seconds. `fingerprint` is of the world that it was made against: see `fingerprint`.

    `unchanged` counts the event types that need nothing, `left_out` those that `limit` left for another time, `linked`
    the metrics of the connection that are not archived.
    """

    connection_id: str
    made_at: float
    fingerprint: str
    actions: tuple[Action, ...]
    unchanged: int = 0
    left_out: int = 0
    linked: int = 0
    usefulness: Usefulness = field(default_factory=Usefulness)

    @property
    def pending(self) -> tuple[Action, ...]:
        """What an apply does."""
        return tuple(action for action in self.actions if action.kind.pending)

    @property
    def counts(self) -> Mapping[str, int]:
        """Event types by what is to become of them."""
        counted = Counter(action.kind.value for action in self.actions)
        return {kind.value: counted[kind.value] for kind in ActionKind if counted[kind.value]} | (
            {"unchanged": self.unchanged} if self.unchanged else {}
        )

    @property
    def archives(self) -> int:
        """How many metrics an apply archives, as their event type is gone or other rules make no such metric."""
        return sum(action.archives for action in self.pending)

    @property
    def archives_too_many(self) -> bool:
        """Whether a person has to allow it: a list that was cut short must not empty a project."""
        return self.archives > LARGEST_ARCHIVE and self.archives > LARGEST_SHARE * self.linked

    def to_dict(self) -> dict[str, Any]:
        return {
            "version": VERSION,
            "connection_id": self.connection_id,
            "made_at": self.made_at,
            "fingerprint": self.fingerprint,
            "counts": dict(self.counts),
            "unchanged": self.unchanged,
            "left_out": self.left_out,
            "linked": self.linked,
            "usefulness": self.usefulness.to_dict(),
            "actions": [action.to_dict() for action in self.actions],
        }

    @classmethod
    def from_dict(cls, stated: Mapping[str, Any]) -> Plan:
        """Raises `PlanMalformed`."""
        if not isinstance(stated, Mapping) or stated.get("version") != VERSION:
            raise PlanMalformed(f"This is no plan of version {VERSION}. {_MAKE_ONE}")
        try:
            return cls(
                connection_id=str(stated["connection_id"]),
                made_at=float(stated["made_at"]),
                fingerprint=str(stated["fingerprint"]),
                actions=tuple(Action.from_dict(action) for action in stated["actions"]),
                unchanged=int(stated["unchanged"]),
                left_out=int(stated["left_out"]),
                linked=int(stated["linked"]),
                usefulness=Usefulness.from_dict(stated["usefulness"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise PlanMalformed(f"The plan cannot be read. {_MAKE_ONE}") from None


def fingerprint(version: str, live: Mapping[str, Live], linked: Iterable[str], planned: Sequence[Action]) -> str:
    """A word for all that the plan depends on: the store's version, and the metrics that are linked or in the way.

    What colleagues do to other metrics of the project, or the events that come in, are of no concern.
    """
    keys = {*linked, *(step.key for action in planned for step in action.metrics)}
    event_keys = {
        step.fields["eventKey"][1] for action in planned for step in action.metrics if "eventKey" in step.fields
    }
    looked_at = [
        {name: value for name, value in live[key].items() if name not in _PASSING}
        for key in sorted(live)
        if key in keys or live[key].get("eventKey") in event_keys
    ]
    return hashlib.sha256(json.dumps([version, looked_at], sort_keys=True).encode()).hexdigest()[:32]


_PASSING = {"lastSeen", "activeExperimentCount", "activeGuardedRolloutCount"}
