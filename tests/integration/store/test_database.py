"""Durable writes, group commit, snapshots: what every other promise of the store stands on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, event, func, select, text

from connector.store import database as database_module
from connector.store import endpoints
from connector.store import sqlite as sqlite_module
from connector.store.database import Database, StoreUnavailable
from connector.store.endpoints import Endpoint
from connector.store.sqlite import Opened
from connector.store.tables import endpoints as table

Work = Callable[[Connection], Any]

LONG = 60.0
"""Seconds that nothing takes unless it is broken."""

_INSERT = "INSERT INTO endpoints (id, partner, shared, origin, created_at) VALUES ('ep_2', :huge, false, 'stored', 1)"


def add(name: str, *, partner: str = "standard") -> Work:
    return lambda tx: endpoints.add(tx, Endpoint(name, partner), now=1.0)


def stored(database: Database) -> list[str]:
    with database.read() as tx:
        return list(tx.execute(select(table.c.id).order_by(table.c.id)).scalars())


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as threads:
        yield threads


@pytest.fixture
def together(sqlite_database: Database, pool: ThreadPoolExecutor) -> Callable[..., list[Future[Any]]]:
    """Makes all these jobs wait, in this order, while another is written: they are one group."""

    def submit(*jobs: Work) -> list[Future[Any]]:
        busy, go = threading.Event(), threading.Event()

        def occupy(_tx: Connection) -> None:
            busy.set()
            go.wait(LONG)

        first = pool.submit(sqlite_database.write, occupy)
        assert busy.wait(LONG)
        waiting = sqlite_database._writer._waiting
        futures = []
        for job in jobs:
            futures.append(pool.submit(sqlite_database.write, job))
            deadline = time.monotonic() + LONG
            while len(waiting) < len(futures) and time.monotonic() < deadline:
                go.wait(0.001)
        go.set()
        first.result(LONG)
        return futures

    return submit


class TestWrites:
    def test_a_result_comes_back_once_it_is_stored(self, database: Database) -> None:
        assert database.write(add("ep_1")) is True
        assert stored(database) == ["ep_1"]

    def test_an_exception_undoes_the_work_and_reaches_the_caller(self, database: Database) -> None:
        def fail(tx: Connection) -> None:
            add("ep_1")(tx)
            raise LookupError("no")

        with pytest.raises(LookupError, match="no"):
            database.write(fail)
        assert stored(database) == []

    def test_many_threads_write_at_once(self, database: Database, pool: ThreadPoolExecutor) -> None:
        names = [f"ep_{number:02}" for number in range(40)]
        assert all(pool.map(lambda name: database.write(add(name)), names))
        assert stored(database) == names

    def test_what_the_database_refuses_is_declared_and_repeats_no_value(self, database: Database) -> None:
        insert = table.insert().values(id=None, partner="secret-canary", shared=False, origin="x", created_at=1)
        with pytest.raises(StoreUnavailable, match="The database refused: ") as refused:
            database.write(lambda tx: tx.execute(insert))
        assert "INSERT" not in str(refused.value)
        assert refused.value.code == "store_unavailable"


class TestGroupCommit:
    def test_waiting_writes_share_one_commit(
        self, sqlite_database: Database, together: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        commits: list[Opened] = []
        commit = Opened.commit
        monkeypatch.setattr(Opened, "commit", lambda opened: (commits.append(opened), commit(opened)))

        for future in together(*(add(f"ep_{number}") for number in range(5))):
            future.result(LONG)

        assert len(commits) == 2, "one for the job that kept the writer busy, one for the five behind it"
        assert len(stored(sqlite_database)) == 5

    def test_a_job_that_fails_does_not_undo_the_others(
        self, sqlite_database: Database, together: Callable[..., Any]
    ) -> None:
        def fail(tx: Connection) -> None:
            add("ep_2")(tx)
            raise LookupError("no")

        before, failed, after = together(add("ep_1"), fail, add("ep_3"))

        assert (before.result(LONG), after.result(LONG)) == (True, True)
        with pytest.raises(LookupError):
            failed.result(LONG)
        assert stored(sqlite_database) == ["ep_1", "ep_3"]

    def test_a_commit_that_fails_fails_every_job(
        self, sqlite_database: Database, together: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        commits = iter([False, True])
        commit = Opened.commit

        def fail_second(opened: Opened) -> None:
            if next(commits, False):
                raise OSError("no space left")
            commit(opened)

        monkeypatch.setattr(Opened, "commit", fail_second)
        futures = together(add("ep_1"), add("ep_2"))

        for future in futures:
            with pytest.raises(OSError, match="no space left"):
                future.result(LONG)
        assert stored(sqlite_database) == []
        assert sqlite_database.write(add("ep_3")), "the writer goes on"

    def test_who_is_interrupted_while_it_waits_holds_up_nobody(
        self, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Interrupted:
            """A lock whose second `acquire`, the wait, is broken off by a signal."""

            def __init__(self) -> None:
                self.lock = threading.Lock()
                self.locked, self.release = self.lock.locked, self.lock.release

            def acquire(self) -> None:
                if self.lock.locked():
                    raise KeyboardInterrupt
                self.lock.acquire()

        whole = sqlite_module._Job

        def interrupted(tx: Connection) -> None:
            add("ep_2")(tx)

        def job(work: Work, durable: bool) -> Any:
            return whole(work, durable, Interrupted()) if work is interrupted else whole(work, durable)

        def waits(tx: Connection) -> None:
            with pytest.raises(KeyboardInterrupt):
                pool.submit(sqlite_database.write, interrupted).result(LONG)
            add("ep_1")(tx)

        monkeypatch.setattr(sqlite_module, "_Job", job)
        with ThreadPoolExecutor(1) as pool:
            sqlite_database.write(waits)

        assert sqlite_database.write(add("ep_3"))
        assert stored(sqlite_database) == ["ep_1", "ep_3"]


class TestFullDisk:
    """SQLite's own page limit makes it say what it says on a full disk."""

    @pytest.fixture(autouse=True)
    def full_disk(self, sqlite_database: Database) -> None:
        def limit(connection: Any, _record: object) -> None:
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count={pages + 8}")

        event.listen(sqlite_database.engine, "connect", limit)

    HUGE = "x" * 1_000_000

    def test_what_does_not_fit_is_refused_and_not_half_written(self, sqlite_database: Database) -> None:
        def two_rows(tx: Connection) -> None:
            add("ep_1")(tx)
            add("ep_2", partner=self.HUGE)(tx)

        with pytest.raises(StoreUnavailable, match="database or disk is full"):
            sqlite_database.write(two_rows)
        assert stored(sqlite_database) == []
        assert sqlite_database.write(add("ep_3")), "what fits is still taken"

    @pytest.mark.parametrize("insert", [_INSERT, f"{_INSERT} ON CONFLICT DO NOTHING RETURNING id"])
    def test_no_job_of_the_group_is_told_that_it_is_stored_where_it_is_not(
        self, sqlite_database: Database, together: Callable[..., Any], insert: str
    ) -> None:
        """SQLite undoes only the statement, or the whole transaction with the jobs before it: the SQL decides."""
        futures = together(add("ep_1"), lambda tx: tx.execute(text(insert), {"huge": self.HUGE}), add("ep_3"))

        failures = {
            name: future.exception(LONG) for name, future in zip(("ep_1", "ep_2", "ep_3"), futures, strict=True)
        }

        assert [name for name, failure in failures.items() if failure is None] == stored(sqlite_database)
        assert "database or disk is full" in str(failures["ep_2"])
        assert sqlite_database.write(add("ep_4")), "the writer goes on"


