"""The search form of the deliveries: what was asked, and the filter that it stands for. No database, no page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from connector.event_types import Outcome
from connector.store.history import Filter

STATES = ("pending", "parked", "done")

LABELS = {
    "q": "Delivery or message id",
    "event_type": "Event type",
    "connection": "Connection",
    "state": "State",
    "outcome": "Outcome",
    "since": "Received from (UTC)",
    "until": "Received before (UTC)",
}
"""What people call each field."""


def asked_for(given: Mapping[str, str]) -> dict[str, str]:
    """The fields of the form; empty where nothing was asked for."""
    return {name: given.get(name, "").strip() for name in LABELS}


def filled(asked: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in asked.items() if value}


def filter_of(asked: Mapping[str, str]) -> Filter:
    """Raises `ValueError` with a sentence for what nobody can search for."""
    text = asked["q"]
    known = {"", *Outcome}
    if asked["outcome"] not in known or asked["state"] not in {"", *STATES}:
        raise ValueError("There is no such state or outcome.")
    return Filter(
        delivery_id=text if text.startswith("dlv_") else None,
        message_id=text if text and not text.startswith("dlv_") else None,
        event_type=asked["event_type"] or None,
        connection_id=asked["connection"] or None,
        state=asked["state"] or None,
        outcome=asked["outcome"] or None,
        since=_time(asked["since"]),
        until=_time(asked["until"]),
    )


def _time(text: str) -> float | None:
    """A point in time as a browser's own field writes it, in UTC."""
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"{text[:40]!r} is no time: write it as 2026-11-22T10:00.") from None
