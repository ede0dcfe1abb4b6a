"""The words every room shares: an event type, a change of one, a catalogue of many.

Frozen values without I/O. This module must never know a partner, LaunchDarkly, the database or the web.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class ChangeKind(StrEnum):
    """What happened to an event type."""

    DEFINED = "defined"
    RENAMED = "renamed"
    UPDATED = "updated"
    ARCHIVED = "archived"
    RESTORED = "restored"
    DELETED = "deleted"


class Outcome(StrEnum):
    """What became of a change. `PARKED` waits for a person; every other outcome is final."""

    CREATED = "created"
    RENAMED = "renamed"
    UPDATED = "updated"
    ARCHIVED = "archived"
    RESTORED = "restored"
    DELETED = "deleted"
    ADOPTED = "adopted"
    UNCHANGED = "unchanged"
    SUPERSEDED = "superseded"
    SKIPPED = "skipped"
    PARKED = "parked"


class Aggregation(StrEnum):
    """How the partner itself adds up the events of a type; it chooses the default measure."""

    COUNT = "count"
    SUM = "sum"
    AVERAGE = "average"
    MAX = "max"
    LAST = "last"
    UNIQUE = "unique"


@dataclass(frozen=True, slots=True)
class Value:
    """The value that events of a type carry.

    `type` is a JSON Schema type name; `none` states that there is no value (as opposed to "not stated",
    which is the absence of a `Value`). `unit` is a label for people, such as `USD` or `ms`.
    """

    property: str | None = None
    type: str = "number"
    unit: str | None = None
    aggregation: Aggregation | None = None

    @builtins.property  # `property` is the field above
    def numeric(self) -> bool:
        return self.type in {"number", "integer"}


NO_VALUE = Value(type="none")


@dataclass(frozen=True, slots=True)
class EventType:
    """A partner's definition of one event.

    `None` means that the source did not state the field; an empty string, an empty tuple or `NO_VALUE` means
    that it stated that there is none. At least one of `id` and `key` is set. `key` is exactly what the partner's
    SDK or destination sends to LaunchDarkly as the event key, case kept.
    """

    id: str | None = None
    key: str | None = None
    name: str | None = None
    description: str | None = None
    value: Value | None = None
    tags: tuple[str, ...] | None = None
    url: str | None = None

    def __post_init__(self) -> None:
        if not self.id and not self.key:
            raise ValueError("an event type needs an id or a key")

    def to_dict(self) -> dict[str, Any]:
        """The stated fields as JSON values; `from_dict` reads them back."""
        stated: dict[str, Any] = {
            field: getattr(self, field)
            for field in ("id", "key", "name", "description", "url")
            if getattr(self, field) is not None
        }
        if self.tags is not None:
            stated["tags"] = list(self.tags)
        if self.value is not None:
            value = self.value
            stated["value"] = {"property": value.property, "type": value.type, "unit": value.unit}
            if value.aggregation is not None:
                stated["value"]["aggregation"] = value.aggregation.value
        return stated

    @classmethod
    def from_dict(cls, stated: Mapping[str, Any]) -> EventType:
        value = stated.get("value")
        if value is not None:
            aggregation = value.get("aggregation")
            value = Value(
                property=value.get("property"),
                type=value.get("type", "number"),
                unit=value.get("unit"),
                aggregation=Aggregation(aggregation) if aggregation else None,
            )
        tags = stated.get("tags")
        return cls(
            id=stated.get("id"),
            key=stated.get("key"),
            name=stated.get("name"),
            description=stated.get("description"),
            value=value,
            tags=None if tags is None else tuple(tags),
            url=stated.get("url"),
        )


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that happened to one event type.

    `occurred_at` (aware) is when it happened at the source, `sequence` the source's own order within equal times;
    both are `None` where the source has none. `workspace` is the partner's workspace, which picks the connection
    of a shared endpoint.
    """

    kind: ChangeKind
    event_type: EventType
    occurred_at: datetime | None = None
    sequence: int | None = None
    previous_key: str | None = None
    previous_name: str | None = None
    workspace: str | None = None

    def __post_init__(self) -> None:
        if self.occurred_at is not None and self.occurred_at.tzinfo is None:
            raise ValueError("occurred_at must carry its UTC offset")

    @property
    def label(self) -> str:
        """How the change's event type is called where a person or a caller reads it: its id, else its key."""
        return self.event_type.id or self.event_type.key or ""

    def to_dict(self) -> dict[str, Any]:
        stated: dict[str, Any] = {"kind": self.kind.value, "event_type": self.event_type.to_dict()}
        if self.occurred_at is not None:
            stated["occurred_at"] = self.occurred_at.isoformat()
        for field in ("sequence", "previous_key", "previous_name", "workspace"):
            if getattr(self, field) is not None:
                stated[field] = getattr(self, field)
        return stated

    @classmethod
    def from_dict(cls, stated: Mapping[str, Any]) -> Change:
        occurred_at = stated.get("occurred_at")
        return cls(
            kind=ChangeKind(stated["kind"]),
            event_type=EventType.from_dict(stated["event_type"]),
            occurred_at=None if occurred_at is None else datetime.fromisoformat(occurred_at),
            sequence=stated.get("sequence"),
            previous_key=stated.get("previous_key"),
            previous_name=stated.get("previous_name"),
            workspace=stated.get("workspace"),
        )


@dataclass(frozen=True, slots=True)
class Catalogue:
    """A set of event types as they stand.

    Only a `complete` one says anything by absence: an event type that is missing from it is gone. `removed` are
    keys or names that a partial catalogue itself declares gone.
    """

    event_types: tuple[EventType, ...]
    complete: bool
    removed: tuple[str, ...] = ()
    occurred_at: datetime | None = None
    sequence: int | None = None
    workspace: str | None = None
