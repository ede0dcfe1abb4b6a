"""The checks of database and work: each is seen to fail where the very thing it looks for is broken."""

from __future__ import annotations

import fcntl
import shutil
import sqlite3

import pytest
from sqlalchemy import text

from connector.doctor import Verdict, examining, storage
from connector.doctor.premises import Premises
from connector.event_types import Outcome
from connector.store import alerts, duties, inbox, leases, rekey, runners
from connector.store.inbox import Settled
from connector.store.tables import alert_messages
from connector.store.vault import Vault, generate_key
from tests.conftest import _postgres_schema
from tests.integration.doctor.conftest import Installed
from tests.integration.web.conftest import free_port

FAILURE, WARNING, OK, SKIPPED = Verdict.FAILURE, Verdict.WARNING, Verdict.OK, Verdict.SKIPPED
DONE = Settled(Outcome.CREATED)


def test_a_database_that_is_not_there_is_told_and_not_made(installed: Installed) -> None:
    missing = installed.directory / "missing.db"
    installed.environment["CONNECTOR_DATABASE_URL"] = f"sqlite:///{missing}"
    assert installed.said("database").verdict is FAILURE
    assert not missing.exists()


def test_a_file_that_is_no_database(installed: Installed) -> None:
    path = installed.directory / "garbage.db"
    path.write_bytes(b"canary " * 1000)
    installed.environment["CONNECTOR_DATABASE_URL"] = f"sqlite:///{path}"
    said = installed.said("database")
    assert (said.verdict, "not a database" in said.seen) == (FAILURE, True)


def test_a_server_that_is_not_there_is_told_without_its_password(installed: Installed) -> None:
    url = f"postgresql+psycopg://user:canary@127.0.0.1:{free_port()}/db"
    installed.environment["CONNECTOR_DATABASE_URL"] = url
    findings = installed.examined()
    assert next(each for each in findings if each.check == "database").verdict is FAILURE
    assert "canary" not in repr(findings)


def test_a_schema_of_another_version(installed: Installed) -> None:
    with installed.database.engine.begin() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    said = installed.said("schema_revision")
    assert (said.verdict, said.fix) == (FAILURE, "Run: connector db upgrade")
    assert installed.said("stored_secrets").verdict is SKIPPED


def test_a_database_that_cannot_be_written(installed: Installed, monkeypatch: pytest.MonkeyPatch) -> None:
    with installed.database.engine.begin() as tx:
        tx.execute(text("CREATE TRIGGER full BEFORE INSERT ON duties BEGIN SELECT RAISE(ABORT, 'disk full'); END"))
    said = installed.said("writable")
    assert (said.verdict, "disk full" in said.seen) == (FAILURE, True)


def test_writing_is_tried_and_leaves_nothing(installed: Installed) -> None:
    assert installed.said("writable").verdict is OK
    with installed.database.read() as tx:
        assert tx.execute(text("SELECT count(*) FROM duties")).scalar_one() == 0


def test_commits_that_do_not_wait_for_the_disk(on_postgres: Installed) -> None:
    on_postgres.environment["CONNECTOR_DATABASE_URL"] += "%20-csynchronous_commit%3Doff"
    said = on_postgres.said("durability")
    assert (said.verdict, "synchronous_commit is off" in said.seen) == (FAILURE, True)


def test_a_server_that_is_too_old(on_postgres: Installed, monkeypatch: pytest.MonkeyPatch) -> None:
    assert on_postgres.said("server_version").verdict is OK
    monkeypatch.setattr(storage, "OLDEST_POSTGRES", 10**9)
    assert on_postgres.said("server_version").verdict is FAILURE


def test_a_clock_that_is_not_the_database_s(on_postgres: Installed) -> None:
    assert on_postgres.said("clock_of_database").verdict is OK
    on_postgres.now += 100
    assert on_postgres.said("clock_of_database").verdict is WARNING


