"""Which runners live: each says so every few seconds, and what one that fell silent had leased is given back.

It must never know what a runner does.
"""

from __future__ import annotations

from sqlalchemy import Connection, delete, exists, select, update

from connector.store.rows import insert_ignoring
from connector.store.tables import changes, event_types, runners


def beat(tx: Connection, runner_id: str, *, now: float) -> None:
    """Say that the runner lives. A runner says so before it leases anything."""
    seen = update(runners).where(runners.c.id == runner_id).values(seen_at=now)
    if tx.execute(seen).rowcount == 0:
        insert_ignoring(tx, runners, {"id": runner_id, "seen_at": now}, conflict=["id"])


def leave(tx: Connection, runner_id: str) -> None:
    """The runner has ended and holds no lease any more."""
    tx.execute(delete(runners).where(runners.c.id == runner_id))


def seen(tx: Connection, *, since: float) -> bool:
    """Whether any runner has said since then (unix seconds) that it lives."""
    return tx.execute(select(exists().where(runners.c.seen_at >= since))).scalar_one()


def release_leases_of_dead(tx: Connection, *, now: float, dead_after: float) -> int:
    """Give back what runners have leased that were not seen for `dead_after` seconds; how many changes.

    Only a runner that once said it lives can be found dead: what any other left behind waits for its lease to end.
    A runner that was merely suspended finds its lease gone when it settles, as after the end of a lease.
    """
    dead = (
        tx.execute(select(runners.c.id).where(runners.c.seen_at < now - dead_after).with_for_update(skip_locked=True))
        .scalars()
        .all()
    )
    if not dead:
        return 0  # so that the changes are searched at a death only
    leased = tx.execute(
        select(changes.c.id, changes.c.event_type_id)
        .where(changes.c.state == "pending", changes.c.lease_owner.in_(dead))
        .order_by(changes.c.id)
        .with_for_update(key_share=True)
    ).all()
    tx.execute(
        update(event_types)
        .where(event_types.c.id.in_([row.event_type_id for row in leased if row.event_type_id is not None]))
        .values(leased_until=None)
    )
    tx.execute(update(changes).where(changes.c.id.in_([row.id for row in leased])).values(due_at=now, lease_owner=None))
    tx.execute(delete(runners).where(runners.c.id.in_(dead)))
    return len(leased)
