"""What a catalogue changes, against what is known of the same connection. Pure: no I/O, no store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from connector.event_types import Catalogue, Change, ChangeKind, EventType

LARGEST_ARCHIVE = 10
LARGEST_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Known:
    """An event type as the source has stated it so far; `status` is `active`, `archived` or `deleted`."""

    event_type: EventType
    status: str


@dataclass(frozen=True, slots=True)
class Difference:
    """The changes of a catalogue. Where `archives_too_many` a person has to look before those are applied:

    a list that was cut short must not empty a project.
    """

    changes: tuple[Change, ...]
    archives_too_many: bool = False


def difference(catalogue: Catalogue, known: Sequence[Known]) -> Difference:
    """Changes that bring `known` to `catalogue`: by id where the source has ids, else by key.

    Only a complete catalogue archives what it does not name; a partial one archives what it declares removed, by key
    or name. A field that the catalogue does not state is no difference.
    """
    by_id = {each.event_type.id: each for each in known if each.event_type.id is not None}
    by_key = {each.event_type.key: each for each in known if each.event_type.key is not None}
    changes: list[Change] = []
    seen: set[EventType] = set()
    for event_type in catalogue.event_types:
        before = by_id.get(event_type.id) if event_type.id is not None else by_key.get(event_type.key or "")
        if before is not None:
            seen.add(before.event_type)
        change = _change(event_type, before)
        if change is not None:
            changes.append(_stamped(change, catalogue))
    active = [each for each in known if each.status == "active"]
    gone = _gone(catalogue, active, seen)
    changes.extend(_stamped(Change(ChangeKind.ARCHIVED, reference(each.event_type)), catalogue) for each in gone)
    too_many = len(gone) > LARGEST_ARCHIVE and len(gone) > LARGEST_SHARE * len(active)
    return Difference(tuple(changes), archives_too_many=too_many)


def _change(now: EventType, before: Known | None) -> Change | None:
    if before is None:
        return Change(ChangeKind.DEFINED, now)
    was = before.event_type
    stated, known = now.to_dict(), was.to_dict()
    differing = {field for field, value in stated.items() if known.get(field) != value}
    if before.status != "active":
        return Change(ChangeKind.RESTORED, now)
    if differing & {"key", "name"}:
        renamed_key = was.key if "key" in differing else None
        renamed_name = was.name if "name" in differing else None
        return Change(ChangeKind.RENAMED, now, previous_key=renamed_key, previous_name=renamed_name)
    return Change(ChangeKind.UPDATED, now) if differing else None


def _gone(catalogue: Catalogue, active: Sequence[Known], seen: set[EventType]) -> list[Known]:
    if catalogue.complete:
        return [each for each in active if each.event_type not in seen]
    removed = set(catalogue.removed)
    return [
        each for each in active if each.event_type not in seen and removed & {each.event_type.key, each.event_type.name}
    ]


def reference(event_type: EventType) -> EventType:
    """Enough to say which one is meant, and nothing that could overwrite a later statement."""
    return EventType(id=event_type.id, key=None if event_type.id is not None else event_type.key)


def _stamped(change: Change, catalogue: Catalogue) -> Change:
    return replace(
        change,
        occurred_at=catalogue.occurred_at,
        sequence=catalogue.sequence,
        workspace=catalogue.workspace,
    )
