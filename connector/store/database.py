"""One durable transaction at a time: the engine, the transactions, the single writer of SQLite.

It must never know what is written. On SQLite all writes of this process go through one thread, which commits what
waits together (group commit): WAL with synchronous=FULL costs one fsync per commit, not per write.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

T = TypeVar("T")

BUSY_TIMEOUT = 5.0
"""Seconds that SQLite waits for another process (a CLI command) that is writing."""

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

_GROUP = 128
_DEADLOCKS = 3


class StoreUnavailable(Exception):
    """Nothing can be stored or read durably now: the disk is full, the database is down. Trying again may help."""

    code = "store_unavailable"


class Database:
    """Reads and durable writes. Close it when done: it owns connections and, on SQLite, a thread."""

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
            self.engine = create_engine(
                url,
                pool_size=pool_size,
                connect_args={"timeout": BUSY_TIMEOUT, "check_same_thread": False},
            )
            event.listen(self.engine, "connect", _set_up_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
            self._reads = self.engine
            self._writer: _Writer | None = _Writer(self.engine)
        else:
            try:
                self.engine = create_engine(
                    parsed.set(query=_POSTGRES | dict(parsed.query) | {"options": _session(parsed)}),
                    pool_size=pool_size,
                    max_overflow=0,
                    pool_timeout=POOL_TIMEOUT,
                    pool_pre_ping=True,
                )
            except ModuleNotFoundError:
                raise StoreUnavailable(
                    "PostgreSQL needs its driver; run: pip install 'metric-connector[postgres]'"
                ) from None
            self._reads = self.engine.execution_options(isolation_level="REPEATABLE READ")
            self._writer = None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent snapshot. Raises `StoreUnavailable`."""
        with declared_errors(), self._reads.connect() as connection, connection.begin():
            yield connection

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction and return its result once it is durable.

        An exception in `work` undoes it and is raised here. Raises `StoreUnavailable` where the database could not
        make it durable. `work` may run in another thread and must do nothing but talk to its connection.
        """
        with declared_errors():
            if self._writer is not None:
                return self._writer.submit(work).result()
            for attempt in range(_DEADLOCKS + 1):
                try:
                    with self.engine.begin() as connection:
                        return work(connection)
                except DBAPIError as error:
                    # PostgreSQL ends one of two that wait for each other; once the other is through it is its turn.
                    if getattr(error.orig, "sqlstate", None) != "40P01" or attempt == _DEADLOCKS:
                        raise
            raise AssertionError  # the last attempt returned or raised

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self.engine.dispose()


class _Writer:
    """The one thread that writes to SQLite, started by the first write so that a fork before it is harmless."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.execution_options(connector_writes=True)
        self._jobs: queue.SimpleQueue[tuple[Callable[[Connection], Any], Future[Any]] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._lock = threading.Lock()

    def submit(self, work: Callable[[Connection], T]) -> Future[T]:
        future: Future[T] = Future()
        with self._lock:  # so that no job comes behind the one that ends the thread, and waits for ever
            if self._closed:
                raise StoreUnavailable("The database is closed: this process is about to end.")
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="connector-writer", daemon=True)
                self._thread.start()
            self._jobs.put((work, future))
        return future

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._jobs.put(None)
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            group = [job]
            closing = False
            while len(group) < _GROUP:
                try:
                    following = self._jobs.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    closing = True
                    break
                group.append(following)
            self._commit(group)
            if closing:
                return

    def _commit(self, group: list[tuple[Callable[[Connection], Any], Future[Any]]]) -> None:
        results: list[tuple[Future[Any], Any, BaseException | None]] = []
        try:
            with self._engine.connect() as connection, connection.begin():
                for work, future in group:
                    savepoint = connection.begin_nested()
                    try:
                        result = work(connection)
                        savepoint.commit()
                    except BaseException as error:
                        if not _in_transaction(connection):
                            raise
                        savepoint.rollback()
                        results.append((future, None, error))
                    else:
                        results.append((future, result, None))
        except BaseException as error:  # noqa: BLE001 - the commit failed: nothing of the group is durable
            for _, future in group:
                future.set_exception(error)
            return
        for future, result, failure in results:
            if failure is None:
                future.set_result(result)
            else:
                future.set_exception(failure)


def _in_transaction(connection: Connection) -> bool:
    """Where the disk is full or failing, SQLite may undo the whole transaction, and with it the jobs before.

    Source: https://www.sqlite.org/lang_transaction.html#response_to_errors_within_a_transaction
    """
    driver: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]
    return driver.in_transaction


@contextmanager
def declared_errors() -> Iterator[None]:
    """What the database or its driver raises inside becomes `StoreUnavailable`."""
    try:
        yield
    except DBAPIError as error:
        # The driver's first line says what is wrong; the statement and its values are left out, they may hold secrets.
        reason = str(error.orig).splitlines()[0] if error.orig is not None and str(error.orig) else "no reason given"
        raise StoreUnavailable(f"The database refused: {reason}") from None
    except SQLAlchemyError as error:
        raise StoreUnavailable(f"The database is not usable: {type(error).__name__}") from None


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


def _set_up_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # SQLAlchemy's events below begin transactions, not the driver
    _use_wal(connection)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _use_wal(connection: sqlite3.Connection) -> None:
    """Where two turn the same new file to WAL SQLite does not queue them: it refuses one at once."""
    deadline = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    # A writer that begins deferred and upgrades later can fail with "database is locked" at once: take the lock first.
    writes = connection.get_execution_options().get("connector_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
