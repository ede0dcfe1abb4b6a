"""Endpoints, connections and deliveries as the other rooms store them, at a time that tests say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import Table, func, select

from connector.event_types import Change, ChangeKind, EventType, Outcome
from connector.store import connections, endpoints, history, inbox, leases
from connector.store.connections import Connection, ConnectionState
from connector.store.database import Database
from connector.store.endpoints import Endpoint
from connector.store.history import ChangeRecord
from connector.store.inbox import Accepted, Attempt, Lease, NewChange, Settled, Work
from connector.store.vault import Vault

NOW = 1_800_000_000.0


@pytest.fixture
def connect(database: Database, vault: Vault) -> Callable[..., str]:
    """Stores a connection and returns its id; its endpoint `ep_1` is made where it is not there yet."""

    def store(connection_id: str = "con_1", *, endpoint: str = "ep_1", **fields: Any) -> str:
        values = {"name": connection_id, "project_key": "demo", "base_url": "https://app.launchdarkly.com", **fields}
        connection = Connection(id=connection_id, endpoint_id=endpoint, **values)
        database.write(lambda tx: endpoints.add(tx, Endpoint(endpoint, "standard"), now=NOW))
        database.write(lambda tx: connections.add(tx, vault, connection, "api-canary", now=NOW))
        return connection_id

    return store


@pytest.fixture
def change() -> Callable[..., Change]:
    def make(id: str | None = None, key: str | None = None, **fields: Any) -> Change:  # noqa: A002 - the field's name
        kind = fields.pop("kind", ChangeKind.DEFINED)
        return Change(kind=kind, event_type=EventType(id=id, key=key, name=fields.pop("name", None)), **fields)

    return make


@pytest.fixture
def accept(database: Database, connect: Callable[..., str]) -> Callable[..., Accepted]:
    """Stores a delivery of these changes for `con_1` (or `connection_id`)."""
    connect()
    numbers = iter(range(1, 10_000))

    def store(
        *changes: Change,
        message_id: str | None = None,
        body: bytes = b"{}",
        now: float = NOW,
        connection_id: str = "con_1",
        new_changes: Sequence[NewChange] = (),
        lease: Lease | None = None,
    ) -> Accepted:
        routed = [NewChange(each.label, each.kind, each, connection_id) for each in changes]
        message_id = message_id or f"msg_{next(numbers)}"
        return database.write(
            lambda tx: inbox.accept(
                tx,
                endpoint_id="ep_1",
                message_id=message_id,
                body=body,
                headers={"webhook-id": message_id},
                new_changes=[*routed, *new_changes],
                now=now,
                lease=lease,
            )
        )

    return store


@pytest.fixture
def claim(database: Database) -> Callable[..., list[Work]]:
    def take(
        owner: str = "runner", *, now: float = NOW, lease: float = 60, limit: int = 100, busy: Sequence[str] = ()
    ) -> list[Work]:
        return list(
            database.write(lambda tx: leases.claim(tx, owner=owner, now=now, lease=lease, limit=limit, busy=busy))
        )

    return take


@pytest.fixture
def settle(database: Database) -> Callable[..., bool]:
    def write(work: Work, outcome: Outcome | None = Outcome.CREATED, *, now: float = NOW, **fields: Any) -> bool:
        attempt = Attempt(started_at=now, seconds=0.1, code=str(outcome), calls=({"status": 201},))
        return database.write(lambda tx: leases.settle(tx, work, attempt, Settled(outcome, **fields), now=now))

    return write


@pytest.fixture
def pause(database: Database) -> Callable[..., None]:
    def write(connection_id: str = "con_1") -> None:
        database.write(lambda tx: connections.set_state(tx, connection_id, ConnectionState.PAUSED, code="unauthorized"))

    return write


@pytest.fixture
def resume(database: Database) -> Callable[..., None]:
    def write(connection_id: str = "con_1") -> None:
        database.write(lambda tx: connections.set_state(tx, connection_id, ConnectionState.ACTIVE))

    return write


@pytest.fixture
def records(database: Database) -> Callable[[str], list[ChangeRecord]]:
    def read(delivery_id: str) -> list[ChangeRecord]:
        with database.read() as tx:
            return list(history.changes_of(tx, [delivery_id])[delivery_id])

    return read


@pytest.fixture
def number_of(database: Database) -> Callable[[Table], int]:
    def count(table: Table) -> int:
        with database.read() as tx:
            return int(tx.execute(select(func.count()).select_from(table)).scalar_one())

    return count
