"""What happened: deliveries, their changes and every attempt, for the answer to a webhook and for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, case, func, select

from connector.store.connections import ConnectionState
from connector.store.tables import attempts, changes, connections, deliveries


@dataclass(frozen=True, slots=True)
class ChangeRecord:
    """One change as it stands. `state` is `pending`, `done` or `parked`; `result` has metrics, reason, next step.

    `due_at` is when it is tried next, 0 where it is not; `leased` says that a runner has it now, `held` that it waits
    for its connection to be resumed.
    """

    id: int
    connection_id: str | None
    label: str
    kind: str
    state: str
    outcome: str | None
    attempts: int
    replays: int
    due_at: float
    leased: bool
    held: bool
    finished_at: float | None
    result: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    id: str
    endpoint_id: str
    message_id: str
    received_at: float
    changes: Sequence[ChangeRecord]


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    change_id: int
    number: int
    started_at: float
    seconds: float
    code: str
    message: str | None
    calls: Sequence[Mapping[str, Any]]


_HELD = and_(changes.c.state == "pending", func.coalesce(connections.c.state, "") == ConnectionState.PAUSED)


def changes_of(connection: Connection, delivery_ids: Sequence[str]) -> Mapping[str, Sequence[ChangeRecord]]:
    rows = connection.execute(
        select(changes, _HELD.label("held"), connections.c.resting_until)
        .outerjoin(connections, connections.c.id == changes.c.connection_id)
        .where(changes.c.delivery_id.in_(delivery_ids))
        .order_by(changes.c.delivery_id, changes.c.position)
    )
    found: dict[str, list[ChangeRecord]] = {delivery_id: [] for delivery_id in delivery_ids}
    for row in rows:
        found[row.delivery_id].append(
            ChangeRecord(
                id=row.id,
                connection_id=row.connection_id,
                label=row.label,
                kind=row.kind,
                state=row.state,
                outcome=row.outcome,
                attempts=row.attempts,
                replays=row.replays,
                due_at=max(row.due_at, row.resting_until or 0.0) if row.due_at else 0.0,
                leased=row.lease_owner is not None,
                held=row.held,
                finished_at=row.finished_at,
                result=row.result,
            )
        )
    return found


def listing(
    connection: Connection,
    *,
    connection_id: str | None = None,
    state: str | None = None,
    before: str | None = None,
    limit: int = 50,
) -> Sequence[DeliveryRecord]:
    """Newest first; `before` is the last id of the page before."""
    query = select(deliveries.c.id, deliveries.c.endpoint_id, deliveries.c.message_id, deliveries.c.received_at)
    if connection_id is not None or state is not None:
        matching = select(changes.c.delivery_id)
        if connection_id is not None:
            matching = matching.where(changes.c.connection_id == connection_id)
        if state is not None:
            matching = matching.where(changes.c.state == state)
        query = query.where(deliveries.c.id.in_(matching))
    if before is not None:
        query = query.where(deliveries.c.id < before)
    rows = connection.execute(query.order_by(deliveries.c.id.desc()).limit(limit)).all()
    found = changes_of(connection, [row.id for row in rows])
    return [DeliveryRecord(row.id, row.endpoint_id, row.message_id, row.received_at, found[row.id]) for row in rows]


@dataclass(frozen=True, slots=True)
class DeliveryDetails:
    delivery: DeliveryRecord
    headers: Mapping[str, str]
    body: bytes
    attempts: Sequence[AttemptRecord]


def details(connection: Connection, delivery_id: str) -> DeliveryDetails | None:
    row = connection.execute(select(deliveries).where(deliveries.c.id == delivery_id)).one_or_none()
    if row is None:
        return None
    records = changes_of(connection, [delivery_id])[delivery_id]
    tries = connection.execute(
        select(attempts).where(attempts.c.change_id.in_([record.id for record in records])).order_by(attempts.c.id)
    )
    return DeliveryDetails(
        delivery=DeliveryRecord(row.id, row.endpoint_id, row.message_id, row.received_at, records),
        headers=row.headers,
        body=row.body,
        attempts=[
            AttemptRecord(one.change_id, one.number, one.started_at, one.seconds, one.code, one.message, one.calls)
            for one in tries
        ],
    )


def counts(connection: Connection) -> Mapping[str, int]:
    """How many changes are in each state, `held` apart from `pending`."""
    state = case((_HELD, "held"), else_=changes.c.state).label("shown")
    rows = connection.execute(
        select(state, func.count().label("number"))
        .select_from(changes)
        .outerjoin(connections, connections.c.id == changes.c.connection_id)
        .group_by(state)
    )
    return {row.shown: row.number for row in rows}
