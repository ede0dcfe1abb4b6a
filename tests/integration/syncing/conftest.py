"""An installation that plans and applies against a LaunchDarkly on loopback, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connector.store.database import Database
from connector.store.vault import Vault
from tests.integration.delivery.world import LoopbackSandbox, World
from tests.integration.syncing.room import Room


@pytest.fixture(scope="session")
def sandbox_server() -> Iterator[LoopbackSandbox]:
    sandbox = LoopbackSandbox()
    yield sandbox
    sandbox.close()


def _opened(database: Database, vault: Vault, sandbox_server: LoopbackSandbox) -> Iterator[Room]:
    sandbox_server.reset()
    world = World(database, vault, sandbox_server)
    yield Room(world)
    world.close()


@pytest.fixture
def room(database: Database, vault: Vault, sandbox_server: LoopbackSandbox) -> Iterator[Room]:
    yield from _opened(database, vault, sandbox_server)


@pytest.fixture
def sqlite_room(sqlite_database: Database, vault: Vault, sandbox_server: LoopbackSandbox) -> Iterator[Room]:
    """For what the database makes no difference to."""
    yield from _opened(sqlite_database, vault, sandbox_server)
