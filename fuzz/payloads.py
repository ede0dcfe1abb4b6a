"""JSON spoilt in its structure, then in its bytes. It must never know a partner or what a payload means."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from fuzz.choices import HOSTILE_TEXTS, Choices, mutated_bytes, mutated_text, one_of

_NUMBERS = (0, 1, -1, 0.5, -0.0, 1e300, 10**13, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 253_402_300_800, -(10**30), 10**400)
_ATOMS: tuple[Any, ...] = (None, True, False, [], {}, [[]], [{}], {"": ""}, [None])
_KEYS = (
    "id", "key", "name", "type", "event", "data", "value", "tags", "timestamp", "description", "object", "properties",
    "events", "event_types", "removedEvents", "previous_attributes", "changes", "field", "after", "before", "next",
    "", "__class__", "\0", "\ud83d", "a.b",
)  # fmt: skip
_BLANK_BYTES = (b"", b" ", b"null", b"{}", b"[]", b'"text"', b"7", b"NaN", b'{"a":1,"a":1}', b"\xef\xbb\xbf{}")


def hostile_body(payload: Any, choices: Choices) -> bytes:
    """The payload in bytes, with up to three things done to its structure and some to its bytes."""
    if choices.below(50) == 1:
        return one_of(_BLANK_BYTES, choices)
    for _ in range(choices.below(4)):
        payload = varied(payload, choices)
    try:
        # Not ASCII now and then, so that what JSON can only escape stands there raw as well.
        body = json.dumps(payload, ensure_ascii=choices.below(3) != 1).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):
        body = b"{}"  # the digits of a number or the depth are beyond what Python itself writes
    for _ in range(max(0, choices.below(6) - 3)):
        body = mutated_bytes(body, choices)
    return body


def varied(value: Any, choices: Choices) -> Any:
    """The value with one place of it changed: itself, or one within it."""
    if value and isinstance(value, dict) and choices.below(5):
        key = one_of(list(value), choices)
        return value | {key: varied(value[key], choices)}
    if value and isinstance(value, list) and choices.below(5):
        at = choices.below(len(value))
        return [*value[:at], varied(value[at], choices), *value[at + 1 :]]
    if isinstance(value, dict):
        return one_of(_OF_OBJECTS, choices)(value, choices)
    if isinstance(value, list):
        return one_of(_OF_ARRAYS, choices)(value, choices)
    if isinstance(value, str) and choices.below(3):
        return mutated_text(value, choices)
    return _anything(value, choices)


def _anything(value: Any, choices: Choices) -> Any:
    return one_of(_OF_ANYTHING, choices)(value, choices)


def _without_one(value: dict[str, Any], choices: Choices) -> dict[str, Any]:
    left_out = one_of([*value, ""], choices)
    return {key: inner for key, inner in value.items() if key != left_out}


_OF_ANYTHING: tuple[Callable[[Any, Choices], Any], ...] = (
    lambda _, choices: one_of(_ATOMS, choices),
    lambda _, choices: one_of(_NUMBERS, choices),
    lambda _, choices: one_of(HOSTILE_TEXTS, choices),
    lambda value, _: [value],
    lambda value, _: str(value) if not isinstance(value, int) else value + 1,
    lambda value, choices: {one_of(_KEYS, choices): value},
    lambda _, choices: choices.below(2**40) - 2**20,
    lambda _, choices: choices.some_bytes(20).decode("utf-8", "surrogateescape"),
    lambda _, choices: "long" * choices.below(600),
)
_OF_OBJECTS: tuple[Callable[[dict[str, Any], Choices], Any], ...] = (
    _without_one,
    _without_one,
    lambda value, choices: value | {one_of(_KEYS, choices): _anything(None, choices)},
    lambda value, choices: value | {one_of([*value, "id"], choices): _anything(None, choices)},
    lambda value, choices: value | {one_of([*value, "id"], choices): one_of([*value.values(), None], choices)},
    lambda value, choices: dict(zip(value, reversed(value.values()), strict=True)) if choices.below(2) else value,
    _anything,
)
_OF_ARRAYS: tuple[Callable[[list[Any], Choices], Any], ...] = (
    lambda value, _: value[1:],
    lambda value, _: value[:1],
    lambda value, _: value + value,
    lambda value, choices: [*value, _anything(None, choices)],
    lambda value, _: list(reversed(value)),
    lambda value, choices: value * choices.below(12),
    _anything,
)
