"""A key that LaunchDarkly no longer knows pauses its connection within a day, whether or not a webhook comes."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from connector.alerts import KeyCheck, Watch
from connector.connections import Connections
from connector.installation import clients
from connector.partners import Partners
from connector.settings import Settings
from connector.store import connections
from connector.store.connections import Connection, ConnectionState, Options
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


DAY = 86400.0


class Sink:
    """`said` is what it was told: the state, the kind and the level."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str, int | None]] = []

    def send(self, message_id: str, content: dict[str, Any], now: float) -> None:
        self.said.append((content["state"], content["kind"], content["level"]))


@pytest.fixture
def ends(launchdarkly: str) -> Iterator[Any]:
    """Says when keys end: by key, in unix seconds."""

    def say(**moments: float) -> None:
        stated = {f"api-{name}": int(moment * 1000) for name, moment in moments.items()}
        requests.put(f"{launchdarkly}/sandbox/expiries", json=stated, timeout=5).raise_for_status()

    yield say
    say()


def only(world: World) -> Connection:
    with world.database.read() as tx:
        (connection,) = connections.listing(tx)
    return connection


def expiry(world: World) -> float | None:
    return only(world).key_expires_at


def test_a_key_that_expires_is_an_alert_at_each_step_until_another_is_set(
    world: World, vault: Vault, check: KeyCheck, launchdarkly: str, ends: Any
) -> None:
    sink = Sink()
    watch = Watch(
        world.database, {"webhook": sink}, base_url="https://hooks.example.com", backlog=300, clock=world.clock
    )  # type: ignore[dict-item]
    end = 2_100_000_000.0
    ends(canary=end)
    connect(world, vault, "Acme", "api-canary", launchdarkly)
    check.run()
    assert expiry(world) == end
    for days in (31, 30, 29, 7, 1, 0.5):
        world.now = end - days * DAY
        watch.run()
    assert sink.said == [("raised", "key_expiring", level) for level in (1, 2, 3)]
    Connections(world.database, vault, Partners()).set_key(only(world), "api-canary-reader")
    watch.run()
    assert sink.said[3:] == [("solved", "key_expiring", 3)]
    check.run()
    assert expiry(world) is None
    assert states(world) == {"Acme": (ConnectionState.ACTIVE, None)}


def test_a_key_that_has_an_end_no_more_is_no_alert(
    world: World, vault: Vault, check: KeyCheck, launchdarkly: str, ends: Any
) -> None:
    connect(world, vault, "Acme", "api-canary", launchdarkly)
    ends(canary=2_100_000_000.0)
    check.run()
    ends()
    check.run()
    assert expiry(world) is None


@pytest.mark.parametrize("said", [True, 12, "soon", 2_100_000_000, None, {}])
def test_an_end_that_cannot_be_understood_changes_nothing(
    world: World, vault: Vault, monkeypatch: pytest.MonkeyPatch, check: KeyCheck, launchdarkly: str, said: object
) -> None:
    monkeypatch.setattr("connector.launchdarkly.LaunchDarkly.caller_identity", lambda _self: {"expiresAt": said})
    connect(world, vault, "Acme", "api-canary", launchdarkly)
    check.run()
    assert expiry(world) is None
    assert states(world) == {"Acme": (ConnectionState.ACTIVE, None)}


def test_a_token_of_oauth_is_renewed_and_no_alert(
    world: World, vault: Vault, monkeypatch: pytest.MonkeyPatch, check: KeyCheck
) -> None:
    identity = {"expiresAt": 2_100_000_000_000}
    monkeypatch.setattr("connector.launchdarkly.LaunchDarkly.caller_identity", lambda _self: identity)
    options = Options(oauth=True)
    connection = Connection("con_1", "ep_1", "Acme", "demo", "https://app.launchdarkly.com", options=options)
    world.database.write(lambda tx: connections.add(tx, vault, connection, "oauth-canary", now=NOW))
    check.run()
    assert expiry(world) is None


def test_what_a_key_says_that_was_replaced_meanwhile_is_not_noted(
    world: World, vault: Vault, monkeypatch: pytest.MonkeyPatch, check: KeyCheck
) -> None:
    def replaced(_self: object) -> dict[str, int]:
        world.database.write(lambda tx: connections.set_credential(tx, vault, "con_Acme", "api-other"))
        return {"expiresAt": 2_100_000_000_000}

    monkeypatch.setattr("connector.launchdarkly.LaunchDarkly.caller_identity", replaced)
    connect(world, vault, "Acme", "api-canary", "https://app.launchdarkly.com")
    check.run()
    assert expiry(world) is None
