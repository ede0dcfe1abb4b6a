"""Connections on both databases, a partner of every kind, and a clock that stands still."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from connector.connections import Connections
from connector.event_types import Change, ChangeKind, EventType
from connector.partners import CredentialField, ListApi, Page, Partner, Partners, Request, standard
from connector.store import connections as stored
from connector.store import endpoints, inbox, leases
from connector.store.connections import Connection, ConnectionState
from connector.store.database import Database
from connector.store.inbox import NewChange
from connector.store.vault import Vault

LIST_API = ListApi(
    credential=(CredentialField("token", "API token", secret=True), CredentialField("region", "Region", default="eu")),
    first=lambda credential: Request(f"https://{credential['region']}.example.com"),
    parse=lambda _answer, _request, _credential: Page(()),
    verified="",
)
IMPORTER = Partner(name="importer", title="Importer", list_api=LIST_API)
LISTER = Partner(name="lister", title="Lister", webhook=standard.WEBHOOK, list_api=LIST_API)


@dataclass
class Time:
    now: float = 1_800_000_000.0

    def read(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def rooms(database: Database, vault: Vault, time: Time) -> Connections:
    return Connections(database, vault, Partners([IMPORTER, LISTER]), clock=time.read)


@pytest.fixture
def found(database: Database) -> Callable[[str], Connection]:
    def read(connection_id: str) -> Connection:
        with database.read() as tx:
            connection = stored.get(tx, connection_id)
        assert connection is not None
        return connection

    return read


@pytest.fixture
def credential(database: Database, vault: Vault) -> Callable[[str], str]:
    def read(connection_id: str) -> str:
        with database.read() as tx:
            return vault.decrypt(stored.stored_credential(tx, connection_id))

    return read


@pytest.fixture
def secrets(database: Database, vault: Vault, time: Time) -> Callable[[str], list[str]]:
    def read(endpoint_id: str) -> list[str]:
        with database.read() as tx:
            return list(endpoints.secrets(tx, vault, endpoint_id, now=time.now))

    return read


@pytest.fixture
def waiting(database: Database, time: Time) -> Callable[[Connection], Callable[[], list[int]]]:
    """Pauses a connection with one change that waits; tells which changes can be claimed since."""

    def pause(connection: Connection) -> Callable[[], list[int]]:
        change = Change(ChangeKind.DEFINED, EventType(id="evt_1"))
        new = NewChange("evt_1", "defined", change, connection.id)

        def write(tx: Any) -> None:
            inbox.accept(
                tx,
                endpoint_id=connection.endpoint_id,
                message_id="msg_1",
                body=b"",
                headers={},
                new_changes=[new],
                now=time.now,
            )
            stored.set_state(tx, connection.id, ConnectionState.PAUSED, code="unauthorized", reason="Revoked.")

        database.write(write)

        def claimable() -> list[int]:
            work = database.write(lambda tx: leases.claim(tx, owner="me", now=time.now, lease=1, limit=9))
            return [each.change_id for each in work]

        assert claimable() == []
        return claimable

    return pause
