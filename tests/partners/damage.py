"""Payloads and bodies spoilt in every place, and whether a reading of one may be believed. Pure."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from connector.partners import Reading
from connector.partners.fields import KEY_LENGTH

Path = tuple[str | int, ...]

WRONG_TYPES: tuple[Any, ...] = ([[7]], {"wrong": 7})
# From the mildest to the worst: of each place, the last that a schema lets through goes all the way.
HOSTILE_TEXTS = (
    None,
    # No other offset from UTC can express these.
    "Fri, 31 Dec 9999 23:59:59 -2359",
    "9999-12-31T23:59:59-23:59",
    "0001-01-01T00:00:00+23:59",
    "long" * KEY_LENGTH,
    " ",
    "",
    "a NUL \0",
    "half a surrogate pair \ud83d",
)
HOSTILE_NUMBERS = (None, 0.5, -1, 10**13, 2**63, -(10**30), 1e300)


@dataclass(frozen=True, slots=True)
class Damaged:
    """`payload` with another value at `path`."""

    path: Path
    value: Any
    payload: Any

    def __str__(self) -> str:
        return f"{self.where} = {self.value!r:.40}"

    @property
    def where(self) -> str:
        return ".".join(map(str, self.path))

    def is_named_in(self, errors: Mapping[str, Any]) -> bool:
        """Whether the field errors point at the place, at what it stands in, or into what was put there."""
        place = self.where.split(".")
        return any(all(a == b for a, b in zip(name.split("."), place, strict=False)) for name in names(errors))

    def nulled(self) -> Any:
        """The payload with null in the same place."""
        return _with(self.payload, self.path, None).payload


def wrong_types(payload: Any) -> Iterator[Damaged]:
    """Every field once as an array and once as an object, where it is not one already."""
    for path, value in _nodes(payload):
        for wrong in WRONG_TYPES:
            if type(value) is not type(wrong):
                yield _with(payload, path, wrong)


def hostile_values(payload: Any) -> Iterator[Damaged]:
    """Every text and number as one of its type that nobody expects."""
    for path, value in _nodes(payload):
        texts = HOSTILE_TEXTS if isinstance(value, str) else ()
        numbers = HOSTILE_NUMBERS if isinstance(value, int | float) and not isinstance(value, bool) else ()
        for hostile in (*texts, *numbers):
            yield _with(payload, path, hostile)


def flipped(body: bytes, position: int) -> bytes:
    """The body with one bit of one byte turned."""
    return body[:position] + bytes([body[position] ^ 1]) + body[position + 1 :]


def unstorable(reading: Reading) -> list[str]:
    """What of a reading a database could not hold or find again."""
    texts = [text for text in _texts(asdict(reading)) if "\0" in text or not _is_unicode(text)]
    looked_up = [reading.message_id]
    for change in reading.changes:
        looked_up += [change.event_type.id, change.event_type.key, change.previous_key, change.workspace]
    return texts + [text for text in looked_up if text is not None and len(text) > KEY_LENGTH]


def names(errors: Any, name: str = "") -> Iterator[str]:
    """Of every field with an error, its name with dots."""
    if not isinstance(errors, Mapping):
        yield name
        return
    for inner_name, inner in errors.items():
        yield from names(inner, f"{name}.{inner_name}".lstrip("."))


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _with(payload: Any, path: Path, value: Any) -> Damaged:
    damaged = copy.deepcopy(payload)
    place = damaged
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return Damaged(path, value, damaged)


def _nodes(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    if path:
        yield path, value
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _nodes(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _nodes(inner, (*path, index))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
