"""The statements of a webhook's way, as the driver runs them: text that is written once, and rows as tuples.

SQLAlchemy's Core takes several times as long to hand over one of these statements as SQLite takes to run it, and every
webhook needs a dozen. So this way, and only this, speaks to the driver; whatever people wait for stays in Core. It must
never know what a statement is for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

_NAME = re.compile(r"(?<!:):([a-z_]+)")


class Statement:
    """SQL that SQLite and PostgreSQL share, with values as `:name`; `postgresql` is what only that one needs behind it.

    Values are bound by the driver: JSON is written by `json_text` and read by `json_value`.
    """

    __slots__ = ("_postgresql", "_sqlite")

    def __init__(self, sql: str, *, postgresql: str = "") -> None:
        self._sqlite = sql
        self._postgresql = _NAME.sub(r"%(\1)s", (sql + postgresql).replace("%", "%%"))

    def all(self, tx: Connection, values: dict[str, Any]) -> list[tuple[Any, ...]]:
        """Every row. Raises `DBAPIError`, as all that runs on `tx`."""
        rows: list[tuple[Any, ...]] = self._run(tx, values).fetchall()
        return rows

    def one(self, tx: Connection, values: dict[str, Any]) -> tuple[Any, ...] | None:
        """The only row, or None."""
        return next(iter(self.all(tx, values)), None)

    def change(self, tx: Connection, values: dict[str, Any]) -> int:
        """How many rows were changed."""
        changed: int = self._run(tx, values).rowcount
        return changed

    def change_each(self, tx: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Once for each of `rows`."""
        if rows:
            self._run(tx, rows)

    def _run(self, tx: Connection, values: dict[str, Any] | Sequence[Mapping[str, Any]]) -> Any:
        sql = self._postgresql if tx.dialect.name == "postgresql" else self._sqlite
        driver: Any = tx.connection.driver_connection  # both drivers' connections make a cursor of their own for this
        try:
            return driver.execute(sql, values) if isinstance(values, dict) else _each(driver, sql, values)
        except Exception as error:
            declared: Any = tx.dialect.dbapi
            if not isinstance(error, declared.Error):
                raise
            # As Core would have raised it, but without the values: those may be secret.
            raise DBAPIError.instance(sql, None, error, declared.Error, dialect=tx.dialect) from None


def _each(driver: Any, sql: str, rows: Sequence[Mapping[str, Any]]) -> Any:
    cursor = driver.cursor()
    cursor.executemany(sql, rows)
    return cursor


def json_text(value: object) -> str:
    """As a JSON column takes it."""
    return json.dumps(value)


def json_value(stored: Any) -> Any:
    """What a JSON column holds: psycopg decodes it, SQLite's driver hands over the text."""
    return json.loads(stored) if isinstance(stored, str) else stored
