"""How long a search takes in a history of a million deliveries, and a replay of ten thousand changes.

    python -m benchmarks.search [sqlite | postgres] [--rows 1000000]

Every search goes through the management API. PostgreSQL is the one that CONNECTOR_TEST_POSTGRES_URL names; what is
made there is dropped again.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import create_engine, make_url, text

from benchmarks.processes import await_answer, process
from connector.app import create_app
from connector.cli.demo import free_port
from connector.event_types import Change, ChangeKind, EventType, Outcome
from connector.settings import Settings
from connector.store import connections, endpoints, inbox, schema
from connector.store.connections import Connection
from connector.store.database import Database
from connector.store.endpoints import Endpoint
from connector.store.inbox import NewChange
from connector.store.vault import Vault, generate_key

TOKEN = secrets.token_urlsafe(32)
CONNECTIONS, LABELS, CALLS = 1_000, 20_000, 41
REPLAYED, OWNERS, ENDS_WITHIN = 10_000, 10, 600.0
DAY = 24 * 3600
CHUNK = 50_000

# One in a thousand is parked, one in two thousand pending; the rest went well.
_OUTCOME = (
    "CASE WHEN {n} % 1000 = 7 THEN 'parked' WHEN {n} % 2000 = 3 THEN NULL WHEN {n} % 10 < 5 THEN 'unchanged' "
    "WHEN {n} % 10 < 8 THEN 'updated' WHEN {n} % 10 < 9 THEN 'renamed' ELSE 'created' END"
)
_STATE = "CASE WHEN {n} % 1000 = 7 THEN 'parked' WHEN {n} % 2000 = 3 THEN 'pending' ELSE 'done' END"

_DELIVERIES = "deliveries (id, endpoint_id, message_id, body_digest, body, headers, received_at)"
_CHANGES = (
    "changes (delivery_id, position, connection_id, label, kind, change, queued_at, state, due_at, attempts, replays, "
    "outcome, result)"
)


def fill(database: Database, rows: int, now: float) -> None:
    """A month of deliveries with one change each, of a thousand customers; made by the database itself."""
    at = f"({now - 30 * DAY} + n * {30 * DAY / rows})"
    if database.sqlite:
        series = "WITH RECURSIVE s(n) AS (SELECT :low UNION ALL SELECT n + 1 FROM s WHERE n + 1 < :high)"
        moment, tail = f"printf('%011x', CAST({at} * 1000 AS INTEGER))", "printf('%016x', n)"
        blob, json = "zeroblob(32)", "'{}'"
    else:
        series = "WITH s AS (SELECT generate_series(CAST(:low AS bigint), CAST(:high AS bigint) - 1) AS n)"
        moment, tail = f"lpad(to_hex(CAST({at} * 1000 AS bigint)), 11, '0')", "lpad(to_hex(n), 16, '0')"
        blob, json = "decode(repeat('00', 32), 'hex')", "CAST('{}' AS jsonb)"
    delivery, owner = f"'dlv_' || {moment} || {tail}", f"((n * 7919) % {CONNECTIONS})"
    label = f"'evt_' || ((n * 104729) % {LABELS})"
    state, outcome = _STATE.format(n="n"), _OUTCOME.format(n="n")
    of_deliveries = f"{delivery}, 'ep_' || {owner}, 'msg_' || n, {blob}, {blob}, {json}, {at}"
    said = f"{label}, 'updated', {json}, {at}, {state}, {now + DAY}, 1, 0, {outcome}, {json}"
    of_changes = f"{delivery}, 0, 'con_' || {owner}, {said}"
    made = [  # of the numbers and words of this file, and nothing else
        f"INSERT INTO {into} {series} SELECT {values} FROM s"  # noqa: S608
        for into, values in ((_DELIVERIES, of_deliveries), (_CHANGES, of_changes))
    ]
    with database.engine.begin() as tx:
        vault = Vault([generate_key()])
        for number in range(CONNECTIONS):
            endpoints.add(tx, Endpoint(f"ep_{number}", "standard"), now=now)
            customer = Connection(f"con_{number}", f"ep_{number}", "customer", "demo", "https://app.launchdarkly.com")
            connections.add(tx, vault, customer, "api-none", now=now)
    for low in range(0, rows, CHUNK):
        with database.engine.begin() as tx:
            if not database.sqlite:
                tx.execute(text("SET LOCAL statement_timeout = 0"))
            for into in made:
                tx.execute(text(into), {"low": low, "high": min(rows, low + CHUNK)})


def searches(rows: int, now: float) -> dict[str, Callable[[], dict[str, Any]]]:
    """What people look for, each time something else."""

    def one(name: str, of: int) -> str:
        return f"{name}_{random.randrange(of)}"

    def moment(days: float) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - days * DAY))

    return {
        "the newest": dict,
        "by message id": lambda: {"message_id": one("msg", rows)},
        "by event type": lambda: {"event_type": one("evt", LABELS)},
        "by event type and outcome": lambda: {"event_type": one("evt", LABELS), "outcome": "created"},
        "by event type that never came": lambda: {"event_type": secrets.token_hex(4)},
        "by connection": lambda: {"connection": one("con", CONNECTIONS)},
        "by connection and outcome": lambda: {"connection": one("con", CONNECTIONS), "outcome": "renamed"},
        "by connection, parked": lambda: {"connection": one("con", CONNECTIONS), "state": "parked"},
        "by endpoint": lambda: {"endpoint": one("ep", CONNECTIONS)},
        "parked": lambda: {"state": "parked"},
        "pending": lambda: {"state": "pending"},
        "done": lambda: {"state": "done"},
        "an outcome that never came": lambda: {"outcome": "deleted"},
        "a day of a month": lambda: {"since": moment(day := random.randrange(2, 30)), "until": moment(day - 1)},
        "created, long ago": lambda: {"outcome": "created", "until": moment(random.randrange(1, 29))},
        "by connection, long ago": lambda: {
            "connection": one("con", CONNECTIONS),
            "until": moment(random.randrange(1, 29)),
        },
    }


def measure(app: Flask, rows: int, now: float) -> None:
    client, headers = app.test_client(), {"Authorization": f"Bearer {TOKEN}"}
    print(f"{'search (50 a page)':34}{'found':>6}{'median ms':>11}{'worst ms':>10}")
    for name, query in searches(rows, now).items():
        seconds, found = [], 0
        for _ in range(CALLS):
            started = time.perf_counter()
            answer = client.get("/api/v1/deliveries", query_string=query(), headers=headers)
            seconds.append(time.perf_counter() - started)
            found = max(found, len(answered(answer)["deliveries"]))
        print(f"{name:34}{found:6}{statistics.median(seconds) * 1000:11.1f}{max(seconds) * 1000:10.1f}", flush=True)


def answered(answer: Any) -> dict[str, Any]:
    assert answer.status_code < 300, answer.text
    found: dict[str, Any] = answer.json
    return found


def replay(app: Flask, sandbox: str) -> None:
    """Ten thousand parked changes of ten customers again, through the runner and into the sandbox."""
    client, headers = app.test_client(), {"Authorization": f"Bearer {TOKEN}"}
    began = time.time()
    for number in range(OWNERS):
        new: dict[str, Any] = {
            "name": f"customer {number}",
            "project_key": "demo",
            "api_key": "api-demo",
            "base_url": sandbox,
        }
        new |= {"options": {"key_prefix": f"c{number}-"}}
        added = answered(client.post("/api/v1/connections", json=new, headers=headers))
        park(app.extensions["connector"].installation.database, added)
    wanted = {"filter": {"state": "parked", "since": datetime.fromtimestamp(began, UTC).isoformat()}}
    started, computed = time.perf_counter(), time.process_time()
    progress = answered(client.post("/api/v1/replays", json=wanted, headers=headers))
    queued = time.perf_counter() - started
    address = f"/api/v1/replays/{progress['id']}"
    while (progress := answered(client.get(address, headers=headers)))["state"] == "running":
        assert time.perf_counter() - started < ENDS_WITHIN, progress
        time.sleep(0.5)
    took, computed = time.perf_counter() - started, time.process_time() - computed
    print(
        f"replay of {progress['changes']} changes: queued in {queued:.1f} s, done in {took:.1f} s: {progress['states']}"
    )
    print(f"of these the connector computed {computed:.1f} s")


def park(database: Database, connection: dict[str, Any]) -> None:
    """A tenth of what is replayed: new event types whose changes wait for a person."""
    new = [
        NewChange(change.label, change.kind, change, connection["id"], outcome=Outcome.PARKED, reason="Look at it.")
        for change in (
            Change(ChangeKind.DEFINED, EventType(id=f"new_{number}", key=f"new_{number}", name=f"New {number}"))
            for number in range(REPLAYED // OWNERS)
        )
    ]

    def write(tx: Any) -> None:
        now = time.time()
        inbox.accept(
            tx, endpoint_id=connection["endpoint"], message_id="new", body=b"", headers={}, new_changes=new, now=now
        )

    database.write(write)


@contextmanager
def database_url(store: str) -> Iterator[str]:
    """An empty database, gone again afterwards."""
    with tempfile.TemporaryDirectory() as directory:
        if store == "sqlite":
            yield f"sqlite:///{directory}/connector.db"
            return
    name = f"connector_search_{secrets.token_hex(6)}"
    server = os.environ["CONNECTOR_TEST_POSTGRES_URL"]
    engine = create_engine(server)
    with engine.begin() as tx:
        tx.execute(text(f"CREATE SCHEMA {name}"))
    try:
        url = make_url(server).update_query_dict({"options": f"-csearch_path={name}"})
        yield url.render_as_string(hide_password=False)
    finally:
        with engine.begin() as tx:
            tx.execute(text(f"DROP SCHEMA {name} CASCADE"))
        engine.dispose()


def run(store: str, rows: int) -> None:
    with database_url(store) as url, tempfile.TemporaryDirectory() as directory:
        now, started = time.time(), time.monotonic()
        database = Database(url)
        schema.upgrade(database)
        fill(database, rows, now)
        if not database.sqlite:
            with database.engine.begin() as tx:
                tx.execute(text("ANALYZE"))  # as the server does by itself after so many rows
        database.close()
        print(f"{store}: {rows} deliveries, made in {time.monotonic() - started:.0f} s")
        environment = {"CONNECTOR_DATABASE_URL": url, "CONNECTOR_ADMIN_TOKEN": TOKEN}
        environment |= {"CONNECTOR_ENCRYPTION_KEYS": generate_key()}
        app = create_app(Settings.from_environment(environment))
        logging.getLogger("connector").setLevel(logging.ERROR)  # the figures are to be read
        try:
            measure(app, rows, now)
            address = f"http://127.0.0.1:{free_port()}"
            port, log = address.rpartition(":")[2], Path(directory) / "sandbox.log"
            with process([sys.executable, "-m", "connector", "sandbox", "--port", port], log):
                await_answer(f"{address}/sandbox/", log)
                replay(app, address)
        finally:
            app.extensions["connector"].close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", choices=("sqlite", "postgres"), nargs="?", default="sqlite")
    parser.add_argument("--rows", type=int, default=1_000_000)
    given = parser.parse_args()
    run(given.store, given.rows)


if __name__ == "__main__":
    main()
