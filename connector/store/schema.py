"""The schema of the database: which revision it has, which one this code needs, and how to get there."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from connector.store.database import Database, StoreUnavailable, declared_errors
from connector.store.tables import metadata

if TYPE_CHECKING:
    from alembic.config import Config

_MIGRATIONS = Path(__file__).parent / "migrations"


class SchemaOutdated(Exception):
    """The database's schema is not the one that this version works with."""

    code = "schema_outdated"


@cache
def head() -> str:
    """The newest revision: migrations are numbered `NNNN_what.py`, and so is their order."""
    return max(path.stem[:4] for path in (_MIGRATIONS / "versions").glob("[0-9][0-9][0-9][0-9]_*.py"))


def current(database: Database) -> str | None:
    """The database's revision; None where it is empty. Raises `StoreUnavailable`."""
    with database.read() as tx:
        return _revision(tx)


def _revision(tx: Connection) -> str | None:
    if not inspect(tx).has_table("alembic_version"):
        return None
    revision: str | None = tx.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    return revision


def upgrade(database: Database) -> None:
    """Bring the schema to `head()`; safe to call again. Raises `StoreUnavailable`."""
    from alembic import command  # noqa: PLC0415 - a tenth of a second that only an upgrade needs
    from alembic.util import CommandError  # noqa: PLC0415

    config = _config()
    try:
        with declared_errors(), database.engine.connect().execution_options(connector_writes=True) as connection:
            if not database.sqlite:
                connection.execute(text("SET statement_timeout = 0"))  # a migration may take as long as it takes
                connection.commit()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
    except CommandError as error:
        raise SchemaOutdated(f"The schema cannot be brought up to date: {error}") from None


def _config() -> Config:
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    return config


def ensure(database: Database) -> None:
    """Make the schema of an empty SQLite file; refuse any other that is not `head()`.

    A server database is upgraded by a person, once, and not by whichever of many processes starts first.
    """
    revision = current(database)
    if revision is None and database.sqlite:
        revision = database.write(_make)
    if revision != head():
        found = "has no schema yet" if revision is None else f"has schema {revision}, this version needs {head()}"
        raise SchemaOutdated(f"The database {found}. Run: connector db upgrade")


def _make(tx: Connection) -> str | None:
    """The tables as the code knows them, which a test holds to be those that the migrations make; the revision.

    So a first start needs no Alembic, which is longer imported than all tables are made. It is Alembic's own advice:
    https://alembic.sqlalchemy.org/en/latest/cookbook.html#building-an-up-to-date-database-from-scratch
    """
    if (revision := _revision(tx)) is not None:  # another process was faster
        return revision
    metadata.create_all(tx, checkfirst=False)
    tx.execute(
        text(
            "CREATE TABLE alembic_version "
            "(version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
        )
    )
    tx.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": head()})
    return head()


__all__ = ["SchemaOutdated", "StoreUnavailable", "current", "ensure", "head", "upgrade"]
