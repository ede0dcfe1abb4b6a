"""A key that LaunchDarkly no longer knows pauses its connection within a day, whether or not a webhook comes."""

from __future__ import annotations

import logging

import pytest

from connector.alerts import KeyCheck, Watch
from connector.installation import clients
from connector.settings import Settings
from connector.store import connections
from connector.store.connections import Connection, ConnectionState
from connector.store.database import Database
from connector.store.vault import Vault
from tests.integration.alerts.conftest import NOW, World
from tests.integration.doctor.conftest import launchdarkly as launchdarkly  # noqa: PLC0414 - pytest finds it here
from tests.integration.web.conftest import free_port


@pytest.fixture
def check(database: Database, vault: Vault) -> KeyCheck:
    return KeyCheck(database, vault, clients(Settings()))


def connect(world: World, vault: Vault, name: str, key: str, base_url: str) -> None:
    connection = Connection(f"con_{name}", "ep_1", name, "demo", base_url)
    world.database.write(lambda tx: connections.add(tx, vault, connection, key, now=NOW))


def states(world: World) -> dict[str, tuple[ConnectionState, str | None]]:
    with world.database.read() as tx:
        return {each.name: (each.state, each.state_code) for each in connections.listing(tx)}


def test_only_the_connection_whose_key_is_gone_is_paused(
    world: World, vault: Vault, check: KeyCheck, launchdarkly: str, caplog: pytest.LogCaptureFixture
) -> None:
    connect(world, vault, "good", "api-canary", launchdarkly)
    connect(world, vault, "reader", "api-canary-reader", launchdarkly)
    connect(world, vault, "revoked", "api-canary-revoked", launchdarkly)
    connect(world, vault, "malformed", "canary", launchdarkly)
    connect(world, vault, "away", "api-canary", f"http://127.0.0.1:{free_port()}")
    with caplog.at_level(logging.INFO, "connector"):
        check.run()
    active = (ConnectionState.ACTIVE, None)
    assert states(world) == {
        "good": active,
        "reader": active,
        "revoked": (ConnectionState.PAUSED, "launchdarkly_unauthorized"),
        "malformed": active,  # connector doctor and the first change say so
        "away": active,
    }
    assert "canary" not in caplog.text


def test_then_it_is_an_alert(world: World, vault: Vault, check: KeyCheck, launchdarkly: str) -> None:
    said: list[str] = []

    class Sink:
        def send(self, message_id: str, content: dict[str, str], now: float) -> None:
            said.append(content["kind"])

    connect(world, vault, "revoked", "api-canary-revoked", launchdarkly)
    check.run()
    Watch(world.database, {"webhook": Sink()}, base_url="https://hooks.example.com", backlog=300).run()  # type: ignore[dict-item]
    assert said == ["key_refused"]


def test_what_is_paused_already_is_not_asked_for(world: World, vault: Vault, check: KeyCheck) -> None:
    connect(world, vault, "paused", "api-canary", f"http://127.0.0.1:{free_port()}")
    world.pause("paused_by_person", "con_paused")
    check.run()
    assert states(world) == {"paused": (ConnectionState.PAUSED, "paused_by_person")}
