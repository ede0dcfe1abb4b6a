"""The management API over Flask's test client, with a runner that rings into the void and no network."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import responses
from flask import Flask

from connector.app import web_app
from connector.delivery.merging import Clock, merge
from connector.event_types import Change, ChangeKind, EventType, Outcome
from connector.installation import Installation, open_installation
from connector.settings import Settings
from connector.store import briefing, event_types, inbox, leases, links
from connector.store.inbox import Attempt, NewChange, Settled
from connector.store.links import Link, LinkState

TOKEN = "an-operators-token-of-good-length"
BASE_URL = "https://connector.example.com"


class SilentRunner:
    """Applies nothing: what is queued stays so."""

    def __init__(self) -> None:
        self.rung = 0

    def start(self) -> None: ...

    def ring(self) -> None:
        self.rung += 1

    def wait(self, _delivery_id: str, _seconds: float) -> bool:
        return False

    def health(self) -> str:
        return "ok"

    def stop(self) -> None: ...


@dataclass
class Served:
    """An installation and its app; `call` sends a request with the operator's token."""

    installation: Installation
    runner: SilentRunner
    app: Flask

    def call(self, method: str, path: str, body: Any = None, *, token: str | None = TOKEN, **options: Any) -> Any:
        headers = dict(options.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            options["json"] = body
        return self.app.test_client().open(path, method=method, headers=headers, **options)

    def get(self, path: str, **query: Any) -> Any:
        answer = self.call("GET", f"/api/v1{path}", query_string=query)
        assert answer.status_code == 200, answer.text
        return answer.json

    def post(self, path: str, body: Any = None, *, status: int = 200, **options: Any) -> Any:
        answer = self.call("POST", f"/api/v1{path}", body, **options)
        assert answer.status_code == status, answer.text
        return answer.json

    def connect(self, name: str = "acme", **fields: Any) -> dict[str, Any]:
        new = {"name": name, "project_key": "demo", "api_key": "api-canary-key"} | fields
        added: dict[str, Any] = self.post("/connections", new, status=201)
        return added

    def deliver(
        self,
        connection: Mapping[str, Any],
        event_type: str = "evt_1",
        outcome: Outcome | None = Outcome.CREATED,
        *,
        body: bytes = b'{"from": "the partner"}',
        more: tuple[NewChange, ...] = (),
    ) -> str:
        """A delivery with one change, settled with `outcome`, and a metric where that says so; its id."""
        change = Change(ChangeKind.DEFINED, EventType(id=event_type, key=f"{event_type}_key", name="Order Completed"))
        new = NewChange(change.label, change.kind, change, connection["id"])
        now, database = time.time(), self.installation.database
        accepted = database.write(
            lambda tx: inbox.accept(
                tx,
                endpoint_id=connection["endpoint"],
                message_id=f"msg_{time.monotonic_ns()}",
                body=body,
                headers={"user-agent": "partner/1"},
                new_changes=[new, *more],
                now=now,
            )
        )
        if outcome is None:
            return accepted.delivery_id

        def settle(tx: Any) -> None:
            for work in leases.claim(tx, owner="test", now=now, lease=60, limit=100):
                calls = ({"method": "POST", "path": "/api/v2/metrics/demo", "status": 201, "error": None,
                          "started": now, "seconds": 0.1},)  # fmt: skip
                result = {
                    "metrics": [{"key": "order-completed", "measure": "occurrence", "url": "https://example.com"}]
                }
                if outcome is Outcome.PARKED:
                    result = {"code": "launchdarkly_invalid", "reason": "No.", "next_step": "Mend it."}
                leases.settle(
                    tx, work, Attempt(now, 0.1, outcome, None, calls), Settled(outcome, result=result), now=now
                )
                assert work.change is not None
                assert work.event_type_id is not None
                clock = Clock.of(work.change, received_at=now, message_id=work.message_id, position=work.position)
                stated = merge(briefing.of_event_type(tx, work.event_type_id).registers, work.change, clock).registers
                event_types.save_state(tx, work.event_type_id, stated)
                link = Link(
                    "occurrence", f"{work.change.label}-{work.event_type_id}", {"name": "Order"}, LinkState.LIVE
                )
                links.reserve(tx, work.connection_id, work.event_type_id, link, now=now)

        database.write(settle)
        return accepted.delivery_id


@pytest.fixture
def no_network() -> Iterator[responses.RequestsMock]:
    """Whatever is asked of LaunchDarkly is answered here, or refused as unreachable."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def serve(no_network: object) -> Iterator[Callable[..., Served]]:
    """Opens installations by their database's URL, and closes them."""
    opened: list[Installation] = []

    def open_one(database_url: str, **environment: str) -> Served:
        settings = Settings.from_environment(
            {
                "CONNECTOR_DATABASE_URL": database_url,
                "CONNECTOR_ADMIN_TOKEN": TOKEN,
                "CONNECTOR_BASE_URL": BASE_URL,
                "CONNECTOR_CACHE_SECONDS": "0",
                "CONNECTOR_RESPOND_WITHIN": "0",
                "CONNECTOR_ENCRYPTION_KEYS": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
            }
            | environment
        )
        installation = open_installation(settings)
        opened.append(installation)
        runner = SilentRunner()
        return Served(installation, runner, web_app(installation, runner))

    yield open_one
    for installation in opened:
        installation.close()


@pytest.fixture
def served(serve: Callable[..., Served], database_url: str) -> Served:
    """On both databases."""
    return serve(database_url)


@pytest.fixture
def on_sqlite(serve: Callable[..., Served], sqlite_url: str) -> Served:
    """For what is no matter of the database."""
    return serve(sqlite_url)


@pytest.fixture
def rules_file(tmp_path: Path) -> Path:
    path = tmp_path / "rules.toml"
    path.write_text('[[rules]]\nmatch = "internal_*"\nskip = true\n')
    return path
