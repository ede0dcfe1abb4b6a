"""The world of a test: SQLite and PostgreSQL each have their turn."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connector.store.database import Database
from connector.store.vault import Vault
from tests.integration.delivery.world import LoopbackSandbox, World


@pytest.fixture(scope="session")
def sandbox_server() -> Iterator[LoopbackSandbox]:
    sandbox = LoopbackSandbox()
    yield sandbox
    sandbox.close()


@pytest.fixture
def world(database: Database, vault: Vault, sandbox_server: LoopbackSandbox) -> Iterator[World]:
    sandbox_server.reset()
    world = World(database, vault, sandbox_server)
    yield world
    sandbox_server.gate.opened.set()
    world.close()
