"""The databases of the tests: SQLite always, PostgreSQL where CONNECTOR_TEST_POSTGRES_URL names one (CI must)."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from connector.store import schema
from connector.store.database import Database
from connector.store.tables import metadata
from connector.store.vault import Vault, generate_key
from tests.needs import lacking

POSTGRES = "CONNECTOR_TEST_POSTGRES_URL"


@pytest.fixture(scope="session")
def postgres_server() -> str:
    """The URL of a PostgreSQL database in which the tests may make and drop schemas."""
    if POSTGRES not in os.environ:
        lacking(f"Set {POSTGRES} (postgresql+psycopg://…) to run this on PostgreSQL too.")
    return os.environ[POSTGRES]


@contextmanager
def _postgres_schema(server: str) -> Iterator[str]:
    name = f"connector_test_{secrets.token_hex(6)}"
    engine = create_engine(server, connect_args={"connect_timeout": 5})
    try:
        with engine.begin() as tx:
            tx.execute(text(f"CREATE SCHEMA {name}"))
        url = make_url(server).update_query_dict({"options": f"-csearch_path={name}"})
        yield url.render_as_string(hide_password=False)
        with engine.begin() as tx:
            tx.execute(text(f"DROP SCHEMA {name} CASCADE"))
    finally:
        engine.dispose()


def _upgrade(url: str) -> None:
    database = Database(url)
    try:
        schema.upgrade(database)
    finally:
        database.close()


@pytest.fixture(scope="session")
def postgres_url(postgres_server: str) -> Iterator[str]:
    """One upgraded schema of this session's own."""
    with _postgres_schema(postgres_server) as url:
        _upgrade(url)
        yield url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An upgraded SQLite file; to copy it is faster than to upgrade another."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    _upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A SQLite database with the schema and without a row."""
    path = tmp_path / "connector.db"
    shutil.copyfile(sqlite_template, path)
    path.chmod(0o600)
    return f"sqlite:///{path}"


def _emptied_postgres_url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue("postgres_url")
    engine = create_engine(url)
    with engine.begin() as tx:
        for table in reversed(metadata.sorted_tables):
            tx.execute(table.delete())
    engine.dispose()
    return url


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A database with the schema and without a row."""
    if request.param == "postgres":
        return _emptied_postgres_url(request)
    url: str = request.getfixturevalue("sqlite_url")
    return url


@pytest.fixture(params=["sqlite", "postgres"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without a schema."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    with _postgres_schema(request.getfixturevalue("postgres_server")) as url:
        yield url


@pytest.fixture
def open_database() -> Iterator[Callable[[str], Database]]:
    """Opens databases by URL and closes them after the test."""
    opened: list[Database] = []

    def open_one(url: str) -> Database:
        opened.append(Database(url))
        return opened[-1]

    yield open_one
    for database in opened:
        database.close()


@pytest.fixture
def database(database_url: str, open_database: Callable[[str], Database]) -> Database:
    return open_database(database_url)


@pytest.fixture
def sqlite_database(sqlite_url: str, open_database: Callable[[str], Database]) -> Database:
    """For what only SQLite does."""
    return open_database(sqlite_url)


@pytest.fixture
def postgres_database(request: pytest.FixtureRequest, open_database: Callable[[str], Database]) -> Database:
    """For what only PostgreSQL does."""
    return open_database(_emptied_postgres_url(request))


@pytest.fixture
def vault() -> Vault:
    return Vault([generate_key()])
