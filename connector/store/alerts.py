"""Which alerts stand, what speaks for new ones, and the messages about them that are still to be sent.

It must never know how a message is sent, nor what an alert says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, exists, func, or_, select, update

from connector.event_types import Outcome
from connector.store.connections import ConnectionState
from connector.store.rows import new_id
from connector.store.tables import alert_messages, alerts, changes, connections

LATEST = 50
"""Changes of a connection from which its failing share is taken."""

FEWEST = 4
"""Tried changes below which no share is taken: one failure is no trend."""

_WAIT_THEIR_TURN = frozenset({"launchdarkly_rate_limited", "launchdarkly_paced"})


@dataclass(frozen=True, slots=True)
class Trouble:
    """A connection that is paused, has parked changes, fails, or whose key ends at `key_expires_at` (unix seconds).

    `share` (0 to 1) is of its latest tried changes.
    """

    connection_id: str
    name: str
    paused: bool
    code: str | None
    reason: str | None
    parked: int
    share: float
    key_expires_at: float | None = None


def troubles(tx: Connection, *, expiring: float = 0.0) -> Sequence[Trouble]:
    """The connections about which a person may want to know something, by id.

    Among them those whose key ends before `expiring` (unix seconds); without it no key matters.
    """
    # By the outcome, which has an index; a parked change has no other.
    is_parked = (changes.c.outcome == Outcome.PARKED) & (changes.c.state == "parked")
    retried = select(changes.c.connection_id).where(changes.c.state == "pending", changes.c.attempts > 0)
    parked = select(changes.c.connection_id, func.count().label("number")).where(is_parked)
    numbers = {row.connection_id: row.number for row in tx.execute(parked.group_by(changes.c.connection_id))}
    rows = tx.execute(
        select(connections)
        .where(
            connections.c.state != ConnectionState.REMOVED,
            or_(
                connections.c.state == ConnectionState.PAUSED,
                connections.c.id.in_(retried),
                connections.c.id.in_(select(changes.c.connection_id).where(is_parked)),
                connections.c.key_expires_at <= expiring,
            ),
        )
        .order_by(connections.c.id)
    ).all()
    return [
        Trouble(
            connection_id=row.id,
            name=row.name,
            paused=row.state == ConnectionState.PAUSED,
            code=row.state_code,
            reason=row.state_reason,
            parked=numbers.get(row.id, 0),
            share=_failing_share(tx, row.id),
            key_expires_at=row.key_expires_at,
        )
        for row in rows
    ]


def _failing_share(tx: Connection, connection_id: str) -> float:
    latest = tx.execute(
        select(changes.c.state, changes.c.result)
        .where(changes.c.connection_id == connection_id, or_(changes.c.attempts > 0, changes.c.state != "pending"))
        .order_by(changes.c.id.desc())
        .limit(LATEST)
    ).all()
    if len(latest) < FEWEST:
        return 0.0
    return sum(_fails(row.state, row.result) for row in latest) / len(latest)


def _fails(state: str, result: Mapping[str, Any]) -> bool:
    if state == "pending":
        return "code" in result and result["code"] not in _WAIT_THEIR_TURN
    return state == "parked"


def oldest_wait(tx: Connection) -> float | None:
    """When the oldest change came (unix seconds) that is neither finished nor held by a pause; None without any."""
    oldest: float | None = tx.execute(
        select(func.min(changes.c.queued_at))
        .select_from(changes)
        .join(connections, connections.c.id == changes.c.connection_id)
        .where(changes.c.state == "pending", connections.c.state != ConnectionState.PAUSED)
    ).scalar_one()
    return oldest


@dataclass(frozen=True, slots=True)
class Standing:
    """An alert that was raised and is not solved. `subject` is a connection's id, or empty for the installation."""

    kind: str
    subject: str
    level: int
    summary: str
    raised_at: float


def standing(tx: Connection) -> Sequence[Standing]:
    """Oldest first."""
    rows = tx.execute(select(alerts).order_by(alerts.c.raised_at, alerts.c.id))
    return [Standing(row.kind, row.subject, row.level, row.summary, row.raised_at) for row in rows]


def raise_(tx: Connection, alert: Standing) -> None:
    """Note that the alert stands, at the level of now."""
    mine = (alerts.c.kind == alert.kind) & (alerts.c.subject == alert.subject)
    values = {"level": alert.level, "summary": alert.summary}
    if tx.execute(update(alerts).where(mine).values(values)).rowcount == 0:
        first = {"kind": alert.kind, "subject": alert.subject, "raised_at": alert.raised_at}
        tx.execute(alerts.insert().values(values | first))


def solve(tx: Connection, alert: Standing) -> None:
    tx.execute(delete(alerts).where(alerts.c.kind == alert.kind, alerts.c.subject == alert.subject))


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be said through one sink. `attempts` counts this one."""

    id: str
    sink: str
    content: Mapping[str, Any]
    created_at: float
    attempts: int


def queue(tx: Connection, sink: str, content: Mapping[str, Any], *, now: float) -> None:
    values = {"id": new_id("alr", now), "sink": sink, "message": dict(content), "created_at": now, "due_at": now}
    tx.execute(alert_messages.insert().values(values | {"attempts": 0}))


def due(tx: Connection, *, now: float) -> bool:
    """Whether any message is to be sent."""
    return tx.execute(select(exists().where(alert_messages.c.due_at <= now))).scalar_one()


def take(tx: Connection, *, now: float, lease: float, limit: int = 50) -> Sequence[Message]:
    """Due messages, oldest first, which nobody else takes for `lease` seconds."""
    rows = tx.execute(
        select(alert_messages)
        .where(alert_messages.c.due_at <= now)
        .order_by(alert_messages.c.created_at, alert_messages.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    tx.execute(
        update(alert_messages)
        .where(alert_messages.c.id.in_([row.id for row in rows]))
        .values(due_at=now + lease, attempts=alert_messages.c.attempts + 1)
    )
    return [Message(row.id, row.sink, row.message, row.created_at, row.attempts + 1) for row in rows]


def sent(tx: Connection, message: Message) -> None:
    """It was said, or is given up."""
    tx.execute(delete(alert_messages).where(alert_messages.c.id == message.id))


def postpone(tx: Connection, message: Message, *, until: float) -> None:
    tx.execute(update(alert_messages).where(alert_messages.c.id == message.id).values(due_at=until))
