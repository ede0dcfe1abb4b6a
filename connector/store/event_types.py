"""Event types of a connection: which row a change speaks of, and what the source has said of it so far.

The identity is the source's id; where the source has none it is the first key seen, and every later key leads to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from connector.event_types import Change, ChangeKind
from connector.store.statements import Statement, json_text
from connector.store.tables import event_types

_FIND = Statement("SELECT id FROM event_types WHERE connection_id = :connection_id AND identity = :identity")
_MAKE = Statement(
    "INSERT INTO event_types (connection_id, identity, state, created_at) "
    "VALUES (:connection_id, :identity, '{}', :now) ON CONFLICT (connection_id, identity) DO NOTHING RETURNING id"
)
_LED = Statement("SELECT event_type_id FROM event_type_keys WHERE connection_id = :connection_id AND key = :key")
_LEAD = (
    "INSERT INTO event_type_keys (connection_id, key, event_type_id) "
    "VALUES (:connection_id, :key, :event_type_id) ON CONFLICT (connection_id, key) DO "
)
_LEAD_IF_NEW = Statement(f"{_LEAD} NOTHING")
_LEAD_FROM_NOW_ON = Statement(f"{_LEAD} UPDATE SET event_type_id = excluded.event_type_id")
_SAVE = Statement("UPDATE event_types SET state = :state, leased_until = NULL WHERE id = :id")


def resolve(tx: Connection, connection_id: str, change: Change, *, now: float) -> int:
    """The row that `change` speaks of, made where it is new."""
    source = change.event_type
    keys = [key for key in (change.previous_key, source.key) if key]
    known = {} if source.id is not None else _by_keys(tx, connection_id, keys)
    row_id = next((known[key] for key in keys if key in known), None)
    if row_id is None:
        identity = f"id:{source.id}" if source.id is not None else f"key:{keys[0]}"
        row_id = _row(tx, connection_id, identity, now, new=change.kind is ChangeKind.DEFINED)
    for key in keys:
        if key not in known:
            # A key moves to the newest id that uses it, but a source that has ids is never led by keys.
            lead = _LEAD_FROM_NOW_ON if source.id is not None and key == source.key else _LEAD_IF_NEW
            lead.change(tx, {"connection_id": connection_id, "key": key, "event_type_id": row_id})
    return row_id


def _row(tx: Connection, connection_id: str, identity: str, now: float, *, new: bool) -> int:
    """`new` is a guess that saves a look; without it, and where another receiver was first, the row is looked for."""
    values = {"connection_id": connection_id, "identity": identity, "now": now}
    steps = (_MAKE, _FIND) if new else (_FIND, _MAKE, _FIND)
    found = next(row for step in steps if (row := step.one(tx, values)) is not None)
    return int(found[0])


def _by_keys(tx: Connection, connection_id: str, keys: list[str]) -> dict[str, int]:
    found = {key: _LED.one(tx, {"connection_id": connection_id, "key": key}) for key in keys}
    return {key: row[0] for key, row in found.items() if row is not None}


def states(tx: Connection, connection_id: str) -> Sequence[Mapping[str, Any]]:
    """Of every event type of a connection; those of which nothing was applied yet are left out."""
    rows = tx.execute(select(event_types.c.state).where(event_types.c.connection_id == connection_id))
    return [row.state for row in rows if row.state]


def save_state(tx: Connection, event_type_id: int, merged: Mapping[str, Any]) -> None:
    """Keep what the source has said by now; whoever had leased the event type to find that out is done with it."""
    _SAVE.change(tx, {"id": event_type_id, "state": json_text(dict(merged))})
