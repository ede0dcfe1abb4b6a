"""What the store's nouns share about rows: identifiers, and an insert that tolerates a row that is already there."""

from __future__ import annotations

import secrets
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import sqlite


def new_id(prefix: str, now: float) -> str:
    """`prefix_` and 27 hexadecimal digits that sort by time (milliseconds), then random."""
    return earliest_id(prefix, now) + secrets.token_hex(8)


def earliest_id(prefix: str, at: float) -> str:
    """What sorts before every id of that millisecond and behind those before it."""
    return f"{prefix}_{min(max(int(at * 1000), 0), 0xFFFFFFFFFFF):011x}"


def insert(tx: Connection, table: Table) -> Any:
    """SQLAlchemy's insert of this database, with its ON CONFLICT."""
    if tx.dialect.name == "postgresql":
        # A twentieth of the start, for those who have such a server.
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415

        return postgresql.insert(table)
    return sqlite.insert(table)


def insert_ignoring(tx: Connection, table: Table, values: dict[str, Any], *, conflict: list[str]) -> Any:
    """Insert one row and return its primary key, or `None` where a row with the same `conflict` columns exists."""
    statement = (
        insert(tx, table)
        .values(values)
        .on_conflict_do_nothing(index_elements=conflict)
        .returning(*table.primary_key.columns)
    )
    return tx.execute(statement).scalar_one_or_none()
