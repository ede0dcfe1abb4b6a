"""Links: which metric stands for which event type and measure of a connection, and the last body applied.

A link is written before the metric is created, so that a crash in between leaves a trace of what was meant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection

from connector.store.statements import Statement, json_text, json_value


class LinkState(StrEnum):
    """`CREATING` and `ADOPTING` say what is about to be done: whether it was done is read back."""

    CREATING = "creating"
    ADOPTING = "adopting"
    LIVE = "live"
    ARCHIVED = "archived"


@dataclass(frozen=True, slots=True)
class Link:
    """`body` is what LaunchDarkly was told last (of an unsettled link: what it is about to be told, or stands for)."""

    measure: str
    metric_key: str
    body: Mapping[str, Any]
    state: LinkState


FIELDS = [each.name for each in fields(Link)]
"""The columns of a link, in the order in which `from_stored` takes them."""

_OF = Statement(
    f"SELECT {', '.join(FIELDS)} FROM links WHERE event_type_id = :event_type_id ORDER BY id"  # noqa: S608 - our own
)
_HOLDER = Statement(
    "SELECT event_type_id, measure FROM links WHERE connection_id = :connection_id AND metric_key = :metric_key"
)
_DROP = Statement("DELETE FROM links WHERE event_type_id = :event_type_id AND measure = :measure")
_RESERVE = Statement(
    "INSERT INTO links (connection_id, event_type_id, measure, metric_key, body, state, updated_at) "
    "VALUES (:connection_id, :event_type_id, :measure, :metric_key, :body, :state, :now) "
    "ON CONFLICT DO NOTHING"
)
_SAVE = Statement(
    "UPDATE links SET metric_key = :metric_key, body = :body, state = :state, updated_at = :now "
    "WHERE event_type_id = :event_type_id AND measure = :measure"
)


def of_event_type(tx: Connection, event_type_id: int) -> Sequence[Link]:
    return [from_stored(row) for row in _OF.all(tx, {"event_type_id": event_type_id})]


def from_stored(row: Sequence[Any]) -> Link:
    """What `FIELDS` of a row say."""
    measure, metric_key, body, state = row
    return Link(measure, metric_key, json_value(body), LinkState(state))


def reserve(tx: Connection, connection_id: str, event_type_id: int, link: Link, *, now: float) -> bool:
    """Take `link.metric_key` for this event type and measure; False where another of the connection holds it."""
    values = _values(event_type_id, link, now) | {"connection_id": connection_id}
    if _RESERVE.change(tx, values):
        return True
    holder = _HOLDER.one(tx, {"connection_id": connection_id, "metric_key": link.metric_key})
    if holder is not None and holder != (event_type_id, link.measure):
        return False
    _DROP.change(tx, {"event_type_id": event_type_id, "measure": link.measure})
    return _RESERVE.change(tx, values) == 1


def save(tx: Connection, event_type_id: int, link: Link, *, now: float) -> None:
    _SAVE.change(tx, _values(event_type_id, link, now))


def drop(tx: Connection, event_type_id: int, measure: str) -> None:
    _DROP.change(tx, {"event_type_id": event_type_id, "measure": measure})


def _values(event_type_id: int, link: Link, now: float) -> dict[str, Any]:
    return {
        "event_type_id": event_type_id,
        "measure": link.measure,
        "metric_key": link.metric_key,
        "body": json_text(dict(link.body)),
        "state": link.state.value,
        "now": now,
    }
