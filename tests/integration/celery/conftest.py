"""Many machines in small: a receiver of two processes and two workers, on PostgreSQL and a real broker."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
import requests
from sqlalchemy import make_url, select

from connector.delivery.celery_runner import Bell, celery_app
from connector.settings import Settings
from connector.store import history
from connector.store.database import Database
from connector.store.history import ChangeRecord
from connector.store.tables import changes, runners
from connector.store.vault import generate_key
from tests.integration.web.conftest import Connector, Endpoint, Sandbox, free_port, over_http, running
from tests.integration.web.conftest import running_sandbox as running_sandbox  # noqa: PLC0414 - pytest finds it here
from tests.needs import lacking

T = TypeVar("T")

BROKERS = {"redis": "CONNECTOR_TEST_REDIS_URL", "rabbitmq": "CONNECTOR_TEST_RABBITMQ_URL"}
TAKE_OVER_AFTER = 2.0
LONG = 15.0
"""Seconds that no test comes near to, unless it fails."""


def eventually(look: Callable[[], T], within: float = LONG) -> T:
    """What `look` sees once that is something."""
    deadline = time.monotonic() + within
    while not (seen := look()):
        assert time.monotonic() < deadline, f"not within {within:g} seconds"
        time.sleep(0.02)
    return seen


@dataclass
class Machines:
    environment: Mapping[str, str]
    settings: Settings
    database: Database
    sandbox: Sandbox
    app: Any
    bell: Bell
    url: str = ""
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def staff(self, *options: str) -> None:
        """See to it that two workers are at work."""
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        for _ in range(2 - len(self.workers)):
            self.workers.append(
                subprocess.Popen(
                    [sys.executable, "-m", "connector", "worker", "--concurrency", "4", *options],
                    env=clean_environment() | self.environment,
                )
            )
        eventually(lambda: {worker.pid for worker in self.workers} <= self.seen())

    def dismiss(self) -> None:
        for worker in self.workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGTERM)
        for worker in self.workers:
            assert worker.wait(LONG) is not None

    def seen(self) -> set[int]:
        """The processes that say they live."""
        with self.database.read() as tx:
            return {pid_of(runner) for runner in tx.execute(select(runners.c.id)).scalars()}

    def at_work(self) -> subprocess.Popen[bytes]:
        """The worker that is applying the only change under way, once there is one."""

        def owner() -> str | None:
            with self.database.read() as tx:
                return tx.execute(select(changes.c.lease_owner).where(changes.c.lease_owner.is_not(None))).scalar()

        pid = pid_of(eventually(owner) or "")
        (worker,) = [worker for worker in self.workers if worker.pid == pid]
        return worker

    def settled(self, delivery_id: str) -> ChangeRecord:
        """The delivery's only change, once it is not pending any more."""

        def look() -> ChangeRecord | None:
            with self.database.read() as tx:
                (record,) = history.changes_of(tx, [delivery_id])[delivery_id]
            return record if record.state != "pending" else None

        record = eventually(look)
        assert record is not None
        return record

    def bells(self) -> int:
        """How many wait on the broker."""
        with self.app.connection_for_write() as connection:
            found: int = connection.default_channel.queue_declare(
                queue=self.settings.broker_queue, passive=True
            ).message_count
        return found

    def endpoint(self, url: str | None = None) -> Endpoint:
        return Connector(over_http(url or self.url), self.settings, self.sandbox).endpoint()


def pid_of(runner: str) -> int:
    return int(runner.split(":")[1])


def clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("CONNECTOR_", "LAUNCHDARKLY_"))}


@pytest.fixture(scope="session", params=BROKERS)
def broker_url(request: pytest.FixtureRequest) -> str:
    variable = BROKERS[request.param]
    if variable not in os.environ:
        lacking(f"Set {variable} to run this with a broker.")
    return os.environ[variable]


@pytest.fixture(scope="session")
def installed(
    broker_url: str, postgres_url: str, running_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machines]:
    queue = f"connector-test-{secrets.token_hex(6)}"
    url_of_all = make_url(postgres_url).update_query_dict({"application_name": queue})
    database_url = url_of_all.render_as_string(hide_password=False)
    environment = {
        "CONNECTOR_DATABASE_URL": database_url,
        "CONNECTOR_ENCRYPTION_KEYS": generate_key(),
        "CONNECTOR_BROKER_URL": broker_url,
        "CONNECTOR_BROKER_QUEUE": queue,
        "CONNECTOR_TAKE_OVER_AFTER": str(TAKE_OVER_AFTER),
        "CONNECTOR_WORKERS": "2",
        "CONNECTOR_THREADS": "8",
        "CONNECTOR_RESPOND_WITHIN": "1.5",
    }
    app: Any = celery_app(broker_url, queue)
    database = Database(database_url, pool_size=2)
    url = f"http://127.0.0.1:{free_port()}"
    machines = Machines(
        environment, Settings.from_environment(environment), database, running_sandbox, app, Bell(app), url
    )
    with ExitStack() as stack:
        stack.callback(database.close)
        stack.callback(forget, app, queue)
        stack.callback(machines.bell.stop)
        stack.enter_context(running(environment, url + "/healthz", "serve", "--bind", url.removeprefix("http://")))
        stack.callback(machines.dismiss)
        yield machines


def forget(app: Any, queue: str) -> None:
    """Leave nothing on the broker."""
    with app.connection_for_write() as connection:
        connection.default_channel.queue_delete(queue)
        connection.default_channel.exchange_delete(queue)


@pytest.fixture
def machines(installed: Machines) -> Machines:
    """All at work, and LaunchDarkly empty and well."""
    requests.post(f"{installed.sandbox.url}/sandbox/reset", timeout=5).raise_for_status()
    installed.staff()
    return installed
