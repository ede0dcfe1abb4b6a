"""The schema: made where it is safe, refused where a person has to decide, and the same from both descriptions."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from connector.store import schema
from connector.store.database import Database, StoreUnavailable
from connector.store.schema import SchemaOutdated
from connector.store.tables import metadata

Open = Callable[[str], Database]


@pytest.fixture
def empty(empty_database_url: str, open_database: Open) -> Database:
    return open_database(empty_database_url)


def test_the_newest_revision_is_the_one_that_alembic_finds(database: Database) -> None:
    assert re.fullmatch(r"\d{4}", schema.head())
    assert schema.current(database) == schema.head()


def test_an_empty_database_has_no_revision(empty: Database) -> None:
    assert schema.current(empty) is None


def test_the_migrations_make_exactly_the_tables_of_the_code(database: Database) -> None:
    with database.read() as tx:
        context = MigrationContext.configure(tx, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_upgrading_again_changes_nothing(empty: Database) -> None:
    schema.upgrade(empty)
    with empty.engine.begin() as tx:
        tx.execute(text("INSERT INTO endpoints (id, partner, shared, origin, created_at) VALUES ('a','b',false,'c',1)"))
    schema.upgrade(empty)
    with empty.read() as tx:
        assert tx.execute(text("SELECT count(*) FROM endpoints")).scalar_one() == 1
    assert schema.current(empty) == schema.head()


def test_an_empty_sqlite_file_gets_its_schema_by_itself(tmp_path: Path, open_database: Open) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'connector.db'}")
    schema.ensure(database)
    assert schema.current(database) == schema.head()


def test_it_is_the_schema_that_the_migrations_make(tmp_path: Path, open_database: Open) -> None:
    made, migrated = (open_database(f"sqlite:///{tmp_path / name}.db") for name in ("made", "migrated"))
    schema.ensure(made)
    schema.upgrade(migrated)
    assert _described(tmp_path / "made.db") == _described(tmp_path / "migrated.db")


def test_of_two_processes_that_start_at_once_one_makes_it(tmp_path: Path, open_database: Open) -> None:
    first, second = (open_database(f"sqlite:///{tmp_path / 'connector.db'}") for _ in range(2))
    schema.ensure(first)
    assert second.write(schema._make) == schema.head()


def test_neither_a_new_file_nor_the_tables_need_what_only_others_need(tmp_path: Path) -> None:
    program = (
        "import sys; from connector.store import schema, connections, reconciles; "
        "from connector.store.database import Database; "
        f"schema.ensure(Database('sqlite:///{tmp_path}/connector.db')); print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert not {"alembic", "sqlalchemy.dialects.postgresql"} & set(loaded.stdout.split())


def _described(path: Path) -> dict[str, object]:
    """All that SQLite knows of each table and index; the order of a table's keys and indexes means nothing."""
    file = sqlite3.connect(path)
    try:
        described: dict[str, object] = {}
        for kind, name, sql in file.execute("SELECT type, name, sql FROM sqlite_master").fetchall():
            if kind == "table":
                columns = file.execute("SELECT * FROM pragma_table_xinfo(?)", [name]).fetchall()
                keys = file.execute("SELECT * FROM pragma_foreign_key_list(?)", [name]).fetchall()
                indexes = file.execute("SELECT * FROM pragma_index_list(?)", [name]).fetchall()
                named = sorted(re.findall(r"CONSTRAINT \w+", sql))
                described[name] = (columns, sorted(key[2:] for key in keys), sorted(one[1:] for one in indexes), named)
            else:
                columns = file.execute("SELECT * FROM pragma_index_xinfo(?)", [name]).fetchall()
                described[name] = (columns, (sql or "").partition(" WHERE ")[2])
        return described
    finally:
        file.close()


@pytest.mark.parametrize("empty_database_url", ["postgres"], indirect=True)
def test_an_empty_server_waits_for_a_person(empty: Database) -> None:
    with pytest.raises(SchemaOutdated, match=r"^The database has no schema yet\. Run: connector db upgrade$"):
        schema.ensure(empty)


def test_another_revision_is_refused_and_both_are_named(database: Database) -> None:
    with database.engine.begin() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    try:
        sentence = f"The database has schema 0000, this version needs {schema.head()}. Run: connector db upgrade"
        with pytest.raises(SchemaOutdated, match=f"^{re.escape(sentence)}$") as refused:
            schema.ensure(database)
        assert refused.value.code == "schema_outdated"
        with pytest.raises(SchemaOutdated, match="cannot be brought up to date"):
            schema.upgrade(database)
    finally:
        with database.engine.begin() as tx:
            tx.execute(text("UPDATE alembic_version SET version_num = :head"), {"head": schema.head()})


def test_an_upgrade_of_a_database_in_use_waits_and_then_says_so(
    tmp_path: Path, open_database: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.store.sqlite.BUSY_TIMEOUT", 0.01)
    path = tmp_path / "connector.db"
    database = open_database(f"sqlite:///{path}")
    assert schema.current(database) is None
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(StoreUnavailable, match="database is locked"):
            schema.upgrade(database)
    finally:
        other.close()
