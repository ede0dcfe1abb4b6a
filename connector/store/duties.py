"""When each periodic duty is due: one row a duty, so that of many processes one does it each time.

It must never know what a duty does.
"""

from __future__ import annotations

from sqlalchemy import Connection, or_, select, update

from connector.store.rows import insert_ignoring
from connector.store.tables import duties


def claim(tx: Connection, name: str, *, every: float, now: float, at_once: bool = True) -> float | None:
    """None where the caller is to do the duty now, else when it is due (unix seconds).

    A new duty is due at once, or else after `every` seconds. One that would be due later than that (the interval was
    made shorter, or the clock was set back) is due as well.
    """
    mine = duties.c.name == name
    claimed = update(duties).where(mine, or_(duties.c.due_at <= now, duties.c.due_at > now + every))
    if tx.execute(claimed.values(due_at=now + every)).rowcount:
        return None
    fresh = insert_ignoring(tx, duties, {"name": name, "due_at": now + every}, conflict=["name"]) is not None
    if fresh and at_once:
        return None
    due_at: float = tx.execute(select(duties.c.due_at).where(mine)).scalar_one()
    return due_at