class TestReads:
    def test_a_read_is_one_snapshot(self, database: Database) -> None:
        count = select(func.count()).select_from(table)
        with database.read() as tx:
            before = tx.execute(count).scalar_one()
            database.write(add("ep_1"))
            assert tx.execute(count).scalar_one() == before
        assert stored(database) == ["ep_1"]

    def test_a_read_after_a_write_sees_it_whoever_wrote(
        self, database: Database, database_url: str, open_database: Callable[[str], Database]
    ) -> None:
        open_database(database_url).write(add("ep_1"))
        assert stored(database) == ["ep_1"]


class TestClosing:
    def test_what_was_written_is_there_for_the_next_process(
        self, database_url: str, open_database: Callable[[str], Database]
    ) -> None:
        first = open_database(database_url)
        first.write(add("ep_1"))
        first.close()
        assert stored(open_database(database_url)) == ["ep_1"]

    def test_closing_finishes_the_writes_that_wait(
        self, sqlite_database: Database, together: Callable[..., Any]
    ) -> None:
        futures = together(*(add(f"ep_{number}") for number in range(5)))
        sqlite_database.close()
        assert all(future.result(LONG) for future in futures)

    def test_a_write_after_closing_is_refused_and_does_not_wait_for_ever(self, sqlite_database: Database) -> None:
        sqlite_database.close()
        with pytest.raises(StoreUnavailable, match="closed"):
            sqlite_database.write(add("ep_1"))

    def test_closing_twice_is_closing(self, database: Database) -> None:
        database.write(add("ep_1"))
        database.close()
        database.close()


