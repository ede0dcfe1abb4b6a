"""One installation for the tests of delivery: a real store, a LaunchDarkly on loopback, and a clock that a test moves.

LaunchDarkly's moments are relative to the clock of this machine, so the world's clock starts there; it stands still
until a test, or the receipt of a delivery, moves it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from sqlalchemy import Connection as Tx
from sqlalchemy import true
from werkzeug.serving import WSGIRequestHandler, make_server

from connector.connections import Connections, NewConnection
from connector.delivery import Applier
from connector.event_types import Change
from connector.launchdarkly import Call, LaunchDarkly
from connector.partners import Partners
from connector.policy import Rules
from connector.sandbox import ApiKey, Role, SandboxConfig, create_sandbox
from connector.sandbox.faults import Fault, FaultKind
from connector.sandbox.state import SandboxState
from connector.store import connections, event_types, history, inbox, leases, links
from connector.store.connections import Connection, Options
from connector.store.database import Database
from connector.store.history import AttemptRecord, ChangeRecord
from connector.store.inbox import Accepted, Lease, NewChange, Work
from connector.store.links import Link
from connector.store.vault import Vault

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

ORDERS = 60
"""Projects beside `demo` and `other`, for tests that need one for each of many histories."""


KEYS = (ApiKey("api-demo"), ApiKey("api-fresh"), ApiKey("api-reader", Role.READER))


class Gate:
    """Where slow calls wait until a test lets them go on."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()

    def sleep(self, _seconds: float) -> None:
        self.reached.set()
        self.opened.wait(10)


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's own name
        logging.getLogger(__name__).debug(message, *args)

    def connection_dropped(self, error: BaseException, environ: WSGIEnvironment | None = None) -> None:
        self.close_connection = True  # else it would listen for another request on the socket that was reset


