"""What a plan is made against, and how far the delivery is that carries one.

A plan may be of many thousand changes: they are counted, never loaded, to tell how far it is. It must never know what
a plan says.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection as Tx
from sqlalchemy import and_, case, func, select

from connector.store.connections import ConnectionState
from connector.store.inbox import Work
from connector.store.links import Link, LinkState
from connector.store.tables import changes, connections, deliveries, event_types, links

SYNC = "sync"
"""The kind of work that is no change yet: put the changes of a plan, the delivery's body, into the inbox."""

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Held:
    """One event type of a connection: what its source has said of it (see `delivery.merging`), and its metrics."""

    registers: Mapping[str, Any]
    links: Sequence[Link]


@dataclass(frozen=True, slots=True)
class Tally:
    """How many changes of a delivery are in which state. `held` are those of the pending that wait for a person to
    resume the connection, `due_at` (unix seconds) is when the next of the pending is due; None where none is.
    """

    total: int
    done: int
    parked: int
    pending: int
    leased: int
    held: int
    due_at: float | None
    unpacked: bool


def held(tx: Tx, connection_id: str) -> Sequence[Held]:
    """Every event type of the connection that anything was said of, oldest first."""
    by_event_type: defaultdict[int, list[Link]] = defaultdict(list)
    for row in tx.execute(select(links).where(links.c.connection_id == connection_id).order_by(links.c.id)):
        by_event_type[row.event_type_id].append(Link(row.measure, row.metric_key, row.body, LinkState(row.state)))
    rows = tx.execute(
        select(event_types.c.id, event_types.c.state)
        .where(event_types.c.connection_id == connection_id)
        .order_by(event_types.c.id)
    )
    return [Held(row.state, tuple(by_event_type.get(row.id, ()))) for row in rows if row.state]


def linked(tx: Tx, connection_id: str) -> frozenset[str]:
    """The keys of the connection's metrics."""
    return frozenset(tx.execute(select(links.c.metric_key).where(links.c.connection_id == connection_id)).scalars())


def version(tx: Tx, connection_id: str) -> str:
    """Differs as soon as anything was accepted for or done to the connection: a word to compare, for nothing else."""
    row = tx.execute(
        select(
            func.coalesce(func.max(changes.c.id), 0),
            func.coalesce(func.sum(changes.c.attempts), 0),
            func.coalesce(func.sum(changes.c.replays), 0),
            func.coalesce(func.sum(case((changes.c.state == "pending", 1), else_=0)), 0),
        ).where(changes.c.connection_id == connection_id)
    ).one()
    return ".".join(str(int(number)) for number in row)


def unfinished(tx: Tx, connection_id: str) -> str | None:
    """The oldest delivery of the connection that carries a plan of which something is still to be done."""
    plans = select(changes.c.delivery_id).where(changes.c.connection_id == connection_id, changes.c.kind == SYNC)
    row = tx.execute(
        select(changes.c.delivery_id)
        .where(changes.c.connection_id == connection_id, changes.c.state == "pending", changes.c.delivery_id.in_(plans))
        .order_by(changes.c.id)
        .limit(1)
    )
    found: str | None = row.scalar_one_or_none()
    return found


def carrying(tx: Tx, endpoint_id: str, message_id: str) -> str | None:
    """The delivery with this message id, where the endpoint has one."""
    where = (deliveries.c.endpoint_id == endpoint_id) & (deliveries.c.message_id == message_id)
    found: str | None = tx.execute(select(deliveries.c.id).where(where)).scalar_one_or_none()
    return found


def holds(tx: Tx, work: Work) -> bool:
    """Whether `work` is still leased to who claimed it; no other can take it over before the transaction ends."""
    leased = (
        (changes.c.id == work.change_id)
        & (changes.c.lease_owner == work.owner)
        & (changes.c.attempts == work.attempts)
        & (changes.c.state == "pending")
    )
    return tx.execute(select(changes.c.id).where(leased).with_for_update()).scalar_one_or_none() is not None


def body(tx: Tx, delivery_id: str) -> bytes:
    found: bytes = tx.execute(select(deliveries.c.body).where(deliveries.c.id == delivery_id)).scalar_one()
    return found


def unpacked(tx: Tx, delivery_id: str) -> int:
    """How many changes of the plan are in the inbox."""
    last = select(func.max(changes.c.position)).where(changes.c.delivery_id == delivery_id)
    return int(tx.execute(last).scalar_one())  # the plan itself has position 0


def tally(tx: Tx, delivery_id: str) -> Tally:
    """How far the changes of a plan are, the plan's own row left out."""
    pending = changes.c.state == "pending"
    paused = func.coalesce(connections.c.state, "") == ConnectionState.PAUSED
    resting = changes.c.due_at < func.coalesce(connections.c.resting_until, 0.0)
    own = changes.c.kind == SYNC

    def count(condition: Any) -> Any:
        return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)

    row = tx.execute(
        select(
            count(~own),
            count(and_(~own, changes.c.state == "done")),
            count(and_(~own, changes.c.state == "parked")),
            count(and_(~own, pending)),
            count(and_(pending, changes.c.lease_owner.is_not(None))),
            count(and_(pending, paused)),
            func.min(case((pending, case((resting, connections.c.resting_until), else_=changes.c.due_at)))),
            count(and_(own, pending)),
        )
        .outerjoin(connections, connections.c.id == changes.c.connection_id)
        .where(changes.c.delivery_id == delivery_id)
    ).one()
    total, done, parked, waiting, leased, held_back, due_at, packed = row
    return Tally(
        total=int(total),
        done=int(done),
        parked=int(parked),
        pending=int(waiting),
        leased=int(leased),
        held=int(held_back),
        due_at=due_at,
        unpacked=not packed,
    )


@dataclass(frozen=True, slots=True)
class Row:
    """One change of a plan as it stands."""

    label: str
    kind: str
    state: str
    outcome: str | None
    attempts: int
    due_at: float | None
    result: Mapping[str, Any]


def rows(tx: Tx, delivery_id: str) -> Iterator[Row]:
    """The changes of a plan, in the plan's order."""
    shown = (
        changes.c.label,
        changes.c.kind,
        changes.c.state,
        changes.c.outcome,
        changes.c.attempts,
        changes.c.due_at,
        changes.c.result,
    )
    found = tx.execute(
        select(*shown)
        .where(changes.c.delivery_id == delivery_id, changes.c.kind != SYNC)
        .order_by(changes.c.position)
        .execution_options(yield_per=_AT_ONCE)
    )
    return (Row(*row) for row in found)
