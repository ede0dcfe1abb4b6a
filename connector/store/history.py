"""What happened: deliveries, their changes and every attempt, for the answer to a webhook and for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, case, func, select, true
from sqlalchemy.sql import ColumnElement

from connector.event_types import Outcome
from connector.store.connections import ConnectionState
from connector.store.searching import Filter, matching, of_change
from connector.store.tables import attempts, changes, connections, deliveries

__all__ = [
    "AttemptRecord",
    "ChangeRecord",
    "DeliveryDetails",
    "DeliveryRecord",
    "Filter",
    "Page",
    "changes_of",
    "counts",
    "details",
    "search",
]

MOST_SHOWN = 100
"""Changes of one delivery that a page shows; a catalogue's can have thousands."""


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
    more: bool = False
    """Whether a page left changes out."""


@dataclass(frozen=True, slots=True)
class Page:
    """Deliveries, newest first; `next` is the `after` of the page that follows, None on the last."""

    deliveries: Sequence[DeliveryRecord]
    next: str | None


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
    """All changes of these deliveries, by delivery."""
    return _records(connection, delivery_ids, changes.c.delivery_id.in_(delivery_ids))


def search(tx: Connection, wanted: Filter, *, after: str | None = None, limit: int = 50) -> Page:
    """A page of the deliveries that `wanted` describes; of each the changes that match, at most `MOST_SHOWN`."""
    ids = list(tx.execute(matching(wanted, after=after, limit=limit + 1)).scalars())
    columns = (deliveries.c.id, deliveries.c.endpoint_id, deliveries.c.message_id, deliveries.c.received_at)
    rows = tx.execute(select(*columns).where(deliveries.c.id.in_(ids[:limit])).order_by(deliveries.c.id.desc())).all()
    found = _records(tx, ids[:limit], changes.c.id.in_(_first(wanted, ids[:limit])))
    return Page(
        [
            DeliveryRecord(
                id=row.id,
                endpoint_id=row.endpoint_id,
                message_id=row.message_id,
                received_at=row.received_at,
                changes=found[row.id][:MOST_SHOWN],
                more=len(found[row.id]) > MOST_SHOWN,
            )
            for row in rows
        ],
        ids[limit - 1] if len(ids) > limit else None,
    )


def _first(wanted: Filter, delivery_ids: Sequence[str]) -> Select[Any]:
    """The ids of the first changes of each delivery that match, and of one more than are shown."""
    # What matches is told beside each row, not by a condition: an index on that would lead through far more of them.
    matches = case((and_(true(), *of_change(wanted)), 1), else_=0)
    in_order = func.row_number().over(partition_by=changes.c.delivery_id, order_by=[matches.desc(), changes.c.position])
    of_these = (
        select(changes.c.id, matches.label("matches"), in_order.label("number"))
        .where(changes.c.delivery_id.in_(delivery_ids))
        .subquery()
    )
    return select(of_these.c.id).where(of_these.c.matches == 1, of_these.c.number <= MOST_SHOWN + 1)


def _records(
    connection: Connection, delivery_ids: Sequence[str], which: ColumnElement[bool]
) -> Mapping[str, Sequence[ChangeRecord]]:
    rows = (
        select(changes, _HELD.label("held"), connections.c.resting_until)
        .outerjoin(connections, connections.c.id == changes.c.connection_id)
        .where(which)
        .order_by(changes.c.delivery_id, changes.c.position)
    )
    found: dict[str, list[ChangeRecord]] = {delivery_id: [] for delivery_id in delivery_ids}
    for row in connection.execute(rows):
        found[row.delivery_id].append(_record(row))
    return found


def _record(row: Row[Any]) -> ChangeRecord:
    return ChangeRecord(
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


@dataclass(frozen=True, slots=True)
class DeliveryDetails:
    delivery: DeliveryRecord
    headers: Mapping[str, str]
    body: bytes
    attempts: Sequence[AttemptRecord]


def details(connection: Connection, delivery_id: str, *, connection_id: str | None = None) -> DeliveryDetails | None:
    """One delivery with all there is to see.

    With `connection_id` only what is of that connection: the changes of others are left out, and where there are any
    the body and headers too. None where nothing is of it.
    """
    row = connection.execute(select(deliveries).where(deliveries.c.id == delivery_id)).one_or_none()
    if row is None:
        return None
    all_of_it = changes_of(connection, [delivery_id])[delivery_id]
    records = [each for each in all_of_it if connection_id in {None, each.connection_id}]
    if connection_id is not None and not records:
        return None
    shared = len(records) < len(all_of_it)
    mine = [changes.c.delivery_id == delivery_id]
    if connection_id is not None:
        mine.append(changes.c.connection_id == connection_id)
    tries = connection.execute(
        select(attempts).join(changes, changes.c.id == attempts.c.change_id).where(*mine).order_by(attempts.c.id)
    )
    return DeliveryDetails(
        delivery=DeliveryRecord(row.id, row.endpoint_id, row.message_id, row.received_at, records),
        headers={} if shared else row.headers,
        body=b"" if shared else row.body,
        attempts=[
            AttemptRecord(one.change_id, one.number, one.started_at, one.seconds, one.code, one.message, one.calls)
            for one in tries
        ],
    )


def counts(connection: Connection) -> Mapping[str, int]:
    """How many changes are in each state, `held` apart from `pending`."""
    found: dict[str, int] = {}
    # One walk through an index, where to group by state would read every row.
    for outcome, number in connection.execute(select(changes.c.outcome, func.count()).group_by(changes.c.outcome)):
        state = "pending" if outcome is None else "parked" if outcome == Outcome.PARKED else "done"
        found[state] = found.get(state, 0) + number
    held = connection.execute(
        select(func.count())
        .select_from(changes)
        .join(connections, connections.c.id == changes.c.connection_id)
        .where(changes.c.state == "pending", connections.c.state == ConnectionState.PAUSED)
    ).scalar_one()
    found = found | {"held": held, "pending": found.get("pending", 0) - held}
    return {state: number for state, number in found.items() if number}