class LoopbackSandbox:
    """A sandbox in this process, called over a socket."""

    def __init__(self) -> None:
        self.gate = Gate()
        app = create_sandbox(
            SandboxConfig(
                projects=("demo", "other", *(f"order-{number}" for number in range(ORDERS))),
                api_keys=KEYS,
                sleep=self._sleep,
            )
        )
        self.state: SandboxState = app.extensions["sandbox"]

        def with_socket(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
            environ["gunicorn.socket"] = environ["werkzeug.socket"]  # what the sandbox closes to reset a connection
            return app(environ, start_response)

        self._server = make_server("127.0.0.1", 0, with_socket, threaded=True, request_handler=_Quiet)
        self.url = f"http://127.0.0.1:{self._server.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def _sleep(self, seconds: float) -> None:
        self.gate.sleep(seconds)

    def reset(self) -> None:
        self.gate = Gate()
        self.state.reset()
        self.state.keys.update((key.token, key) for key in KEYS)  # a test may have revoked one

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Tap(HTTPAdapter):
    def __init__(self, before: Callable[[], object], after: Callable[[], object]) -> None:
        super().__init__()
        self._before = before
        self._after = after

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        self._before()
        response = super().send(request, *args, **options)
        self._after()
        return response


class Time:
    def __init__(self) -> None:
        self.now = time.time()

    def read(self) -> float:
        return self.now


class World:
    """What a test does to an installation, and what it sees of it. `connection` is the one that most tests need."""

    def __init__(self, database: Database, vault: Vault, sandbox: LoopbackSandbox) -> None:
        self.database = database
        self.vault = vault
        self.sandbox = sandbox
        self.time = Time()
        self.connections = Connections(database, vault, Partners(), clock=self.time.read)
        self._sessions: list[requests.Session] = []
        self.session = self.tapped_session()
        self.applier = self.new_applier()
        self.connection = self.connect()
        self._messages = 0
        self._seen = 0

    def close(self) -> None:
        for session in self._sessions:
            session.close()

    def tapped_session(
        self, before: Callable[[], object] = lambda: None, after: Callable[[], object] = lambda: None
    ) -> requests.Session:
        """A session that tells of each call just before it is made and just after its answer came."""
        session = requests.Session()
        session.mount("http://", _Tap(before, after))
        self._sessions.append(session)
        return session

    def connect(
        self, project: str = "demo", *, key: str = "api-demo", base_url: str | None = None, **options: Any
    ) -> Connection:
        new = NewConnection(
            name=f"customer of {project}",
            partner="standard",
            project_key=project,
            credential=key,
            base_url=base_url or self.sandbox.url,
            options=Options(**options),
        )
        return self.connections.add(new).connection

    def new_applier(self, *, database: Any = None, session: requests.Session | None = None, rules: str = "") -> Applier:
        def client(
            connection: Connection,
            partner: str,
            credential: str,
            *,
            observe: Callable[[Call], None] | None = None,
            gate: Callable[[str, str], None] | None = None,
        ) -> LaunchDarkly:
            return LaunchDarkly(
                credential,
                base_url=connection.base_url,
                user_agent=f"metrics-{partner}-int/0",
                session=session or self.session,
                observe=observe,
                gate=gate,
            )

        return Applier(
            database or self.database,
            self.vault,
            clients=client,
            rules=Rules.parse(rules),
            title=lambda name: Partners().get(name).title,
            clock=self.time.read,
            chance=lambda: 0.0,
        )

    def accept(self, *changes: Change, to: Connection | None = None, message_id: str | None = None) -> str:
        """Receive a delivery, a second after the one before."""
        self.time.now += 1
        self._messages += 1
        connection = to or self.connection
        accepted = self.database.write(
            lambda tx: inbox.accept(
                tx,
                endpoint_id=connection.endpoint_id,
                message_id=message_id or f"msg_{self._messages:05}",
                body=repr(changes).encode(),
                headers={},
                new_changes=[
                    NewChange(change.label, change.kind, change=change, connection_id=connection.id)
                    for change in changes
                ],
                now=self.time.now,
            )
        )
        return accepted.delivery_id

    def accept_leased(self, tx: Tx, change: Change, lease: Lease, *, message_id: str) -> Accepted:
        """Receive one change within `tx`, leased with its receipt, as the receiver of webhooks does."""
        return inbox.accept(
            tx,
            endpoint_id=self.connection.endpoint_id,
            message_id=message_id,
            body=b"{}",
            headers={},
            new_changes=[NewChange(change.label, change.kind, change, self.connection.id)],
            now=self.time.now,
            lease=lease,
        )

    def claim(self) -> Sequence[Work]:
        return self.database.write(
            lambda tx: leases.claim(tx, owner=f"at {self.time.now}", now=self.time.now, lease=300.0, limit=10)
        )

    def work(self, applier: Applier | None = None) -> None:
        """Apply what is due, one change after the other, until nothing is."""
        while claimed := self.claim():
            for work in claimed:
                (applier or self.applier).apply(work)

    def deliver(self, change: Change, *, to: Connection | None = None, applier: Applier | None = None) -> ChangeRecord:
        """Receive one change, apply what is due, and see what became of it."""
        delivery_id = self.accept(change, to=to)
        self.work(applier)
        return self.record(delivery_id)

    def try_again(self, record: ChangeRecord) -> ChangeRecord:
        """Let the time come at which a change is due again."""
        assert record.state == "pending"
        self.time.now = max(self.time.now, record.due_at)
        self.work()
        return self.record_of(record.id)

    def replay(self) -> None:
        self.database.write(lambda tx: inbox.replay(tx, true(), now=self.time.now))
        self.work()

    def record(self, delivery_id: str) -> ChangeRecord:
        with self.database.read() as tx:
            (record,) = history.changes_of(tx, [delivery_id])[delivery_id]
        return record

    def record_of(self, change_id: int) -> ChangeRecord:
        with self.database.read() as tx:
            found = history.search(tx, history.Filter(), limit=1000).deliveries
            records = [record for delivery in found for record in delivery.changes]
        return next(record for record in records if record.id == change_id)

    def attempts(self, delivery_id: str) -> list[AttemptRecord]:
        with self.database.read() as tx:
            details = history.details(tx, delivery_id)
        assert details is not None
        return list(details.attempts)

    def connection_now(self) -> Connection:
        with self.database.read() as tx:
            connection = connections.get(tx, self.connection.id)
        assert connection is not None
        return connection

    def links(self, change: Change) -> list[Link]:
        def read(tx: Any) -> list[Link]:
            row = event_types.resolve(tx, self.connection.id, change, now=self.time.now)
            return list(links.of_event_type(tx, row))

        return self.database.write(read)

    def calls(self) -> list[str]:
        """The calls that LaunchDarkly saw since this was asked last, such as `POST demo`, `PATCH demo/signup`."""
        return [f"{call['method']} {call['path'].removeprefix('/api/v2/metrics/')}" for call in self.requests()]

    def requests(self) -> list[dict[str, Any]]:
        seen, self._seen = self.sandbox.state.requests.since(self._seen)
        return [call.to_dict() for call in seen]

    def metrics(self, project: str = "demo") -> Mapping[str, dict[str, Any]]:
        return {metric["key"]: metric for metric in self.sandbox.state.book(project).all()}

    def edit(self, key: str, **fields: Any) -> None:
        """Change a metric as a person or LaunchDarkly itself would."""
        self.sandbox.state.book("demo").edit(key, fields)

    def play(self, kind: str, **fault: Any) -> None:
        """One fault in the place of all others; once, unless told otherwise."""
        self.sandbox.state.faults.set([Fault(FaultKind(kind), **{"count": 1} | fault)])
