"""What the source says of an event type, whatever the order in which it said it.

Each field is a register that keeps the newest statement (last writer wins, field by field), so any order of the same
changes merges into the same state. Pure: it must never know the store or LaunchDarkly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connector.event_types import Change, ChangeKind, EventType

FUTURE = 24 * 3600.0
"""Seconds that a source's clock may be ahead; a time beyond that would win for ever, so it does not count."""

_FIELDS = ("key", "name", "description", "value", "tags", "url")
_STATUS = {
    ChangeKind.DEFINED: "active",
    ChangeKind.RESTORED: "active",
    ChangeKind.ARCHIVED: "archived",
    ChangeKind.DELETED: "deleted",
}


@dataclass(frozen=True, slots=True, order=True)
class Clock:
    """When a statement was made: unix seconds at the source (else of receipt), then what breaks ties."""

    at: float
    sequence: int
    message_id: str
    position: int

    @classmethod
    def of(cls, change: Change, *, received_at: float, message_id: str, position: int) -> Clock:
        at = change.occurred_at.timestamp() if change.occurred_at is not None else received_at
        if at > received_at + FUTURE:
            at = received_at
        return cls(at, -1 if change.sequence is None else change.sequence, message_id, position)


@dataclass(frozen=True, slots=True)
class Merged:
    """The state of an event type after a change. `said` are the fields that the change stated, `won` those of them for
    which it was the newest.
    """

    registers: Mapping[str, Any]
    won: frozenset[str] = frozenset()
    said: frozenset[str] = frozenset()

    @property
    def event_type(self) -> EventType:
        stated = {field: self.registers[field][0] for field in _FIELDS if field in self.registers}
        return EventType.from_dict(stated | {"id": self.registers.get("id")})

    @property
    def status(self) -> str:
        """`active`, `archived` or `deleted`."""
        status: str = self.registers["status"][0] if "status" in self.registers else "active"
        return status

    @property
    def wanted(self) -> bool:
        """Whether the source ever said that the event type is there: what was only ever archived needs no metric."""
        return bool(self.registers.get("wanted"))

    @property
    def key_hint(self) -> str | None:
        """The first event key, as far as the changes tell: the metric key is made of it."""
        hint: str | None = self.registers.get("key_hint")
        return hint

    @property
    def identity(self) -> str:
        """What tells the event type from any other of its connection, in keys that had to be made unlike another's."""
        return self.event_type.id or self.key_hint or ""


def merge(registers: Mapping[str, Any], change: Change, clock: Clock) -> Merged:
    """Merge `change` into the `registers` of its event type (JSON values; empty for a new one)."""
    merged = dict(registers)
    stamp = [clock.at, clock.sequence, clock.message_id, clock.position]
    stated = change.event_type.to_dict()
    said = {field: stated[field] for field in _FIELDS if field in stated}
    if change.kind in _STATUS:
        said["status"] = _STATUS[change.kind]
    won = set()
    for field, value in said.items():
        if field not in merged or clock >= Clock(*merged[field][1]):
            merged[field] = [value, stamp]
            won.add(field)
    if change.event_type.id is not None:
        merged["id"] = change.event_type.id
    if change.kind not in {ChangeKind.ARCHIVED, ChangeKind.DELETED}:
        merged["wanted"] = True
    if "key_hint" not in merged and (hint := change.previous_key or change.event_type.key):
        merged["key_hint"] = hint
    return Merged(merged, frozenset(won), frozenset(said))
