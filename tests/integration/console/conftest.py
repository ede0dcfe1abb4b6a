"""A connector with a customer, before a stand-in for LaunchDarkly, as the pages' visitors find it."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from connector.app import create_app
from connector.connections import Added, NewConnection
from connector.installation import Installation
from connector.settings import Settings
from connector.signatures import STANDARD_WEBHOOKS
from connector.store.connections import Connection
from tests.browser.processes import free_ports, process
from tests.integration.console.visitor import Visitor
from tests.integration.web.conftest import Sandbox

READER = "api-reader-that-may-not-write"
ADMIN_TOKEN = "canary-admin-token-0123456789"


@dataclass
class House:
    """The app and what is in it."""

    app: Flask
    sandbox: Sandbox

    @property
    def installation(self) -> Installation:
        found: Installation = self.app.extensions["connector"].installation
        return found

    def visitor(self, address: str = "127.0.0.1") -> Visitor:
        return Visitor(self.app, address)

    def add(self, name: str = "Acme", *, credential: str | None = "api-demo", **values: Any) -> Added:
        """Connect a customer to the sandbox; without a credential one that waits for it."""
        given = {"partner": "standard", "project_key": "demo", "base_url": self.sandbox.url, **values}
        return self.installation.connections.add(NewConnection(name=name, credential=credential, **given))

    def connection(self, connection_id: str) -> Connection:
        from connector.store import connections  # noqa: PLC0415

        with self.installation.database.read() as tx:
            found = connections.get(tx, connection_id)
        assert found is not None
        return found

    def send(self, added: Added, data: Mapping[str, Any], type_: str = "event_type.defined") -> dict[str, Any]:
        """A webhook of the partner, and its answer."""
        body = json.dumps({"type": type_, "data": data}).encode()
        message_id = f"msg_{secrets.token_hex(8)}"
        headers = STANDARD_WEBHOOKS.sign(body, str(added.secret), message_id, time.time())
        path = f"/webhooks/{added.connection.endpoint_id}"
        answer = self.app.test_client().post(path, data=body, headers=headers, content_type="application/json")
        assert answer.status_code < 300, answer.text
        found: dict[str, Any] = answer.get_json()
        # What is held is not waited for; all else is done, however slow the machine.
        self.app.extensions["connector"].runner.wait(found["delivery"], 60)
        return found


def settings_of(database_url: str, **more: str) -> Settings:
    return Settings.from_environment(
        {
            "CONNECTOR_DATABASE_URL": database_url,
            "CONNECTOR_ENCRYPTION_KEYS": "5BmO1UvTmV7zdn9aYqcQJ0pBLUYp8zKoE5zE3y1mX1s=",
            "CONNECTOR_ADMIN_TOKEN": ADMIN_TOKEN,
            "CONNECTOR_RESPOND_WITHIN": "30",
            "CONNECTOR_CACHE_SECONDS": "0",
            **more,
        }
    )


@pytest.fixture(scope="session")
def stand_in() -> Iterator[Sandbox]:
    """LaunchDarkly with a key that may write, and one that may not."""
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    keys = ("--api-key", "api-demo", "--reader-key", READER)
    with process(os.environ, url + "/sandbox/", "sandbox", "--port", str(port), *keys):
        yield Sandbox(url)


@pytest.fixture(scope="module")
def house(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, stand_in: Sandbox) -> Iterator[House]:
    """One for all tests of a module: each adds customers of its own."""
    path = tmp_path_factory.mktemp("house") / "connector.db"
    shutil.copyfile(sqlite_template, path)
    app = create_app(settings_of(f"sqlite:///{path}"))
    try:
        yield House(app, stand_in)
    finally:
        app.extensions["connector"].close()


@pytest.fixture
def any_house(database_url: str, stand_in: Sandbox) -> Iterator[House]:
    """On SQLite and on PostgreSQL."""
    app = create_app(settings_of(database_url))
    try:
        yield House(app, stand_in)
    finally:
        app.extensions["connector"].close()


@pytest.fixture
def operator(house: House) -> Visitor:
    """Signed in."""
    visitor = house.visitor()
    assert visitor.sign_in(ADMIN_TOKEN).path == "/console/"
    return visitor


@pytest.fixture(scope="module")
def signed_in(house: House) -> Visitor:
    """One operator for all tests of a module."""
    visitor = house.visitor()
    assert visitor.sign_in(ADMIN_TOKEN).path == "/console/"
    return visitor
