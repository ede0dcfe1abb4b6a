"""Connections and endpoints as they are stored and found again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connector.store import connections, endpoints
from connector.store.connections import Connection, ConnectionState, Options
from connector.store.database import Database
from connector.store.endpoints import Endpoint
from connector.store.vault import Vault

NOW = 1_800_000_000.0


@pytest.fixture
def secrets(database: Database, vault: Vault, connect: Callable[..., str]) -> Callable[[float], list[str]]:
    connect()

    def at(now: float) -> list[str]:
        with database.read() as tx:
            return list(endpoints.secrets(tx, vault, "ep_1", now=now))

    return at


class TestSecrets:
    def add(self, database: Database, vault: Vault, secret: str, *, now: float = NOW, overlap: float = 0) -> None:
        database.write(lambda tx: endpoints.add_secret(tx, vault, "ep_1", secret, now=now, overlap=overlap))

    def test_with_an_overlap_both_verify_until_it_ends(
        self, database: Database, vault: Vault, secrets: Callable[[float], list[str]]
    ) -> None:
        self.add(database, vault, "first")
        self.add(database, vault, "second", overlap=60)
        assert secrets(NOW + 59) == ["second", "first"]
        assert secrets(NOW + 60) == ["second"]

    def test_without_an_overlap_the_one_before_ends_at_once(
        self, database: Database, vault: Vault, secrets: Callable[[float], list[str]]
    ) -> None:
        self.add(database, vault, "first")
        self.add(database, vault, "second")
        assert secrets(NOW) == ["second"]

    def test_another_rotation_never_lengthens_an_overlap(
        self, database: Database, vault: Vault, secrets: Callable[[float], list[str]]
    ) -> None:
        self.add(database, vault, "first")
        self.add(database, vault, "second", overlap=60)
        self.add(database, vault, "third", now=NOW + 30, overlap=60)
        assert secrets(NOW + 59) == ["third", "second", "first"]
        assert secrets(NOW + 60) == ["third", "second"]
        assert secrets(NOW + 90) == ["third"]

    def test_a_removed_endpoint_has_none(
        self, database: Database, vault: Vault, secrets: Callable[[float], list[str]]
    ) -> None:
        self.add(database, vault, "first")
        database.write(lambda tx: endpoints.remove(tx, "ep_1", now=NOW))
        assert secrets(NOW) == []
        with database.read() as tx:
            assert endpoints.get(tx, "ep_1") == Endpoint("ep_1", "standard", removed=True)
            assert endpoints.get(tx, "ep_none") is None


class TestConnections:
    def test_one_comes_back_as_it_was_stored(self, database: Database, connect: Callable[..., str]) -> None:
        options = Options(key_prefix="acme-", tags=("a", "b"), analysis_units=("user",), rules="[[rules]]", oauth=True)
        connect("con_1", name="Ärzte ✓", workspace="ws_1", options=options)
        with database.read() as tx:
            assert connections.get(tx, "con_1") == Connection(
                "con_1", "ep_1", "Ärzte ✓", "demo", "https://app.launchdarkly.com", "ws_1", options
            )
            assert connections.get(tx, "con_none") is None

    def test_an_id_finds_before_a_name_and_of_one_name_the_newest(
        self, database: Database, vault: Vault, connect: Callable[..., str]
    ) -> None:
        connect("con_1", name="con_2")
        connect("con_2", name="Acme")
        with database.read() as tx:
            assert connections.find(tx, "con_2") == connections.get(tx, "con_2")
            assert connections.find(tx, "Acme") == connections.get(tx, "con_2")
            assert connections.find(tx, "acme") is None

        newer = Connection("con_3", "ep_1", "Acme", "demo", "https://app.launchdarkly.com")
        database.write(lambda tx: connections.add(tx, vault, newer, "api-1", now=NOW + 1))
        with database.read() as tx:
            assert connections.find(tx, "Acme") == newer

    def test_a_removed_one_is_found_by_its_id_only_and_its_credential_is_gone(
        self, database: Database, vault: Vault, connect: Callable[..., str]
    ) -> None:
        connect("con_1", name="Acme")
        connect("con_2")
        database.write(lambda tx: connections.set_source(tx, vault, "con_1", {"token": "t"}))
        database.write(lambda tx: connections.remove(tx, vault, "con_1", now=NOW))
        with database.read() as tx:
            assert connections.find(tx, "Acme") is None
            found = connections.find(tx, "con_1")
            assert found is not None
            assert found.state is ConnectionState.REMOVED
            assert vault.decrypt(connections.stored_credential(tx, "con_1")) == ""
            assert connections.stored_source(tx, "con_1") is None
            assert [each.id for each in connections.listing(tx)] == ["con_2"]
            assert [each.id for each in connections.of_endpoint(tx, "ep_1")] == ["con_2"]

    def test_a_state_has_its_reason_and_removed_is_final(
        self, database: Database, vault: Vault, connect: Callable[..., str]
    ) -> None:
        connect()
        database.write(
            lambda tx: connections.set_state(
                tx, "con_1", ConnectionState.PAUSED, code="unauthorized", reason="The key was revoked."
            )
        )
        with database.read() as tx:
            paused = connections.get(tx, "con_1")
        assert paused is not None
        assert (paused.state, paused.state_code, paused.state_reason) == (
            "paused",
            "unauthorized",
            "The key was revoked.",
        )
        database.write(lambda tx: connections.remove(tx, vault, "con_1", now=NOW))
        database.write(lambda tx: connections.set_state(tx, "con_1", ConnectionState.ACTIVE))
        with database.read() as tx:
            assert connections.get(tx, "con_1").state is ConnectionState.REMOVED

    def test_adding_one_that_is_there_changes_nothing(self, database: Database, connect: Callable[..., str]) -> None:
        connect("con_1", name="Acme")
        connect("con_1", name="Other")
        with database.read() as tx:
            assert [each.name for each in connections.listing(tx)] == ["Acme"]
