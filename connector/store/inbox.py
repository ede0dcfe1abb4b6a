"""The inbox: what was accepted, what is still to do, what became of it.

`accept` is the moment from which nothing may be lost; `claim` hands work to one runner at a time; the rest says what
became of it. It must never know how a change is applied.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, and_, delete, exists, func, or_, select, update
from sqlalchemy.sql import ColumnElement

from connector.event_types import Change, Outcome
from connector.store import event_types
from connector.store.connections import ConnectionState
from connector.store.rows import insert_ignoring, new_id
from connector.store.tables import attempts, changes, connections, deliveries
from connector.store.tables import event_types as event_types_table

KEEP_SECONDS = 30 * 24 * 3600.0
"""How long a delivery is remembered, and so how late a duplicate of it is recognised."""


class MessageIdReused(Exception):
    """The endpoint has seen this message id with other bytes."""

    code = "message_id_reused"


REFRESH = "refresh"
"""The kind of work that is no change yet: ask the partner's list API what changed."""


@dataclass(frozen=True, slots=True)
class NewChange:
    """A change on its way into the inbox.

    One with an `outcome` (`skipped`, `parked`) is not applied: `reason` says why, `next_step` what to do. One of the
    kind `REFRESH` has no change, but a connection.
    """

    label: str
    kind: str
    change: Change | None = None
    connection_id: str | None = None
    outcome: Outcome | None = None
    reason: str | None = None
    next_step: str | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    delivery_id: str
    duplicate: bool


@dataclass(frozen=True, slots=True)
class Work:
    """One claimed change, with what it takes to apply it and to say so; a refresh has neither change nor event type."""

    change_id: int
    delivery_id: str
    message_id: str
    position: int
    connection_id: str
    event_type_id: int | None
    kind: str
    change: Change | None
    received_at: float
    queued_at: float
    attempts: int
    replays: int
    owner: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at a change: `code` is its outcome or the error's code, `calls` what was said to LaunchDarkly."""

    started_at: float
    seconds: float
    code: str
    message: str | None = None
    calls: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Settled:
    """How an attempt leaves its change: `outcome` is None where it is to be tried again at `due_at`."""

    outcome: Outcome | None
    due_at: float | None = None
    result: Mapping[str, Any] = field(default_factory=dict)


def accept(
    tx: Connection,
    *,
    endpoint_id: str,
    message_id: str,
    body: bytes,
    headers: Mapping[str, str],
    new_changes: Sequence[NewChange],
    now: float,
) -> Accepted:
    """Write a delivery and its changes, or recognise a duplicate. Raises `MessageIdReused`."""
    digest = hashlib.sha256(body).digest()
    delivery_id = new_id("dlv", now)
    values = {
        "id": delivery_id,
        "endpoint_id": endpoint_id,
        "message_id": message_id,
        "body_digest": digest,
        "body": body,
        "headers": dict(headers),
        "received_at": now,
    }
    if insert_ignoring(tx, deliveries, values, conflict=["endpoint_id", "message_id"]) is None:
        earlier = tx.execute(
            select(deliveries.c.id, deliveries.c.body_digest).where(
                deliveries.c.endpoint_id == endpoint_id, deliveries.c.message_id == message_id
            )
        ).one()
        if earlier.body_digest != digest:
            raise MessageIdReused(f"message id {message_id!r} was seen before with other bytes")
        return Accepted(earlier.id, duplicate=True)
    _insert(tx, delivery_id, new_changes, first_position=0, now=now)
    return Accepted(delivery_id, duplicate=False)


def append(tx: Connection, work: Work, new_changes: Sequence[NewChange], *, now: float) -> None:
    """Add changes that `work` (a refresh) found to its own delivery."""
    last = select(func.max(changes.c.position)).where(changes.c.delivery_id == work.delivery_id)
    _insert(tx, work.delivery_id, new_changes, first_position=tx.execute(last).scalar_one() + 1, now=now)


def _insert(
    tx: Connection, delivery_id: str, new_changes: Sequence[NewChange], *, first_position: int, now: float
) -> None:
    numbered = list(enumerate(new_changes, first_position))
    # Always in one order, so that two deliveries about the same event types never wait for each other.
    numbered.sort(key=lambda item: (item[1].connection_id or "", item[1].label))
    rows = [_row(tx, delivery_id, position, new, now) for position, new in numbered]
    if rows:
        tx.execute(changes.insert(), sorted(rows, key=lambda row: row["position"]))


