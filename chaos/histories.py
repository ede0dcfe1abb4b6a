"""Seeded histories of event types, as signed-to-be messages, and the state in which each history must end.

The end state is worked out from the documented rules alone (the newest statement wins, field by field): this module
must never import the connector, or a mistake there would be expected here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

DUPLICATES = 0.1
"""The share of messages that the partner sends once more, with the same id and bytes."""

_FIRST = datetime(2026, 1, 5, tzinfo=UTC)
_MOST_CHANGES = 9
_SPREAD = 15.0
"""Places by which messages overtake one another (standard deviation); a history's own are three places apart."""


@dataclass(frozen=True, slots=True)
class Message:
    """One webhook of one connection (its number)."""

    id: str
    connection: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Expected:
    """How an event type must stand in LaunchDarkly. `stem` is what all its event keys begin with."""

    connection: int
    stem: str
    key: str
    name: str
    description: str
    unit: str | None
    had_value: bool
    archived: bool


@dataclass(slots=True)
class _EventType:
    connection: int
    number: int
    state: dict[str, Any] = field(default_factory=dict)
    status: str = "active"
    revision: int = 0
    had_value: bool = False

    @property
    def stem(self) -> str:
        return f"c{self.connection}-e{self.number}-"

    def next(self, dice: Random) -> tuple[str, dict[str, Any]]:
        """What happens next, as the type and data of its webhook; the state moves on with it."""
        self.revision += 1
        data: dict[str, Any] = {"id": f"evt_{self.connection}_{self.number}", "version": self.revision}
        verb = "defined" if self.revision == 1 else self._verb(dice)
        if verb == "renamed":
            data |= {"previous_key": self.state["key"], "previous_name": self.state["name"]}
        if verb in {"defined", "renamed"}:
            key = f"{self.stem}r{self.revision}"
            self.state |= {"key": key, "name": f"Event {self.connection}.{self.number} as of {self.revision}"}
        if verb == "defined" or (verb == "updated" and dice.random() < 0.6):
            data["description"] = self.state["description"] = f"Said in revision {self.revision}."
        if (verb == "updated" and "description" not in data) or (verb == "defined" and dice.random() < 0.4):
            data["value"] = self.state["value"] = self._value(dice)
            self.had_value = self.had_value or data["value"] is not None
        self.status = {"archived": "archived", "deleted": "deleted", "restored": "active"}.get(verb, self.status)
        return f"event_type.{verb}", data | {"key": self.state["key"], "name": self.state["name"]}

    def _verb(self, dice: Random) -> str:
        if self.status != "active" and dice.random() < 0.6:
            return "restored"
        return dice.choices(["renamed", "updated", "archived", "deleted"], [5, 5, 2, 1])[0]

    def _value(self, dice: Random) -> Mapping[str, Any] | None:
        if dice.random() < 0.2:
            return None
        return {"property": "revenue", "type": "number", "unit": f"unit {self.revision}"}

    def expected(self) -> Expected:
        value = self.state.get("value")
        return Expected(
            connection=self.connection,
            stem=self.stem,
            key=self.state["key"],
            name=self.state["name"],
            description=self.state["description"],
            unit=None if value is None else value["unit"],
            had_value=self.had_value,
            archived=self.status != "active",
        )


def generate(seed: int, *, changes: int, connections: int) -> tuple[Sequence[Message], Sequence[Expected]]:
    """`changes` different messages, with duplicates and out of order, and the end of every history among them."""
    dice = Random(seed)
    event_types: list[_EventType] = []
    placed: list[tuple[float, Message]] = []
    while len(placed) < changes:
        event_type = _EventType(connection=len(event_types) % connections, number=len(event_types))
        event_types.append(event_type)
        start = dice.random() * changes
        for number in range(min(dice.randint(1, _MOST_CHANGES), changes - len(placed))):
            type_, data = event_type.next(dice)
            moment = (_FIRST + timedelta(seconds=number)).isoformat()
            body = json.dumps({"type": type_, "timestamp": moment, "data": data}).encode()
            message = Message(f"msg_{seed}_{len(placed)}", event_type.connection, body)
            placed.append((start + number * 3 + dice.gauss(0, _SPREAD), message))
    copies = [(place + dice.random() * 100, message) for place, message in placed if dice.random() < DUPLICATES]
    stream = [message for _, message in sorted(placed + copies, key=lambda item: item[0])]
    return stream, [event_type.expected() for event_type in event_types]
