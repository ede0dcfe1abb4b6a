"""How pages write what people read: times, numbers, and text that a stranger wrote."""

from __future__ import annotations

import json
import time
import unicodedata
from contextlib import suppress
from datetime import UTC, datetime

from markupsafe import Markup

LONGEST = 300
"""Characters of a foreign text that a page shows where it does not say otherwise."""

_JOINERS = "\u200c\u200d"  # they shape Persian and emoji, and turn no direction
_UNITS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))


def foreign(text: object, longest: int = LONGEST) -> Markup:
    """A text that cannot lead its surroundings astray: bounded, its direction isolated, nothing in it invisible."""
    return Markup("<bdi>{}</bdi>").format(plain(text, longest))


def plain(text: object, longest: int = LONGEST) -> str:
    """`foreign` for a place that takes no markup: an option, a title, an attribute."""
    whole = "" if text is None else str(text)
    shown = "".join(_visible(character) for character in whole[:longest])
    return shown if len(whole) <= longest else f"{shown}… ({len(whole):,} characters)"


def pretty(body: bytes) -> str:
    """A body for people: JSON indented, anything else as it is, control characters made visible."""
    text = body.decode(errors="replace")
    with suppress(ValueError, RecursionError):
        text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    return "".join(each if each == "\n" else _visible(each) for each in text)


def moment(seconds: float | None) -> Markup:
    """A point in time, in UTC, to the second."""
    if not seconds:
        return Markup("")
    at = datetime.fromtimestamp(seconds, UTC)
    return Markup('<time datetime="{}">{}</time>').format(
        at.isoformat(timespec="milliseconds"), at.strftime("%Y-%m-%d %H:%M:%S")
    )


def ago(seconds: float | None) -> Markup:
    """A point in time as how long ago it is (or how soon it will be), with the exact time at hand."""
    if not seconds:
        return Markup("")
    at = datetime.fromtimestamp(seconds, UTC)
    past = time.time() - seconds
    text = f"{duration(past)} ago" if past >= 0 else f"in {duration(-past)}"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        at.isoformat(timespec="milliseconds"), at.strftime("%Y-%m-%d %H:%M:%S UTC"), text
    )


def duration(seconds: float) -> str:
    """The two largest units of a span of time."""
    for index, (size, name) in enumerate(_UNITS):
        if seconds >= size:
            whole = int(seconds // size)
            rest = int((seconds - whole * size) // _UNITS[index + 1][0]) if name in {"d", "h"} else 0
            return f"{whole} {name}" + (f" {rest} {_UNITS[index + 1][1]}" if rest else "")
    return "0 s"


def seconds(span: float | None) -> str:
    """A short span of time: milliseconds below one second."""
    if span is None:
        return ""
    return f"{span * 1000:.0f} ms" if span < 1 else f"{span:.1f} s"


def number(value: float) -> str:
    return f"{value:,}"


def _visible(character: str) -> str:
    if character in _JOINERS or unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}:
        return character
    return f"[U+{ord(character):04X}]"


__all__ = ["ago", "duration", "foreign", "moment", "number", "plain", "pretty", "seconds"]
