"""One durable transaction at a time: the engine, the transactions, the single writer of SQLite.

It must never know what is written. On SQLite the threads of this process write one at a time, and each commits what
others wait to write (group commit): WAL with synchronous=FULL costs one fsync per commit, not per write.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
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
        make it durable. `work` may run in another thread, and again where its transaction was undone for another's
        sake: it must do nothing but talk to its connection.
        """
        with declared_errors():
            if self._writer is not None:
                return self._writer.write(work)
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


@dataclass(slots=True, eq=False)
class _Job:
    """Work that waits to be written. `turn` is held until it is written or, where it `leads`, its thread may write."""

    work: Callable[[Connection], Any]
    turn: threading.Lock = field(default_factory=threading.Lock)
    leads: bool = False
    over: bool = False
    result: Any = None
    failure: BaseException | None = None

    def __post_init__(self) -> None:
        self.turn.acquire()


class _Undone(Exception):
    """One job of a group failed, and so the transaction of all."""


class _Writer:
    """One writer at a time to SQLite: whoever is it commits what all others that wait want to write.

    The threads that write take turns, and no further thread stands between them: what is written alone is written
    without a switch of threads, and of those that wait together only one is woken before their commit.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.execution_options(connector_writes=True)
        self._connection: Connection | None = None
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._waiting: deque[_Job] = deque()
        self._busy = False
        self._closed = False

    def write(self, work: Callable[[Connection], T]) -> T:
        job = _Job(work)
        with self._lock:
            if self._closed:
                raise StoreUnavailable("The database is closed: this process is about to end.")
            self._waiting.append(job)
            mine = not self._busy
            self._busy = True
        if not mine:
            try:
                job.turn.acquire()
            except BaseException:  # a signal, in the main thread: the others must not wait for a turn that nobody takes
                self._withdraw(job)
                raise
        if not job.over:
            self._take_turn()
        if job.failure is not None:
            raise job.failure
        result: T = job.result
        return result

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._idle.wait_for(lambda: not self._busy)
            self._disconnect()

    def _withdraw(self, job: _Job) -> None:
        """Of a thread that does not wait any longer."""
        with self._lock:
            if job not in self._waiting:
                return
            if not job.leads:
                self._waiting.remove(job)
                return
        self._take_turn()

    def _take_turn(self) -> None:
        with self._lock:
            group = [self._waiting.popleft() for _ in range(min(_GROUP, len(self._waiting)))]
        try:
            self._commit(group)
        finally:
            for job in group:
                job.over = True
            with self._lock:
                if self._waiting:
                    self._waiting[0].leads = True
                    self._waiting[0].turn.release()
                else:
                    self._busy = False
                    self._idle.notify_all()
            for job in group:
                job.turn.release()

    def _commit(self, group: Sequence[_Job]) -> None:
        try:
            try:
                self._transact(group, _run)
            except _Undone:
                if len(group) > 1:
                    self._transact(group, _run_apart)
        except BaseException as error:  # noqa: BLE001 - the commit failed: nothing of the group is durable
            for job in group:
                job.failure = error
            self._disconnect()

    def _transact(self, group: Sequence[_Job], run: Callable[[Connection, _Job], None]) -> None:
        if self._connection is None:
            self._connection = self._engine.connect()
        with self._connection.begin():
            for job in group:
                run(self._connection, job)

    def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(SQLAlchemyError):
                self._connection.close()
            self._connection = None


def _run(connection: Connection, job: _Job) -> None:
    """Without a savepoint, which costs as much as what it protects: where one job fails, all are done again."""
    try:
        job.result = job.work(connection)
    except BaseException as error:  # noqa: BLE001 - the caller's to judge, in its own thread
        job.failure = error
        raise _Undone from None


def _run_apart(connection: Connection, job: _Job) -> None:
    """Within a savepoint: a job that fails undoes its own work only."""
    job.failure = None
    savepoint = connection.begin_nested()
    try:
        job.result = job.work(connection)
        savepoint.commit()
    except BaseException as error:
        if not _in_transaction(connection):
            raise
        savepoint.rollback()
        job.failure = error


def _in_transaction(connection: Connection) -> bool:
    """Where the disk is full or failing, SQLite may undo the whole transaction, and with it the jobs before.

    Source: https://www.sqlite.org/lang_transaction.html#response_to_errors_within_a_transaction
    """
    return _driver(connection).in_transaction


def _driver(connection: Connection) -> sqlite3.Connection:
    driver: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]
    return driver


@contextmanager
def declared_errors() -> Iterator[None]:
    """What the database or its driver raises inside becomes `StoreUnavailable`."""
    try:
        yield
    except DBAPIError as error:
        # The driver's first line says what is wrong; the statement and its values are left out, they may hold secrets.
        reason = str(error.orig).splitlines()[0] if error.orig is not None and str(error.orig) else "no reason given"
        raise StoreUnavailable(f"The database refused: {reason}") from None
    except sqlite3.Error as error:  # of a BEGIN, see `_begin_sqlite`
        raise StoreUnavailable(f"The database refused: {error}") from None
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
    # Past SQLAlchemy's own execution, which takes ten times as long as this statement.
    _driver(connection).execute("BEGIN IMMEDIATE" if writes else "BEGIN")
