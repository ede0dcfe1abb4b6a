"""Sessions of the console that were ended by signing out; every other ends by its own clock."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select

from connector.store.rows import insert_ignoring
from connector.store.tables import ended_sessions


def end(tx: Connection, session_id: str, *, now: float, keep: float) -> None:
    """Refuse the session from now on. Those that ended more than `keep` seconds ago could not come back anyway."""
    tx.execute(delete(ended_sessions).where(ended_sessions.c.ended_at < now - keep))
    insert_ignoring(tx, ended_sessions, {"id": session_id, "ended_at": now}, conflict=["id"])


def ended(tx: Connection, session_id: str) -> bool:
    found = tx.execute(select(ended_sessions.c.id).where(ended_sessions.c.id == session_id)).first()
    return found is not None