class TestDurability:
    def test_sqlite_syncs_every_commit_and_checks_references(self, sqlite_database: Database) -> None:
        with sqlite_database.read() as tx:
            pragmas = {
                name: tx.execute(text(f"PRAGMA {name}")).scalar_one()
                for name in ("journal_mode", "synchronous", "foreign_keys")
            }
        assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}

    def test_a_write_that_need_not_be_durable_waits_for_no_disk(self, database: Database) -> None:
        ask = text("PRAGMA synchronous" if database.sqlite else "SHOW synchronous_commit")
        waits, waits_not = (2, 1) if database.sqlite else ("on", "off")

        def level(tx: Connection) -> Any:
            return tx.execute(ask).scalar_one()

        assert database.write(level) == waits
        assert database.write(level, durable=False) == waits_not
        assert database.write(level) == waits

    def test_a_group_waits_for_the_disk_where_one_of_it_does(
        self, sqlite_database: Database, pool: ThreadPoolExecutor
    ) -> None:
        levels: list[int] = []

        def level(tx: Connection) -> None:
            levels.append(tx.execute(text("PRAGMA synchronous")).scalar_one())

        def occupy(tx: Connection) -> None:
            for durable in (False, True):
                pool.submit(sqlite_database.write, level, durable=durable)
            deadline = time.monotonic() + LONG
            while len(sqlite_database._writer._waiting) < 2 and time.monotonic() < deadline:
                time.sleep(0.001)
            level(tx)

        sqlite_database.write(occupy, durable=False)
        sqlite_database.write(lambda _tx: None)

        assert levels == [1, 2, 2]


class TestMemory:
    def test_many_readers_of_sqlite_keep_little_and_its_one_writer_what_an_import_takes(
        self, sqlite_database: Database
    ) -> None:
        ask: Work = lambda tx: tx.execute(text("PRAGMA cache_size")).scalar_one()  # noqa: E731
        with sqlite_database.read() as tx:
            assert ask(tx) == -sqlite_module.READ_CACHE
        assert sqlite_database.write(ask) == -sqlite_module.WRITE_CACHE


class TestOpening:
    @pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:"])
    def test_a_database_in_memory_is_refused(self, url: str) -> None:
        with pytest.raises(StoreUnavailable, match="loses everything"):
            Database(url)

    def test_a_file_made_by_us_is_for_its_owner_only(self, tmp_path: Any) -> None:
        path = tmp_path / "new" / "connector.db"
        Database(f"sqlite:///{path}").close()
        assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)

    def test_a_directory_that_cannot_be_made_is_named_with_the_way_out(self, tmp_path: Any) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(StoreUnavailable, match=r"Cannot write .*file/connector.db.*CONNECTOR_DATABASE_URL"):
            Database(f"sqlite:///{tmp_path}/file/connector.db")

    def test_three_that_open_the_same_new_file_at_once_all_write(self, tmp_path: Any, pool: ThreadPoolExecutor) -> None:
        """SQLite refuses all but one of those that turn a file to WAL at the same moment, and none may fail for it."""
        for attempt in range(25):
            opened = [Database(f"sqlite:///{tmp_path}/{attempt}.db") for _ in range(3)]
            start = threading.Barrier(len(opened))

            def write(database: Database, start: threading.Barrier = start) -> None:
                start.wait()
                database.write(lambda tx: tx.execute(text("CREATE TABLE IF NOT EXISTS made (x)")))

            for written in [pool.submit(write, database) for database in opened]:
                written.result()
            for database in opened:
                database.close()

    def test_a_file_that_is_no_database_is_declared(self, tmp_path: Any) -> None:
        path = tmp_path / "notes.db"
        path.write_bytes(b"Dear diary, " * 500)
        database = Database(f"sqlite:///{path}")
        with pytest.raises(StoreUnavailable, match="file is not a database"):
            stored(database)
        with pytest.raises(StoreUnavailable, match="file is not a database"):
            database.write(add("ep_1"))
        database.close()

    def test_a_server_that_is_not_there_is_declared(self) -> None:
        database = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")
        with pytest.raises(StoreUnavailable, match="The database refused: "):
            stored(database)
        database.close()

    @pytest.mark.parametrize("url", ["postgresql+psycopg://user:p@ss@host:canary/db", "nonsense-canary"])
    def test_a_malformed_url_is_declared_and_not_repeated(self, url: str) -> None:
        with pytest.raises(StoreUnavailable, match="percent-encoded") as refused:
            Database(url)
        assert "canary" not in str(refused.value)

    def test_without_the_driver_of_postgresql_the_sentence_says_what_to_install(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
        with pytest.raises(StoreUnavailable, match=r"pip install 'metric-connector\[postgres\]'"):
            Database("postgresql+psycopg://nobody@127.0.0.1:1/none")


class TestServerThatWasAway:
    def test_connections_that_it_dropped_while_they_were_idle_are_replaced(
        self, postgres_database: Database, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        together = threading.Barrier(4)

        def backend() -> int:
            with postgres_database.read() as tx:
                together.wait(LONG)
                pid: int = tx.execute(text("SELECT pg_backend_pid()")).scalar_one()
                return pid

        before = {future.result(LONG) for future in [pool.submit(backend) for _ in range(4)]}
        apart = create_engine(postgres_database.engine.url)
        with apart.begin() as tx:
            for pid in before:
                tx.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        apart.dispose()
        monkeypatch.setattr(database_module, "IDLE", 0.0)

        after = {future.result(LONG) for future in [pool.submit(backend) for _ in range(4)]}

        assert len(after) == 4
        assert not before & after