def _row(tx: Connection, delivery_id: str, position: int, new: NewChange, now: float) -> dict[str, Any]:
    row: dict[str, Any] = {
        "delivery_id": delivery_id,
        "position": position,
        "connection_id": new.connection_id,
        "event_type_id": None,
        "label": new.label,
        "kind": new.kind,
        "change": new.change.to_dict() if new.change is not None else {},
        "queued_at": now,
        "state": "done",
        "due_at": None,
        "attempts": 0,
        "replays": 0,
        "outcome": new.outcome,
        "result": {
            name: said for name, said in (("reason", new.reason), ("next_step", new.next_step)) if said is not None
        },
        "finished_at": now,
    }
    if new.connection_id is not None and new.change is not None:
        row["event_type_id"] = event_types.resolve(tx, new.connection_id, new.change, now=now)
    if new.outcome is Outcome.PARKED:
        row["state"] = "parked"
    elif new.outcome is None:
        if new.connection_id is None:
            raise ValueError(f"the change {new.label!r} needs a connection to be applied, or an outcome")
        row |= {"state": "pending", "due_at": now, "finished_at": None}
    return row


def claim(
    tx: Connection, *, owner: str, now: float, lease: float, limit: int, busy: Collection[str] = ()
) -> Sequence[Work]:
    """Take up to `limit` due changes for `lease` seconds, fairly from all connections, oldest first in each.

    Of one event type only one change is leased at a time, the earliest that is visible. Connections that are paused
    or rest until LaunchDarkly's window opens are left out with all their work, at the cost of one index probe each,
    as are those in `busy`.
    """
    due = _due(now)
    heads = (
        select(connections.c.id)
        .where(
            connections.c.state != ConnectionState.PAUSED,
            or_(connections.c.resting_until.is_(None), connections.c.resting_until <= now),
            exists().where(changes.c.connection_id == connections.c.id, due),
        )
        .order_by(func.random())
        .limit(limit)
    )
    if busy:
        heads = heads.where(connections.c.id.not_in(busy))
    fed = list(tx.execute(heads).scalars())
    claimed: list[int] = []
    for number, connection_id in enumerate(fed):
        share = -((len(claimed) - limit) // (len(fed) - number))  # what is left, divided by those who are left
        if share > 0:
            claimed += _lease(tx, connection_id, owner=owner, now=now, lease=lease, limit=share)
    return _work(tx, claimed, owner) if claimed else []


def _due(now: float) -> ColumnElement[bool]:
    return and_(changes.c.state == "pending", changes.c.due_at <= now)


def _lease(tx: Connection, connection_id: str, *, owner: str, now: float, lease: float, limit: int) -> Sequence[int]:
    earlier = changes.alias("earlier")
    blocked = exists().where(
        earlier.c.event_type_id == changes.c.event_type_id, earlier.c.id < changes.c.id, earlier.c.state == "pending"
    )
    candidates = tx.execute(
        select(changes.c.id, changes.c.event_type_id)
        .where(changes.c.connection_id == connection_id, _due(now), ~blocked)
        .order_by(changes.c.due_at, changes.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True, key_share=True, of=changes)
    ).all()
    # The event type's lease keeps its changes apart even where a receiver's commit made an earlier one visible late.
    free = set(
        tx.execute(
            select(event_types_table.c.id)
            .where(
                event_types_table.c.id.in_([row.event_type_id for row in candidates if row.event_type_id is not None]),
                or_(event_types_table.c.leased_until.is_(None), event_types_table.c.leased_until <= now),
            )
            .with_for_update(skip_locked=True, key_share=True)
        ).scalars()
    )
    taken = [row for row in candidates if row.event_type_id is None or row.event_type_id in free]
    ids = [row.id for row in taken]
    tx.execute(
        update(event_types_table)
        .where(event_types_table.c.id.in_([row.event_type_id for row in taken]))
        .values(leased_until=now + lease)
    )
    # Until the lease ends the work is simply not due: a runner that dies gives it back by doing nothing.
    tx.execute(
        update(changes)
        .where(changes.c.id.in_(ids))
        .values(due_at=now + lease, lease_owner=owner, attempts=changes.c.attempts + 1)
    )
    return ids


def _work(tx: Connection, ids: Sequence[int], owner: str) -> Sequence[Work]:
    rows = tx.execute(
        select(changes, deliveries.c.message_id, deliveries.c.received_at)
        .join(deliveries, deliveries.c.id == changes.c.delivery_id)
        .where(changes.c.id.in_(ids))
        .order_by(changes.c.id)
    )
    return [
        Work(
            change_id=row.id,
            delivery_id=row.delivery_id,
            message_id=row.message_id,
            position=row.position,
            connection_id=row.connection_id,
            event_type_id=row.event_type_id,
            kind=row.kind,
            change=Change.from_dict(row.change) if row.change else None,
            received_at=row.received_at,
            queued_at=row.queued_at,
            attempts=row.attempts,
            replays=row.replays,
            owner=owner,
        )
        for row in rows
    ]


def settle(tx: Connection, work: Work, attempt: Attempt, settled: Settled, *, now: float) -> bool:
    """Write an attempt and what it leaves behind; False, and nothing written, where the lease went to another."""
    values: dict[str, Any] = {"lease_owner": None, "result": dict(settled.result)}
    if settled.outcome is None:
        values |= {"due_at": settled.due_at}
    else:
        state = "parked" if settled.outcome is Outcome.PARKED else "done"
        values |= {"state": state, "outcome": settled.outcome, "due_at": None, "finished_at": now}
    if tx.execute(update(changes).where(_leased(work)).values(values)).rowcount == 0:
        return False
    _end_lease(tx, work)
    tx.execute(
        attempts.insert().values(
            change_id=work.change_id,
            number=work.attempts,
            started_at=attempt.started_at,
            seconds=attempt.seconds,
            code=attempt.code,
            message=attempt.message,
            calls=[dict(call) for call in attempt.calls],
        )
    )
    return True


def _end_lease(tx: Connection, work: Work) -> None:
    tx.execute(update(event_types_table).where(event_types_table.c.id == work.event_type_id).values(leased_until=None))


def _leased(work: Work) -> ColumnElement[bool]:
    # The number of the attempt tells this lease from a later one of the same owner.
    return (
        (changes.c.id == work.change_id)
        & (changes.c.lease_owner == work.owner)
        & (changes.c.attempts == work.attempts)
        & (changes.c.state == "pending")
    )


def release_leases(tx: Connection, *, now: float) -> int:
    """Give back everything that is leased; only for a runner that knows it is the only one."""
    leased = (changes.c.state == "pending") & changes.c.lease_owner.is_not(None)
    tx.execute(update(event_types_table).where(event_types_table.c.leased_until.is_not(None)).values(leased_until=None))
    return tx.execute(update(changes).where(leased).values(due_at=now, lease_owner=None)).rowcount


def replay(tx: Connection, where: ColumnElement[bool], *, now: float) -> int:
    """Queue finished and parked changes again, as if they had just come; how many."""
    again = where & changes.c.state.in_(("done", "parked")) & changes.c.connection_id.is_not(None)
    return tx.execute(
        update(changes)
        .where(again)
        .values(
            state="pending",
            outcome=None,
            finished_at=None,
            result={},
            queued_at=now,
            due_at=now,
            lease_owner=None,
            attempts=0,
            replays=changes.c.replays + 1,
        )
    ).rowcount


def purge(tx: Connection, *, now: float, limit: int = 500) -> int:
    """Forget deliveries older than `KEEP_SECONDS` of which nothing waits any more; how many went."""
    waiting = exists().where(changes.c.delivery_id == deliveries.c.id, changes.c.state != "done")
    old = list(
        tx.execute(
            select(deliveries.c.id)
            .where(deliveries.c.received_at < now - KEEP_SECONDS, ~waiting)
            .order_by(deliveries.c.received_at)
            .limit(limit)
        ).scalars()
    )
    if old:
        of_old = select(changes.c.id).where(changes.c.delivery_id.in_(old))
        tx.execute(delete(attempts).where(attempts.c.change_id.in_(of_old)))
        tx.execute(delete(changes).where(changes.c.delivery_id.in_(old)))
        tx.execute(delete(deliveries).where(deliveries.c.id.in_(old)))
    return len(old)


def give_back(tx: Connection, work: Work, *, due_at: float) -> None:
    """End a lease early, without an attempt to show for it."""
    if tx.execute(update(changes).where(_leased(work)).values(due_at=due_at, lease_owner=None)).rowcount:
        _end_lease(tx, work)
