"""A restored backup goes on where it stood, and so does an installation of the first schema after an upgrade."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import make_url

import connector.store
from connector.settings import Settings
from connector.store import schema
from connector.store.database import Database
from connector.store.vault import generate_key
from tests.deploy.installed import fill, goes_on, put, rows
from tests.deploy.places import own_database
from tests.integration.web.conftest import Sandbox, running_sandbox  # noqa: F401
from tests.needs import program

FIRST = "0001"


@pytest.fixture(params=["sqlite", "postgres"])
def urls(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Two databases without a schema."""
    if request.param == "sqlite":
        for name in ("one", "other"):
            (tmp_path / name).mkdir()
        yield f"sqlite:///{tmp_path}/one/connector.db", f"sqlite:///{tmp_path}/other/connector.db"
        return
    server = request.getfixturevalue("postgres_server")
    with ExitStack() as stack:
        yield stack.enter_context(own_database(server)), stack.enter_context(own_database(server))


def installation(url: str, key: str) -> Settings:
    return Settings(database_url=url, encryption_keys=(key,), respond_within=60, cache_seconds=0)


def test_a_restored_backup_goes_on(urls: tuple[str, str], running_sandbox: Sandbox, tmp_path: Path) -> None:  # noqa: F811
    one, other = urls
    key = generate_key()
    _upgrade(one)
    endpoint = fill(installation(one, key), running_sandbox)
    saved = rows(one)
    assert saved["links"]
    assert len(saved["changes"]) == 2
    _back_up_and_restore(one, other, tmp_path)
    assert rows(other) == saved
    goes_on(installation(other, key), running_sandbox, endpoint)


def test_the_first_schema_is_upgraded_with_all_that_is_in_it(
    urls: tuple[str, str],
    running_sandbox: Sandbox,  # noqa: F811
) -> None:
    one, other = urls
    key = generate_key()
    _upgrade(one)
    endpoint = fill(installation(one, key), running_sandbox)
    _upgrade(other, to=FIRST)
    put(other, rows(one))
    before = rows(other)
    assert before["links"]
    _upgrade(other)
    after = rows(other)
    for table, found in before.items():
        known = [{name: row[name] for name in row.keys() & (found[0] if found else {}).keys()} for row in after[table]]
        assert known == found, table
    goes_on(installation(other, key), running_sandbox, endpoint)


def _upgrade(url: str, to: str = "head") -> None:
    database = Database(url)
    try:
        if to == "head":
            schema.upgrade(database)
            return
        config = Config()
        config.set_main_option("script_location", str(Path(connector.store.__file__).parent / "migrations"))
        with database.engine.connect().execution_options(connector_writes=True) as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, to)
            connection.commit()
    finally:
        database.close()


def _back_up_and_restore(one: str, other: str, directory: Path) -> None:
    """By the commands of docs/how-to/back-up-and-restore.md."""
    if one.startswith("sqlite"):
        program("sqlite3")
        backup = directory / "backup.db"
        _run("sqlite3", one.removeprefix("sqlite:///"), f".backup '{backup}'")
        _run("install", "-m", "600", str(backup), other.removeprefix("sqlite:///"))
        return
    program("pg_dump")
    dump = directory / "connector.dump"
    _run("pg_dump", "--format=custom", f"--file={dump}", _libpq(one))
    options = ["--clean", "--if-exists", "--no-owner", "--single-transaction"]
    _run("pg_restore", *options, f"--dbname={_libpq(other)}", str(dump))


def _libpq(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def _run(*arguments: str) -> None:
    subprocess.run(arguments, check=True, timeout=60)
