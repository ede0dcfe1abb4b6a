"""The inbox: what was accepted, what is still to do, what became of it.

`accept` is the moment from which nothing may be lost; `leases` hands out what is to do. It must never know how a change
is applied.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, delete, exists, func, select, update
from sqlalchemy.sql import ColumnElement

from connector.event_types import Change, Outcome
from connector.store import event_types
from connector.store.rows import new_id
from connector.store.statements import Statement, json_text
from connector.store.tables import attempts, changes, deliveries

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

    @property
    def state(self) -> str:
        """As it is stored."""
        if self.outcome is None:
            return "pending"
        return "parked" if self.outcome is Outcome.PARKED else "done"

    @property
    def said(self) -> dict[str, str]:
        """What its result says as long as nothing was tried."""
        texts = {"reason": self.reason, "next_step": self.next_step}
        return {name: text for name, text in texts.items() if text is not None}


@dataclass(frozen=True, slots=True)
class Lease:
    """Who takes a change, and until when (unix seconds) nobody else does."""

    owner: str
    until: float


@dataclass(frozen=True, slots=True)
class Accepted:
    """`work` is the change that was leased with its receipt."""

    delivery_id: str
    duplicate: bool
    work: Work | None = None


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


Begin = Callable[[Connection, Work], Callable[[], Settled]]
"""Begins an attempt in the transaction that leases the work, and gives what goes on with it once that is durable."""

_DELIVERY = Statement(
    "INSERT INTO deliveries (id, endpoint_id, message_id, body_digest, body, headers, received_at) "
    "VALUES (:id, :endpoint_id, :message_id, :digest, :body, :headers, :now) "
    "ON CONFLICT (endpoint_id, message_id) DO NOTHING"
)
_EARLIER = Statement(
    "SELECT id, body_digest FROM deliveries WHERE endpoint_id = :endpoint_id AND message_id = :message_id"
)
_CHANGE = (
    "INSERT INTO changes (delivery_id, position, connection_id, event_type_id, label, kind, change, queued_at, state, "
    "due_at, lease_owner, attempts, replays, outcome, result, finished_at) "
    "VALUES (:delivery_id, :position, :connection_id, :event_type_id, :label, :kind, :change, :now, :state, "
    ":due_at, :lease_owner, :attempts, 0, :outcome, :result, :finished_at)"
)
_CHANGES = Statement(_CHANGE)
_LEASED_CHANGE = Statement(f"{_CHANGE} RETURNING id")


def accept(
    tx: Connection,
    *,
    endpoint_id: str,
    message_id: str,
    body: bytes,
    headers: Mapping[str, str],
    new_changes: Sequence[NewChange],
    now: float,
    lease: Lease | None = None,
) -> Accepted:
    """Write a delivery and its changes, or recognise a duplicate. Raises `MessageIdReused`.

    With `lease`, the only change of the delivery is leased as `claim` would do it, if nothing stands before it.
    """
    delivery_id, digest = new_id("dlv", now), hashlib.sha256(body).digest()
    delivery = {
        "id": delivery_id,
        "endpoint_id": endpoint_id,
        "message_id": message_id,
        "digest": digest,
        "body": body,
        "headers": json_text(dict(headers)),
        "now": now,
    }
    if _DELIVERY.change(tx, delivery) == 0:
        earlier = _EARLIER.one(tx, {"endpoint_id": endpoint_id, "message_id": message_id})
        if earlier is None or bytes(earlier[1]) != digest:
            raise MessageIdReused(f"message id {message_id!r} was seen before with other bytes")
        return Accepted(earlier[0], duplicate=True)
    if lease is not None and len(new_changes) == 1:
        work = _insert_leased(tx, delivery_id, message_id, new_changes[0], lease, now=now)
        return Accepted(delivery_id, duplicate=False, work=work)
    _insert(tx, delivery_id, new_changes, first_position=0, now=now)
    return Accepted(delivery_id, duplicate=False)


_TAKE_EVENT_TYPE = Statement(
    "UPDATE event_types SET leased_until = :until WHERE id = :id AND (leased_until IS NULL OR leased_until <= :now) "
    "AND NOT EXISTS (SELECT 1 FROM changes WHERE event_type_id = :id AND state = 'pending') "
    "AND EXISTS (SELECT 1 FROM connections WHERE id = :connection_id AND state <> 'paused' "
    "AND (resting_until IS NULL OR resting_until <= :now))"
)


def _insert_leased(
    tx: Connection, delivery_id: str, message_id: str, new: NewChange, lease: Lease, *, now: float
) -> Work | None:
    """None where the change has to wait for its turn: it is in the inbox like any other then."""
    row = _row(tx, delivery_id, 0, new, now)
    if row["event_type_id"] is None or new.connection_id is None or row["state"] != "pending":
        _CHANGES.change(tx, row)
        return None
    free = {"id": row["event_type_id"], "connection_id": new.connection_id, "now": now, "until": lease.until}
    if _TAKE_EVENT_TYPE.change(tx, free) == 0:
        _CHANGES.change(tx, row)
        return None
    row |= {"due_at": lease.until, "lease_owner": lease.owner, "attempts": 1}
    inserted = _LEASED_CHANGE.one(tx, row)
    assert inserted is not None  # noqa: S101 - an insert without a conflict clause returns its row
    return Work(
        change_id=inserted[0],
        delivery_id=delivery_id,
        message_id=message_id,
        position=0,
        connection_id=new.connection_id,
        event_type_id=row["event_type_id"],
        kind=row["kind"],
        change=new.change,
        received_at=now,
        queued_at=now,
        attempts=1,
        replays=0,
        owner=lease.owner,
    )


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
    _CHANGES.change_each(tx, sorted(rows, key=itemgetter("position")))


def _row(tx: Connection, delivery_id: str, position: int, new: NewChange, now: float) -> dict[str, Any]:
    row: dict[str, Any] = {
        "delivery_id": delivery_id,
        "position": position,
        "connection_id": new.connection_id,
        "event_type_id": None,
        "label": new.label,
        "kind": str(new.kind),
        "change": json_text(new.change.to_dict() if new.change is not None else {}),
        "now": now,
        "state": new.state,
        "due_at": None,
        "lease_owner": None,
        "attempts": 0,
        "outcome": None if new.outcome is None else str(new.outcome),
        "result": json_text(new.said),
        "finished_at": now,
    }
    if new.connection_id is not None and new.change is not None:
        row["event_type_id"] = event_types.resolve(tx, new.connection_id, new.change, now=now)
    if new.outcome is None:
        if new.connection_id is None:
            raise ValueError(f"the change {new.label!r} needs a connection to be applied, or an outcome")
        row |= {"due_at": now, "finished_at": None}
    return row


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
