"""One durable transaction at a time, on SQLite or PostgreSQL. It must never know what is written."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry

from connector.store.failures import StoreUnavailable, declared_errors
from connector.store.sqlite import Readers, Writer, open_engine

__all__ = ["Database", "StoreUnavailable", "declared_errors"]

T = TypeVar("T")

POOL_TIMEOUT = 10.0
"""Seconds that a thread waits for a connection before it says that nothing can be stored now."""

# libpq's own words; what the URL says wins. A server that is gone without a word is noticed within about half a minute.
# Source: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
_POSTGRES = {
    "connect_timeout": "5",
    "application_name": "metric-connector",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
}
_SESSION = "-cstatement_timeout=15s -cidle_in_transaction_session_timeout=30s"

_DEADLOCKS = 3

IDLE = 2.0
"""Seconds after which a connection to PostgreSQL is tried before it is used: its server may have gone meanwhile."""


class Database:
    """Reads and durable writes. Close it when done: it owns connections."""

    def __init__(self, url: str, *, pool_size: int = 16) -> None:
        try:
            parsed = make_url(url)
        except (ArgumentError, ValueError):
            # The parser's own words may repeat the password.
            raise StoreUnavailable(
                "CONNECTOR_DATABASE_URL is no database URL; a password in it needs its special characters "
                "percent-encoded."
            ) from None
        self.sqlite = parsed.get_backend_name() == "sqlite"
        if self.sqlite:
            if parsed.database in {None, "", ":memory:"}:
                raise StoreUnavailable("SQLite in memory loses everything with the process; name a file.")
            _prepare_directory(Path(str(parsed.database)))
            self.engine = open_engine(url)
            self._readers: Readers | None = Readers(self.engine, pool_size)
            self._writer: Writer | None = Writer(self.engine)
        else:
            try:
                self.engine = create_engine(
                    parsed.set(query=_POSTGRES | dict(parsed.query) | {"options": _session(parsed)}),
                    pool_size=pool_size,
                    max_overflow=0,
                    pool_timeout=POOL_TIMEOUT,
                )
            except ModuleNotFoundError:
                raise StoreUnavailable(
                    "PostgreSQL needs its driver; run: pip install 'metric-connector[postgres]'"
                ) from None
            event.listen(self.engine, "checkin", _note_use)
            event.listen(self.engine, "checkout", _ping_idle)
            self._snapshots = self.engine.execution_options(isolation_level="REPEATABLE READ")
            self._readers = self._writer = None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent snapshot. Raises `StoreUnavailable`."""
        with declared_errors():
            if self._readers is not None:
                with self._readers.read() as connection:
                    yield connection
            else:
                with self._snapshots.connect() as connection, connection.begin():
                    yield connection

    def write(self, work: Callable[[Connection], T], *, durable: bool = True) -> T:
        """Run `work` in one transaction and return its result once it is durable.

        An exception in `work` undoes it and is raised here. Raises `StoreUnavailable` where the database could not
        make it durable. `work` may run in another thread, and again where its transaction was undone for another's
        sake: it must do nothing but talk to its connection.

        What is not `durable` outlives this process, but not a failure of the machine, which may undo the latest of it
        in order: enough for how far work has come, which is found out again, and without a wait for the disk.
        """
        with declared_errors():
            if self._writer is not None:
                return self._writer.write(work, durable=durable)
            for attempt in range(_DEADLOCKS + 1):
                try:
                    with self.engine.begin() as connection:
                        if not durable:
                            # https://www.postgresql.org/docs/current/wal-async-commit.html
                            connection.exec_driver_sql("SET LOCAL synchronous_commit TO off")
                        return work(connection)
                except DBAPIError as error:
                    # PostgreSQL ends one of two that wait for each other; once the other is through it is its turn.
                    if getattr(error.orig, "sqlstate", None) != "40P01" or attempt == _DEADLOCKS:
                        raise
            raise AssertionError  # the last attempt returned or raised

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        if self._readers is not None:
            self._readers.close()
        self.engine.dispose()


def _session(url: URL) -> str:
    """The time-outs of every session, then what the URL itself sets, which wins."""
    return " ".join((_SESSION, *url.normalized_query.get("options", ())))


def _prepare_directory(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(
            f"Cannot write {path}: {error.strerror}. Point CONNECTOR_DATABASE_URL elsewhere."
        ) from None


def _note_use(_connection: object, record: ConnectionPoolEntry) -> None:
    record.info["used"] = time.monotonic()


def _ping_idle(connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
    """As SQLAlchemy's own `pool_pre_ping`, which costs a round trip at every use, but of idle connections only.

    Source: https://docs.sqlalchemy.org/en/20/core/pooling.html#custom-legacy-pessimistic-ping
    """
    if time.monotonic() - record.info.get("used", math.inf) < IDLE:
        return
    try:
        connection.execute("SELECT 1")
        connection.rollback()
    except Exception as error:
        raise InvalidatePoolError from error  # the pool makes another, and forgets those that are as old
