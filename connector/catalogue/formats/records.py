"""The event types of a file, together: no more than the limit, none twice, none that could not be looked up.

It must never know a format; each one tells it where a record stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TypeVar
from unicodedata import normalize

from connector.catalogue.formats.refusal import FileRefused
from connector.event_types import EventType

MOST_EVENT_TYPES = 100_000

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")

Place = TypeVar("Place")


def gathered(
    found: Iterable[tuple[Place, EventType]], where: Callable[[Place], str], *, unique: tuple[str, ...] = ("id", "key")
) -> tuple[EventType, ...]:
    """The event types as they stand in the file; `where` says, for a message, where a record stands.

    `unique` are the fields in which no two may be the same, or look the same. Raises `FileRefused`.
    """
    event_types: list[EventType] = []
    seen: dict[str, dict[str, tuple[str, Place]]] = {field: {} for field in unique}
    for place, event_type in found:
        if len(event_types) == MOST_EVENT_TYPES:
            raise FileRefused(
                where(place),
                f"A file may hold at most {MOST_EVENT_TYPES} event types.",
                "Split it into several files that are not complete.",
            )
        for field in ("id", "key"):
            text = getattr(event_type, field)
            if text is None:
                continue
            if _CONTROL.search(text):
                raise FileRefused(f"{where(place)}, {field}", "Has a control character, such as a line break.")
            if field in seen:
                other, elsewhere = seen[field].setdefault(normalize("NFC", text), (text, place))
                if elsewhere != place:
                    raise _twice(f"{where(place)}, {field}", text, other, where(elsewhere))
        event_types.append(event_type)
    return tuple(event_types)


def _twice(where: str, text: str, other: str, elsewhere: str) -> FileRefused:
    if text == other:
        what = f"Is the same as in {elsewhere}."
    else:
        what = f"Looks the same as in {elsewhere}, but is spelt with other characters (Unicode's NFC and NFD)."
    return FileRefused(where, what, "Keep one of them, or give them different ones, and read the file again.")
