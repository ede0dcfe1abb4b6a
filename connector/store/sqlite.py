"""SQLite as one process uses it: a writer at a time that commits for all who wait, and snapshots for those who read.

WAL with synchronous=FULL costs one fsync a commit, and a group's commit is one. It must never know what is written.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from connector.store.failures import StoreUnavailable

T = TypeVar("T")

READ_CACHE = 256
"""KiB of pages that each reading connection to SQLite keeps: the system caches the file for all of them."""

WRITE_CACHE = 8192
"""KiB for the one that writes, to find the pages of a dozen indexes."""

BUSY_TIMEOUT = 5.0
"""Seconds that SQLite waits for another process (a CLI command) that is writing."""

_GROUP = 128


def open_engine(url: str) -> Engine:
    """An engine whose connections are durable and check references."""
    engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": BUSY_TIMEOUT, "check_same_thread": False})
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


class Opened:
    """A connection to SQLite that stays open, whose transactions are begun and ended past SQLAlchemy.

    SQLAlchemy takes several times as long for that as SQLite. It is told of one transaction that never ends.
    """

    def __init__(self, engine: Engine) -> None:
        self.connection = engine.execution_options(connector_opened=True).connect()
        self.connection.begin()
        self.driver = _driver(self.connection)
        self._synchronous = "FULL"  # as `_set_up` has it

    def begin(self, *, durable: bool) -> None:
        """Take the lock to write: to take it later could fail with "database is locked" at once."""
        level = "FULL" if durable else "NORMAL"
        if level != self._synchronous:
            self.driver.execute(f"PRAGMA synchronous={level}")
            self._synchronous = level
        self.driver.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        self.driver.execute("COMMIT")

    def rollback(self) -> None:
        if self.driver.in_transaction:
            self.driver.execute("ROLLBACK")

    def close(self) -> None:
        with suppress(SQLAlchemyError, sqlite3.Error):
            self.connection.close()


class Readers:
    """Connections for snapshots: as many as read at once, of which `most` stay open."""

    def __init__(self, engine: Engine, most: int) -> None:
        self._engine = engine
        self._most = most
        self._idle: list[Opened] = []
        self._closed = False

    @contextmanager
    def read(self) -> Iterator[Connection]:
        try:
            opened = self._idle.pop()
        except IndexError:
            opened = Opened(self._engine)
        try:
            opened.driver.execute("BEGIN")
            yield opened.connection
        except BaseException:
            opened.close()
            raise
        opened.rollback()
        if self._closed or len(self._idle) >= self._most:
            opened.close()
        else:
            self._idle.append(opened)

    def close(self) -> None:
        self._closed = True
        while self._idle:
            self._idle.pop().close()


@dataclass(slots=True, eq=False)
class _Job:
    """Work that waits to be written. `turn` is held until it is written or, where it `leads`, its thread may write."""

    work: Callable[[Connection], Any]
    durable: bool = True
    turn: threading.Lock = field(default_factory=threading.Lock)
    leads: bool = False
    over: bool = False
    result: Any = None
    failure: BaseException | None = None

    def __post_init__(self) -> None:
        self.turn.acquire()


class _Undone(Exception):
    """One job of a group failed, and so the transaction of all."""


class Writer:
    """One writer at a time to SQLite: whoever is it commits what all others that wait want to write.

    The threads that write take turns, and no further thread stands between them: what is written alone is written
    without a switch of threads, and of those that wait together only one is woken before their commit.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._opened: Opened | None = None
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._waiting: deque[_Job] = deque()
        self._busy = False
        self._closed = False

    def write(self, work: Callable[[Connection], T], *, durable: bool) -> T:
        job = _Job(work, durable)
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
        if self._opened is None:
            self._opened = Opened(self._engine)
            self._opened.driver.execute(f"PRAGMA cache_size=-{WRITE_CACHE}")
        self._opened.begin(durable=any(job.durable for job in group))
        try:
            for job in group:
                run(self._opened.connection, job)
            self._opened.commit()
        except BaseException:
            self._opened.rollback()
            raise

    def _disconnect(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None


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


def _set_up(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # SQLAlchemy's events below begin transactions, not the driver
    _use_wal(connection)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute(f"PRAGMA cache_size=-{READ_CACHE}")


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


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if not options.get("connector_opened"):
        # See `Opened.begin`.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("connector_writes") else "BEGIN")
