"""Links: which metric stands for which event type and measure of a connection, and the last body applied.

A link is written before the metric is created, so that a crash in between leaves a trace of what was meant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, delete, select, update

from connector.store.rows import insert_ignoring
from connector.store.tables import links


class LinkState(StrEnum):
    CREATING = "creating"
    LIVE = "live"
    ARCHIVED = "archived"


@dataclass(frozen=True, slots=True)
class Link:
    """`body` is what LaunchDarkly was told last (of a `creating` link: what it is about to be told)."""

    measure: str
    metric_key: str
    body: Mapping[str, Any]
    state: LinkState


def of_event_type(tx: Connection, event_type_id: int) -> Sequence[Link]:
    rows = tx.execute(select(links).where(links.c.event_type_id == event_type_id).order_by(links.c.id))
    return [Link(row.measure, row.metric_key, row.body, LinkState(row.state)) for row in rows]


def reserve(tx: Connection, connection_id: str, event_type_id: int, link: Link, *, now: float) -> bool:
    """Take `link.metric_key` for this event type and measure; False where another of the connection holds it."""
    holder = tx.execute(
        select(links.c.event_type_id, links.c.measure).where(
            links.c.connection_id == connection_id, links.c.metric_key == link.metric_key
        )
    ).one_or_none()
    if holder is not None and (holder.event_type_id, holder.measure) != (event_type_id, link.measure):
        return False
    tx.execute(delete(links).where(links.c.event_type_id == event_type_id, links.c.measure == link.measure))
    values = {
        "connection_id": connection_id,
        "event_type_id": event_type_id,
        "measure": link.measure,
        "metric_key": link.metric_key,
        "body": dict(link.body),
        "state": link.state,
        "updated_at": now,
    }
    return insert_ignoring(tx, links, values, conflict=["connection_id", "metric_key"]) is not None


def save(tx: Connection, event_type_id: int, link: Link, *, now: float) -> None:
    tx.execute(
        update(links)
        .where(links.c.event_type_id == event_type_id, links.c.measure == link.measure)
        .values(metric_key=link.metric_key, body=dict(link.body), state=link.state, updated_at=now)
    )


def drop(tx: Connection, event_type_id: int, measure: str) -> None:
    tx.execute(delete(links).where(links.c.event_type_id == event_type_id, links.c.measure == measure))
