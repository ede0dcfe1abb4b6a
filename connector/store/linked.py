"""The event types of one connection beside their links, as people and programs page through them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, exists, select

from connector.store.links import Link, LinkState
from connector.store.tables import event_type_keys, event_types, links


@dataclass(frozen=True, slots=True)
class Linked:
    """An event type: `registers` is what its source stated, as `event_types.save_state` keeps it."""

    id: int
    registers: Mapping[str, Any]
    created_at: float
    links: Sequence[Link]


def page(
    tx: Connection, connection_id: str, *, label: str | None = None, after: int | None = None, limit: int
) -> Sequence[Linked]:
    """Oldest first; `after` is the last id of the page before, `label` the source's id or a key that it had."""
    rows = select(event_types).where(event_types.c.connection_id == connection_id)
    if label is not None:
        led_to = select(event_type_keys.c.event_type_id).where(
            event_type_keys.c.connection_id == connection_id, event_type_keys.c.key == label
        )
        rows = rows.where((event_types.c.identity == f"id:{label}") | event_types.c.id.in_(led_to))
    if after is not None:
        rows = rows.where(event_types.c.id > after)
    found = tx.execute(rows.order_by(event_types.c.id).limit(limit)).all()
    by_event_type: dict[int, list[Link]] = {row.id: [] for row in found}
    of_these = links.c.event_type_id.in_(by_event_type.keys())
    for link in tx.execute(select(links).where(of_these).order_by(links.c.id)):
        by_event_type[link.event_type_id].append(Link(link.measure, link.metric_key, link.body, LinkState(link.state)))
    return [Linked(row.id, row.state, row.created_at, by_event_type[row.id]) for row in found]


def one(tx: Connection, connection_id: str, event_type_id: int) -> Linked | None:
    """None where the connection has no such event type, whoever else has."""
    found = page(tx, connection_id, after=event_type_id - 1, limit=1)
    return found[0] if found and found[0].id == event_type_id else None


def any_link(tx: Connection, connection_id: str) -> bool:
    """Whether a metric stands for anything of the connection."""
    return bool(tx.execute(select(exists().where(links.c.connection_id == connection_id))).scalar_one())
