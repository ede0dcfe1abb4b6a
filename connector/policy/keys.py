"""The keys of a metric: the event key that LaunchDarkly listens for, and the metric's own key, which never changes.

This module must never know how a metric reads to a person: `wording` does.
"""

from __future__ import annotations

import hashlib

from slugify import slugify

from connector.event_types import EventType
from connector.policy.metric_body import MAX_KEY


def event_key(event_type: EventType) -> str:
    """The event key exactly as the SDK sends it: the event type's key; else its name, which is what the SDK sends in
    products that have no key; else its id.

    Lone surrogates, which UTF-8 cannot carry, become U+FFFD, as in any JSON that LaunchDarkly reads.
    """
    key = event_type.key or event_type.name or event_type.id or ""
    return key.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def metric_key(event_key: str, label: str, prefix: str = "") -> str:
    """`prefix`, the slug of the event key, and `-label` where the measure has one.

    A slug that is too long is cut and gets a hash of the whole event key; an event key without a letter or digit
    is `event-` and its hash.
    """
    suffix = f"-{label}" if label else ""
    slug = slugify(event_key) or f"event-{_short_hash(event_key)}"
    room = MAX_KEY - len(prefix) - len(suffix)
    if len(slug) > room:
        slug = _cut_with_hash(slug, event_key, room)
    return prefix + slug + suffix


def candidate_keys(key: str, identity: str, connection_id: str) -> tuple[str, ...]:
    """The keys that a metric may get, in the order in which they are tried where one is taken by another metric."""
    fallback = collision_key(key, identity)
    return key, fallback, collision_key(fallback, connection_id)


def collision_key(key: str, identity: str) -> str:
    """`key` and a short hash of the event type's `identity`, for the event type that found `key` taken by another.

    The same identity gets the same key every time.
    """
    return _cut_with_hash(key, identity, MAX_KEY)


def _cut_with_hash(text: str, hashed: str, room: int) -> str:
    digest = _short_hash(hashed)
    return f"{text[: room - len(digest) - 1].rstrip('-._')}-{digest}"


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
