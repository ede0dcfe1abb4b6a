"""A healthy installation, for the tests to break one thing of it each."""

from __future__ import annotations

import fcntl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

from connector.connections import Connections, NewConnection
from connector.doctor import Finding, examine
from connector.event_types import Change, ChangeKind, EventType
from connector.partners import Partners
from connector.sandbox import ApiKey, Role, SandboxConfig, create_sandbox
from connector.store import inbox, leases
from connector.store.connections import Connection, Options
from connector.store.database import Database
from connector.store.inbox import Attempt, NewChange, Settled
from connector.store.vault import Vault, generate_key
from tests.integration.web.conftest import free_port

MAINTAINER = "5f0000000000000000000009"
KEYS = (
    ApiKey("api-canary"),
    ApiKey("api-canary-reader", Role.READER),
    ApiKey("api-canary-person", member_id="5f0000000000000000000002"),
    ApiKey("api-canary-elsewhere", projects=()),
)


class _Silent(WSGIRequestHandler):
    def log_request(self, *_: object) -> None:
        """The test's output is its own."""


@pytest.fixture(scope="session")
def launchdarkly() -> Iterator[str]:
    """The address of a stand-in with the project `demo`."""
    app = create_sandbox(SandboxConfig(api_keys=KEYS))
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Silent)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Installed:
    """`environment` is what the doctor examines; tests change it, the database, or `now`."""

    environment: dict[str, str]
    database: Database
    vault: Vault
    launchdarkly: str
    directory: Path
    ahead: float = 0.0
    messages: int = 0

    @property
    def now(self) -> float:
        """The doctor's clock, which goes on: a slow machine must not look like a wrong clock."""
        return time.time() + self.ahead

    @now.setter
    def now(self, moment: float) -> None:
        self.ahead = moment - time.time()

    def examined(self, connection: str | None = None) -> list[Finding]:
        return list(examine(self.environment, connection, clock=lambda: self.now))

    def said(self, check: str) -> Finding:
        (finding,) = [finding for finding in self.examined() if finding.check == check]
        return finding

    def connect(self, **fields: Any) -> Connection:
        new = {
            "name": "Acme",
            "partner": "standard",
            "project_key": "demo",
            "credential": "api-canary",
            "base_url": self.launchdarkly,
            "options": Options(maintainer_id=MAINTAINER),
            **fields,
        }
        made = Connections(self.database, self.vault, Partners(), clock=lambda: self.now)
        return made.add(NewConnection(**new)).connection

    def accept(self, connection: Connection, settled: Settled | None = None, *, at: float | None = None) -> None:
        """Receive a change, and apply it with this outcome."""
        now = self.now if at is None else at
        self.messages += 1
        message = f"msg_{self.messages}"
        change = Change(kind=ChangeKind.DEFINED, event_type=EventType(key=message))
        self.database.write(
            lambda tx: inbox.accept(
                tx,
                endpoint_id=connection.endpoint_id,
                message_id=message,
                body=b"{}",
                headers={},
                new_changes=[NewChange(change.label, change.kind, change, connection.id)],
                now=now,
            )
        )
        if settled is not None:
            (work,) = self.database.write(lambda tx: leases.claim(tx, owner="test", now=now, lease=60.0, limit=1))
            tried = Attempt(now, 0.1, "test")
            self.database.write(lambda tx: leases.settle(tx, work, tried, settled, now=now))


Install = Callable[[str], Installed]


@pytest.fixture(autouse=True)
def no_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)


@pytest.fixture
def install(tmp_path: Path, launchdarkly: str, open_database: Callable[[str], Database]) -> Install:
    def install(url: str) -> Installed:
        key = generate_key()
        environment = {
            "CONNECTOR_DATABASE_URL": url,
            "CONNECTOR_ENCRYPTION_KEYS": key,
            "CONNECTOR_ADMIN_TOKEN": "0123456789abcdefghijklmnopqrstuv",
            "CONNECTOR_BASE_URL": f"http://127.0.0.1:{free_port()}",
            "CONNECTOR_ALERT_SLACK_URL": "http://127.0.0.1:9/",
        }
        return Installed(environment, open_database(url), Vault([key]), launchdarkly, tmp_path)

    return install


@pytest.fixture
def installed(install: Install, sqlite_url: str, tmp_path: Path) -> Iterator[Installed]:
    """On SQLite, with somebody who holds the lock that `connector serve` holds."""
    with (tmp_path / "runner.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield install(sqlite_url)


@pytest.fixture
def on_postgres(install: Install, request: pytest.FixtureRequest) -> Installed:
    from tests.conftest import _emptied_postgres_url  # noqa: PLC0415 - beside the fixtures that need it

    return install(_emptied_postgres_url(request))
