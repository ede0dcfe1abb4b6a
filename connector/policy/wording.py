"""What a person reads of a metric in LaunchDarkly: name, description, tags, unit.

This module must never refuse a partner's text: it cleans, shortens, or says that nothing is left.
"""

from __future__ import annotations

import re

from slugify import slugify

from connector.event_types import EventType
from connector.policy.metric_body import MAX_DESCRIPTION, MAX_NAME, TAG

_MAX_LABEL = 80
_MAX_TAG = 64
_MAX_PROVENANCE = 1500  # the source's own words always have the other half of the description

# Controls that are no white space, surrogates, and bidirectional embeddings, overrides and isolates, which make a text
# read as another one: https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters
_HIDING = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_CAMEL_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD_SEPARATORS = re.compile(r"[\s_.:/-]+")
_NOT_IN_A_TAG = re.compile(r"[^A-Za-z0-9._-]+")
_WEB_ADDRESS = re.compile(r"https?://\S+\Z", re.IGNORECASE)


def single_line(text: str | None) -> str:
    """The text in one line, with single spaces, without characters that hide or disguise what it says."""
    return " ".join(_HIDING.sub("", text or "").split())


def shorten(text: str, room: int) -> str:
    """At most `room` characters, ending in `…` where something is cut."""
    return text if len(text) <= room else text[: room - 1].rstrip() + "…"


def label(text: str | None) -> str:
    """A short text that stands within another one, such as a unit or a property; empty where there is none."""
    return shorten(single_line(text), _MAX_LABEL)


def display_name(event_type: EventType, event_key: str) -> str:
    """The source's name; without one, the event key made readable: `order_completed` is `Order Completed`."""
    if name := single_line(event_type.name):
        return name
    plain = single_line(event_key)
    words = _WORD_SEPARATORS.sub(" ", _CAMEL_BOUNDARY.sub(" ", plain)).split()
    return " ".join(word[0].upper() + word[1:] for word in words) or plain or "Unnamed event"


def metric_name(name: str, value_property: str, suffix: str) -> str:
    """`Order Completed`, `Order Completed (count)`, `Order Completed: revenue (average)`: the name gives way."""
    ending = (f": {value_property}" if value_property else "") + (f" ({suffix})" if suffix else "")
    return shorten(name, MAX_NAME - len(ending)) + ending


def description(event_type: EventType, partner_title: str) -> str:
    """The source's description, a blank line, and one line that says where the metric comes from, with its link."""
    text = "\n".join(single_line(line) for line in (event_type.description or "").splitlines()).strip()
    provenance = f"Kept in sync by Metric Connector from {label(partner_title)}"
    if event_type.id is not None:  # a key would change with a rename, and the description with it
        provenance += f", event type {label(event_type.id)}"
    linked = f"{provenance}: {event_type.url}"
    if _is_web_address(event_type.url) and len(linked) <= _MAX_PROVENANCE:
        provenance = linked
    return f"{shorten(text, MAX_DESCRIPTION - len(provenance) - 2)}\n\n{provenance}" if text else provenance


def tag(text: str) -> str | None:
    """The text in the alphabet of LaunchDarkly's tags; None where nothing of it can stand there."""
    if TAG.match(text):
        return text
    return slugify(text, lowercase=False, regex_pattern=_NOT_IN_A_TAG)[:_MAX_TAG] or None


def _is_web_address(url: str | None) -> bool:
    return url is not None and _WEB_ADDRESS.match(url) is not None and _HIDING.search(url) is None
