"""Event types of a connection: which row a change speaks of, and what the source has said of it so far.

The identity is the source's id; where the source has none it is the first key seen, and every later key leads to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite

from connector.event_types import Change
from connector.store.rows import insert_ignoring
from connector.store.tables import event_type_keys, event_types


def resolve(tx: Connection, connection_id: str, change: Change, *, now: float) -> int:
    """The row that `change` speaks of, made where it is new."""
    source = change.event_type
    keys = [key for key in (change.previous_key, source.key) if key]
    known = {} if source.id is not None else _by_keys(tx, connection_id, keys)
    row_id = next((known[key] for key in keys if key in known), None)
    if row_id is None:
        row_id = _row(tx, connection_id, f"id:{source.id}" if source.id is not None else f"key:{keys[0]}", now)
    for key in keys:
        if key not in known:
            # A key moves to the newest id that uses it, but a source that has ids is never led by keys.
            _lead(tx, connection_id, key, row_id, move=source.id is not None and key == source.key)
    return row_id


def _row(tx: Connection, connection_id: str, identity: str, now: float) -> int:
    where = (event_types.c.connection_id == connection_id) & (event_types.c.identity == identity)
    found: int | None = tx.execute(select(event_types.c.id).where(where)).scalar_one_or_none()
    if found is None:
        values = {"connection_id": connection_id, "identity": identity, "state": {}, "created_at": now}
        found = insert_ignoring(tx, event_types, values, conflict=["connection_id", "identity"])
    if found is None:  # another receiver was first
        found = tx.execute(select(event_types.c.id).where(where)).scalar_one()
    return found


def _by_keys(tx: Connection, connection_id: str, keys: list[str]) -> dict[str, int]:
    rows = tx.execute(
        select(event_type_keys.c.key, event_type_keys.c.event_type_id).where(
            event_type_keys.c.connection_id == connection_id, event_type_keys.c.key.in_(keys)
        )
    )
    return {row.key: row.event_type_id for row in rows}


def _lead(tx: Connection, connection_id: str, key: str, row_id: int, *, move: bool) -> None:
    insert = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    statement = insert(event_type_keys).values(connection_id=connection_id, key=key, event_type_id=row_id)
    columns = ["connection_id", "key"]
    if move:
        tx.execute(statement.on_conflict_do_update(index_elements=columns, set_={"event_type_id": row_id}))
    else:
        tx.execute(statement.on_conflict_do_nothing(index_elements=columns))


def state(tx: Connection, event_type_id: int) -> Mapping[str, Any]:
    """What `save_state` stored last; empty for a new one."""
    return dict(tx.execute(select(event_types.c.state).where(event_types.c.id == event_type_id)).scalar_one())


def states(tx: Connection, connection_id: str) -> Sequence[Mapping[str, Any]]:
    """Of every event type of a connection; those of which nothing was applied yet are left out."""
    rows = tx.execute(select(event_types.c.state).where(event_types.c.connection_id == connection_id))
    return [row.state for row in rows if row.state]


def save_state(tx: Connection, event_type_id: int, merged: Mapping[str, Any]) -> None:
    tx.execute(update(event_types).where(event_types.c.id == event_type_id).values(state=dict(merged)))