def test_a_damaged_file(installed: Installed) -> None:
    connection = installed.connect()
    for _ in range(20):
        installed.accept(connection, DONE)
    installed.database.close()
    path = installed.directory / "connector.db"
    with sqlite3.connect(path, isolation_level=None) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        page, size = (raw.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
        root = raw.execute("SELECT rootpage FROM sqlite_master WHERE name = 'ix_changes_delivery_id'").fetchone()[0]
    raw.close()
    assert root <= page
    with path.open("r+b") as file:
        file.seek((root - 1) * size + 8)
        file.write(b"\xff" * (size // 2))
    assert installed.said("integrity").verdict is FAILURE


def test_secrets_that_no_key_opens(installed: Installed) -> None:
    installed.connect()
    installed.environment["CONNECTOR_ENCRYPTION_KEYS"] = generate_key()
    said = installed.said("stored_secrets")
    assert (said.verdict, said.seen) == (FAILURE, "No key opens 2 of 2 stored secrets.")


def test_secrets_that_an_older_key_has_to_open(installed: Installed) -> None:
    installed.connect()
    keys = [generate_key(), installed.environment["CONNECTOR_ENCRYPTION_KEYS"]]
    installed.environment["CONNECTOR_ENCRYPTION_KEYS"] = ",".join(keys)
    assert installed.said("stored_secrets").verdict is OK
    said = installed.said("rekeyed")
    assert (said.verdict, said.fix) == (WARNING, "Run: connector keys rotate")
    installed.database.write(lambda tx: rekey.all_secrets(tx, Vault(keys)))
    assert installed.said("rekeyed").verdict is OK


def test_deliveries_that_nobody_forgets(installed: Installed) -> None:
    installed.accept(installed.connect(), DONE)
    installed.now += inbox.KEEP_SECONDS + storage.LATE + 86400
    assert installed.said("retention").verdict is WARNING


def test_a_backlog_that_is_old(installed: Installed) -> None:
    installed.accept(installed.connect())
    assert installed.said("backlog").verdict is OK
    installed.now += 301
    assert installed.said("backlog").verdict is FAILURE


def test_parked_work(installed: Installed) -> None:
    installed.accept(installed.connect(), Settled(Outcome.PARKED))
    said = installed.said("parked")
    assert (said.verdict, said.seen) == (FAILURE, "1 parked change waits for a person.")


def test_a_serve_that_does_not_run(installed: Installed) -> None:
    with (installed.directory / "runner.lock").open("r") as held:
        assert installed.said("runner").verdict is OK
        shutil.copyfile(held.name, installed.directory / "other.lock")
    (installed.directory / "other.lock").rename(installed.directory / "runner.lock")
    assert installed.said("runner").verdict is FAILURE
    with (installed.directory / "runner.lock").open("r") as free:
        fcntl.flock(free, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_workers_that_nobody_sees(on_postgres: Installed) -> None:
    said = on_postgres.said("runner")
    assert (said.verdict, said.fix) == (FAILURE, "Run: connector serve")
    on_postgres.database.write(lambda tx: runners.beat(tx, "host:1:x", now=on_postgres.now))
    assert on_postgres.said("runner").verdict is OK
    on_postgres.now += 60
    assert on_postgres.said("runner").verdict is FAILURE


def test_work_that_somebody_left_behind(installed: Installed) -> None:
    installed.accept(installed.connect())
    installed.database.write(lambda tx: leases.claim(tx, owner="dead", now=installed.now, lease=3600.0, limit=1))
    assert installed.said("leases").verdict is OK
    installed.now += 3700
    assert installed.said("leases").verdict is WARNING


def test_a_duty_that_nobody_does(installed: Installed) -> None:
    installed.database.write(lambda tx: duties.claim(tx, "alerts", every=30.0, now=installed.now))
    assert installed.said("duties").verdict is OK
    installed.now += 1000
    assert installed.said("duties").seen == "Late: alerts."


def test_alerts_that_cannot_be_sent(installed: Installed) -> None:
    installed.database.write(lambda tx: alerts.queue(tx, "slack", {}, now=installed.now))
    assert installed.said("alerts_sent").verdict is OK
    with installed.database.engine.begin() as tx:
        tx.execute(alert_messages.update().values(attempts=1))
    assert installed.said("alerts_sent").verdict is WARNING


def test_a_broker_that_is_not_there(on_postgres: Installed) -> None:
    on_postgres.environment["CONNECTOR_BROKER_URL"] = f"redis://user:canary@127.0.0.1:{free_port()}"
    said = on_postgres.said("broker")
    assert said.verdict is FAILURE
    assert "canary" not in said.seen
    on_postgres.now += 1000  # workers of other tests may live in this database
    assert on_postgres.said("runner").fix == "Run: connector worker"


def test_a_database_without_a_schema(installed: Installed, postgres_server: str) -> None:
    with _postgres_schema(postgres_server) as url:
        installed.environment["CONNECTOR_DATABASE_URL"] = url
        assert installed.said("schema_revision").verdict is FAILURE


def test_a_check_that_fails_itself_is_told_without_its_words(
    installed: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disk_space(_premises: Premises) -> None:
        raise ZeroDivisionError("canary")

    monkeypatch.setattr(examining, "CHECKS", (disk_space,))
    said = installed.said("disk_space")
    assert (said.verdict, said.seen) == (FAILURE, "The check itself failed (ZeroDivisionError).")


def test_a_database_that_answers_late(installed: Installed, monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter((0.0, 5.0))
    monkeypatch.setattr("connector.doctor.storage.time.perf_counter", lambda: next(moments))
    premises = Premises(installed.environment)
    assert storage.answer_time(premises).verdict is WARNING
    premises.close()
