"""Leases: work is handed to one runner at a time, and comes back with what became of it, or by itself when time is up.

It must never know how a change is applied.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, update

from connector.event_types import Change, Outcome
from connector.store import event_types
from connector.store.inbox import Attempt, Settled, Work
from connector.store.statements import Statement, json_text, json_value
from connector.store.tables import changes
from connector.store.tables import event_types as event_types_table

# OFFSET 0 keeps PostgreSQL from turning a probe of one row into a join of all changes, where it takes them for few.
_DUE = "changes.state = 'pending' AND changes.due_at <= :now"
_FED = Statement(
    "SELECT id FROM connections "  # noqa: S608 - what is put in is a fragment of our own, here and below
    "WHERE state <> 'paused' AND (resting_until IS NULL OR resting_until <= :now) "
    f"AND EXISTS (SELECT 1 FROM changes WHERE changes.connection_id = connections.id AND {_DUE} "
    "ORDER BY changes.due_at LIMIT 1 OFFSET 0) "
    "ORDER BY random() LIMIT :limit"
)
_CANDIDATES = Statement(
    "SELECT changes.id, delivery_id, message_id, position, changes.connection_id, "  # noqa: S608
    "event_type_id, kind, change, "
    "received_at, queued_at, attempts + 1, replays "
    "FROM changes JOIN deliveries ON deliveries.id = delivery_id "
    f"WHERE changes.connection_id = :connection_id AND {_DUE} AND NOT EXISTS (SELECT 1 FROM changes AS earlier "
    "WHERE earlier.event_type_id = changes.event_type_id AND earlier.id < changes.id AND earlier.state = 'pending' "
    "ORDER BY earlier.id LIMIT 1 OFFSET 0) AND NOT EXISTS (SELECT 1 FROM event_types "
    "WHERE event_types.id = changes.event_type_id AND leased_until > :now LIMIT 1 OFFSET 0) "
    "ORDER BY changes.due_at, changes.id LIMIT :limit",
    postgresql=" FOR NO KEY UPDATE OF changes SKIP LOCKED",
)
_FREE = Statement(
    "SELECT id FROM event_types WHERE id = :id AND (leased_until IS NULL OR leased_until <= :now)",
    postgresql=" FOR NO KEY UPDATE SKIP LOCKED",
)
_LEASE_EVENT_TYPE = Statement("UPDATE event_types SET leased_until = :until WHERE id = :event_type_id")
_LEASE = Statement("UPDATE changes SET due_at = :until, lease_owner = :owner, attempts = attempts + 1 WHERE id = :id")


def claim(
    tx: Connection, *, owner: str, now: float, lease: float, limit: int, busy: Collection[str] = ()
) -> Sequence[Work]:
    """Take up to `limit` due changes for `lease` seconds, fairly from all connections, oldest first in each.

    Of one event type only one change is leased at a time, the earliest that is visible. Connections that are paused
    or rest until LaunchDarkly's window opens are left out with all their work, at the cost of one index probe each,
    as are those in `busy`.
    """
    fed = [each for (each,) in _FED.all(tx, {"now": now, "limit": limit + len(busy)}) if each not in busy][:limit]
    claimed: list[Work] = []
    for number, connection_id in enumerate(fed):
        share = -((len(claimed) - limit) // (len(fed) - number))  # what is left, divided by those who are left
        if share > 0:
            claimed += _lease(tx, connection_id, owner=owner, now=now, lease=lease, limit=share)
    return sorted(claimed, key=attrgetter("change_id"))


def waits(tx: Connection, *, now: float) -> bool:
    """Whether a due change of a connection that is neither paused nor resting is left after a claim.

    It waits for a thread, or for an earlier change of its event type.
    """
    return bool(_FED.all(tx, {"now": now, "limit": 1}))


def _lease(tx: Connection, connection_id: str, *, owner: str, now: float, lease: float, limit: int) -> list[Work]:
    found = _CANDIDATES.all(tx, {"connection_id": connection_id, "now": now, "limit": limit})
    work = [_work(row, owner) for row in found]
    # The event type's lease keeps its changes apart even where a receiver's commit made an earlier one visible late.
    # Only on a server can another have taken it since the candidates were read.
    if tx.dialect.name == "postgresql":
        work = [
            each for each in work if each.event_type_id is None or _FREE.one(tx, {"id": each.event_type_id, "now": now})
        ]
    # Until the lease ends the work is simply not due: a runner that dies gives it back by doing nothing.
    values = [
        {"id": each.change_id, "event_type_id": each.event_type_id, "owner": owner, "until": now + lease}
        for each in work
    ]
    _LEASE_EVENT_TYPE.change_each(tx, values)
    _LEASE.change_each(tx, values)
    return work


_WORK = [each.name for each in fields(Work) if each.name != "owner"]  # `_CANDIDATES` has them in their order


def _work(row: tuple[Any, ...], owner: str) -> Work:
    known = dict(zip(_WORK, row, strict=True))
    stored = json_value(known.pop("change"))
    return Work(**known, change=Change.from_dict(stored) if stored else None, owner=owner)


_LEASED = "id = :id AND lease_owner = :owner AND attempts = :attempts AND state = 'pending'"
"""The number of the attempt tells this lease from a later one of the same owner."""

_SETTLE = Statement(
    "UPDATE changes SET lease_owner = NULL, state = :state, outcome = :outcome, due_at = :due_at, "  # noqa: S608
    f"finished_at = :finished_at, result = :result WHERE {_LEASED}"
)
_GIVE_BACK = Statement(f"UPDATE changes SET lease_owner = NULL, due_at = :due_at WHERE {_LEASED}")  # noqa: S608
_END_LEASE = Statement("UPDATE event_types SET leased_until = NULL WHERE id = :id")
_ATTEMPT = Statement(
    "INSERT INTO attempts (change_id, number, started_at, seconds, code, message, calls) "
    "VALUES (:id, :attempts, :started_at, :seconds, :code, :message, :calls)"
)


def settle(
    tx: Connection,
    work: Work,
    attempt: Attempt,
    settled: Settled,
    *,
    now: float,
    registers: Mapping[str, Any] | None = None,
) -> bool:
    """Write an attempt and what it leaves behind; False, and nothing written, where the lease went to another.

    `registers` is what the source has said of the event type by now.
    """
    mine = _lease_of(work)
    values: dict[str, Any] = {"state": "pending", "outcome": None, "due_at": settled.due_at, "finished_at": None}
    if settled.outcome is not None:
        state = "parked" if settled.outcome is Outcome.PARKED else "done"
        values = {"state": state, "outcome": str(settled.outcome), "due_at": None, "finished_at": now}
    if _SETTLE.change(tx, mine | values | {"result": json_text(dict(settled.result))}) == 0:
        return False
    if registers is None or work.event_type_id is None:
        _END_LEASE.change(tx, {"id": work.event_type_id})
    else:
        event_types.save_state(tx, work.event_type_id, registers)
    tried = {
        "started_at": attempt.started_at,
        "seconds": attempt.seconds,
        "code": attempt.code,
        "message": attempt.message,
        "calls": json_text([dict(call) for call in attempt.calls]),
    }
    _ATTEMPT.change(tx, mine | tried)
    return True


def give_back(tx: Connection, work: Work, *, due_at: float) -> None:
    """End a lease early, without an attempt to show for it."""
    if _GIVE_BACK.change(tx, _lease_of(work) | {"due_at": due_at}):
        _END_LEASE.change(tx, {"id": work.event_type_id})


def _lease_of(work: Work) -> dict[str, Any]:
    return {"id": work.change_id, "owner": work.owner, "attempts": work.attempts}


def release_leases(tx: Connection, *, now: float) -> int:
    """Give back everything that is leased; only for a runner that knows it is the only one."""
    leased = (changes.c.state == "pending") & changes.c.lease_owner.is_not(None)
    tx.execute(update(event_types_table).where(event_types_table.c.leased_until.is_not(None)).values(leased_until=None))
    return tx.execute(update(changes).where(leased).values(due_at=now, lease_owner=None)).rowcount
