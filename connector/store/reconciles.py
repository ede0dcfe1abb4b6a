"""When each connection is to be compared with its source and LaunchDarkly again, so that one process does it.

It must never know what a comparison finds.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection as Tx
from sqlalchemy import func, select

from connector.store import inbox
from connector.store.connections import ConnectionState
from connector.store.inbox import NewChange
from connector.store.rows import insert
from connector.store.tables import connections, reconciles

RECONCILE = "reconcile"
"""The kind of work that is no change yet: compare source, links and LaunchDarkly."""

DAILY = 24 * 3600.0
"""Seconds between two comparisons of a connection where nobody has said otherwise."""

NEVER = 0.0

AT_ONCE = 4
"""Comparisons that are queued in one go: each takes a thread for as long as its list is, and webhooks must not wait."""


def every(tx: Tx, connection_id: str) -> float:
    """Seconds between two comparisons; `NEVER` where a person wants none."""
    said = tx.execute(select(reconciles.c.every).where(reconciles.c.connection_id == connection_id))
    found: float | None = said.scalar_one_or_none()
    return DAILY if found is None else found


def set_every(tx: Tx, connection_id: str, seconds: float, *, now: float) -> None:
    """Compare every so many seconds from now on, or `NEVER`."""
    _put(tx, connection_id, {"every": seconds, "due_at": now + seconds})


def due_now(tx: Tx, connection_id: str, *, now: float) -> None:
    """Compare as soon as somebody looks, and then as often as before; not where a person wants none."""
    _put(tx, connection_id, {"every": every(tx, connection_id), "due_at": now})


def _put(tx: Tx, connection_id: str, values: dict[str, float]) -> None:
    statement = insert(tx, reconciles).values(connection_id=connection_id, **values)
    tx.execute(statement.on_conflict_do_update(index_elements=["connection_id"], set_=values))


def queue_due(tx: Tx, *, now: float) -> Sequence[str]:
    """Put comparisons of the active connections whose time came first into the inbox, `AT_ONCE` of them; their ids.

    A connection's first time comes a day after it was added. Of two processes that look at once one queues it.
    """
    interval = func.coalesce(reconciles.c.every, DAILY)
    due_at = func.coalesce(reconciles.c.due_at, connections.c.created_at + DAILY)
    due = tx.execute(
        select(connections.c.id, connections.c.endpoint_id, interval.label("every"), due_at.label("due_at"))
        .outerjoin(reconciles, reconciles.c.connection_id == connections.c.id)
        .where(connections.c.state == ConnectionState.ACTIVE, interval > NEVER, due_at <= now)
        .order_by(due_at, connections.c.id)
        .limit(AT_ONCE)
    ).all()
    for row in due:
        inbox.accept(
            tx,
            endpoint_id=row.endpoint_id,
            message_id=f"reconcile-{row.id}-{row.due_at:.3f}",
            body=b"",
            headers={},
            new_changes=[NewChange("", RECONCILE, connection_id=row.id)],
            now=now,
        )
        _put(tx, row.id, {"every": row.every, "due_at": now + row.every})
    return [row.id for row in due]
