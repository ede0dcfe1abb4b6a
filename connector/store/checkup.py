"""What the doctor asks of the store, and only reads: what is late, stuck, or older than it should be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, func, select

from connector.event_types import Outcome
from connector.store.inbox import KEEP_SECONDS
from connector.store.tables import alert_messages, changes, deliveries, duties


def stale_leases(tx: Connection, *, now: float) -> int:
    """Changes that somebody took and did not settle in time."""
    late = (changes.c.state == "pending") & changes.c.lease_owner.is_not(None) & (changes.c.due_at <= now)
    return tx.execute(select(func.count()).select_from(changes).where(late)).scalar_one()


def overdue_duties(tx: Connection, *, before: float) -> Sequence[str]:
    """Duties that were due before that moment, and were not done."""
    return list(tx.execute(select(duties.c.name).where(duties.c.due_at < before).order_by(duties.c.name)).scalars())


def unsent_alerts(tx: Connection) -> int:
    """Messages about alerts that were tried and are still to be sent."""
    return tx.execute(
        select(func.count()).select_from(alert_messages).where(alert_messages.c.attempts > 0)
    ).scalar_one()


def oldest_forgettable(tx: Connection, *, now: float) -> float | None:
    """When the oldest delivery came (unix seconds) that is finished and past its time; None without any."""
    waiting = select(changes.c.delivery_id).where(changes.c.delivery_id == deliveries.c.id, changes.c.state != "done")
    return tx.execute(
        select(deliveries.c.received_at)
        .where(deliveries.c.received_at < now - KEEP_SECONDS, ~waiting.exists())
        .order_by(deliveries.c.received_at)
        .limit(1)
    ).scalar()


def last_delivery(tx: Connection, endpoint_id: str) -> float | None:
    """When the endpoint was last sent to (unix seconds); None where it never was."""
    newest = select(deliveries.c.received_at).where(deliveries.c.endpoint_id == endpoint_id)
    return tx.execute(newest.order_by(deliveries.c.id.desc()).limit(1)).scalar()


def parked_reasons(tx: Connection, connection_id: str, *, limit: int = 20) -> Iterator[str]:
    """Why the latest changes of a connection are parked."""
    parked = (changes.c.connection_id == connection_id) & (changes.c.outcome == Outcome.PARKED)
    rows = tx.execute(select(changes.c.result).where(parked).order_by(changes.c.delivery_id.desc()).limit(limit))
    for result in rows.scalars():
        yield str(result.get("reason", ""))
