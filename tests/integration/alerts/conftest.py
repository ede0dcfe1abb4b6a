"""An installation that is watched, and receivers of alerts on loopback."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from connector.event_types import Change, ChangeKind, EventType, Outcome
from connector.store import connections, endpoints, inbox, leases
from connector.store.connections import Connection, ConnectionState
from connector.store.database import Database
from connector.store.endpoints import Endpoint
from connector.store.inbox import Attempt, NewChange, Settled
from connector.store.vault import Vault

NOW = 1_800_000_000.0


class World:
    """What a test does to the connections that are watched."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self.database = database
        self._vault = vault
        self._messages = 0
        self.now = NOW
        database.write(lambda tx: endpoints.add(tx, Endpoint("ep_1", "standard"), now=NOW))

    def clock(self) -> float:
        return self.now

    def connect(self, id: str = "con_1", name: str = "Acme") -> None:  # noqa: A002 - the field's name
        connection = Connection(id, "ep_1", name, "demo", "https://app.launchdarkly.com")
        self.database.write(lambda tx: connections.add(tx, self._vault, connection, "api-canary", now=NOW))

    def pause(self, code: str | None, id: str = "con_1") -> None:  # noqa: A002
        self.database.write(
            lambda tx: connections.set_state(tx, id, ConnectionState.PAUSED, code=code, reason="Its key is refused.")
        )

    def resume(self, id: str = "con_1") -> None:  # noqa: A002
        self.database.write(lambda tx: connections.set_state(tx, id, ConnectionState.ACTIVE))

    def accept(self, number: int = 1, id: str = "con_1") -> None:  # noqa: A002
        for _ in range(number):
            self._messages += 1
            key = f"event_{self._messages}"
            change = Change(kind=ChangeKind.DEFINED, event_type=EventType(key=key))
            self.database.write(
                lambda tx, change=change, key=key: inbox.accept(
                    tx,
                    endpoint_id="ep_1",
                    message_id=key,
                    body=b"{}",
                    headers={},
                    new_changes=[NewChange(change.label, change.kind, change, id)],
                    now=self.now,
                )
            )

    def attempt(self, settled: Settled, number: int = 1) -> None:
        """Try that many due changes, with this outcome."""
        claimed = self.database.write(lambda tx: leases.claim(tx, owner="test", now=self.now, lease=60.0, limit=number))
        assert len(claimed) == number
        tried = Attempt(self.now, 0.1, "test")
        for work in claimed:
            self.database.write(lambda tx, work=work: leases.settle(tx, work, tried, settled, now=self.now))

    def park(self, number: int = 1) -> None:
        self.accept(number)
        self.attempt(Settled(Outcome.PARKED, result={"code": "launchdarkly_invalid"}), number)

    def succeed(self, number: int = 1) -> None:
        self.accept(number)
        self.attempt(Settled(Outcome.CREATED), number)


@pytest.fixture
def world(database: Database, vault: Vault) -> World:
    return World(database, vault)


@dataclass
class Receiver:
    """Something on loopback that takes alerts; `status` is what it answers."""

    url: str = ""
    status: int = 204
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


class _Silent(WSGIRequestHandler):
    def log_request(self, *_: object) -> None:
        """The test's output is its own."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()

    @Request.application
    def app(request: Request) -> Response:
        made.requests.append(({name.lower(): value for name, value in request.headers.items()}, request.get_data()))
        return Response(status=made.status, headers={"Location": "http://127.0.0.1:9/"} if made.status == 302 else {})

    server = make_server("127.0.0.1", 0, app, request_handler=_Silent)
    made.url = f"http://127.0.0.1:{server.port}/canary-path"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()
