"""How a connection changes and ends."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from connector.connections import DEFAULT, OVERLAP, ConnectionRefused, Connections, NewConnection
from connector.launchdarkly import CredentialRefused
from connector.settings import EnvironmentConnection
from connector.signatures import SecretRefused
from connector.store import connections as stored
from connector.store import endpoints, history
from connector.store.connections import Connection
from connector.store.database import Database
from connector.store.vault import Vault

SECRET = "whsec_Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5"
OTHER_SECRET = "whsec_b3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXI="
CANARY = "api-canary-5f1d"
NEW = NewConnection(name="Acme", partner="standard", project_key="demo", credential=CANARY)
ENVIRONMENT = EnvironmentConnection("standard", SECRET, CANARY, "demo")


class TestKeys:
    def test_another_key_resumes_all_that_waited(
        self,
        rooms: Connections,
        found: Callable[[str], Connection],
        credential: Callable[[str], str],
        waiting: Callable[[Connection], Callable[[], list[int]]],
    ) -> None:
        connection = rooms.add(NEW).connection
        claimable = waiting(connection)

        rooms.set_key(found(connection.id), "api-other")

        assert credential(connection.id) == "api-other"
        assert found(connection.id) == connection, "active, without a reason"
        assert len(claimable()) == 1

    def test_a_key_that_cannot_work_changes_nothing(self, rooms: Connections, credential: Callable[[str], str]) -> None:
        connection = rooms.add(NEW).connection
        with pytest.raises(CredentialRefused):
            rooms.set_key(connection, "sdk-1")
        assert credential(connection.id) == CANARY

    def test_a_removed_connection_takes_no_key(
        self, rooms: Connections, found: Callable[[str], Connection], credential: Callable[[str], str]
    ) -> None:
        connection = rooms.add(NEW).connection
        rooms.remove(connection)
        with pytest.raises(ConnectionRefused, match="is removed; add it again"):
            rooms.set_key(found(connection.id), "api-other")
        assert credential(connection.id) == ""


class TestSources:
    def test_what_opens_the_list_api_is_kept_with_its_defaults(
        self, database: Database, vault: Vault, rooms: Connections
    ) -> None:
        connection = rooms.add(replace(NEW, partner="lister")).connection
        rooms.set_source(connection, {"token": "t"})
        with database.read() as tx:
            source = stored.stored_source(tx, connection.id)
        assert source is not None
        assert json.loads(vault.decrypt(source)) == {"token": "t", "region": "eu"}

    @pytest.mark.parametrize(
        ("credential", "sentence"),
        [
            ({"token": "canary", "colour": "canary"}, "wants token, region: colour is not one of them."),
            ({"region": "canary"}, "wants token, region: token (API token) is missing."),
            ({"token": ""}, "token (API token) is missing"),
        ],
    )
    def test_a_field_too_many_or_too_few_is_named(
        self, rooms: Connections, credential: dict[str, str], sentence: str
    ) -> None:
        connection = rooms.add(replace(NEW, partner="lister")).connection
        with pytest.raises(ConnectionRefused, match=re.escape(sentence)) as refused:
            rooms.set_source(connection, credential)
        assert "canary" not in str(refused.value)

    def test_a_partner_without_a_list_api_takes_none(self, rooms: Connections) -> None:
        with pytest.raises(ConnectionRefused, match="has no list API"):
            rooms.set_source(rooms.add(NEW).connection, {"token": "t"})

    def test_a_removed_connection_takes_none(self, rooms: Connections, found: Callable[[str], Connection]) -> None:
        connection = rooms.add(replace(NEW, partner="lister")).connection
        rooms.remove(connection)
        with pytest.raises(ConnectionRefused, match="is removed; add it again"):
            rooms.set_source(found(connection.id), {"token": "t"})


class TestRotating:
    def test_the_secret_before_verifies_a_while_longer(
        self, rooms: Connections, time: Any, secrets: Callable[[str], list[str]]
    ) -> None:
        added = rooms.add(NEW)
        fresh = rooms.rotate_secret(added.connection)
        time.now += OVERLAP - 1
        assert secrets(added.connection.endpoint_id) == [fresh, added.secret]
        time.now += 1
        assert secrets(added.connection.endpoint_id) == [fresh]

    def test_a_given_secret_is_checked_and_taken(self, rooms: Connections, secrets: Callable[[str], list[str]]) -> None:
        added = rooms.add(NEW)
        with pytest.raises(SecretRefused):
            rooms.rotate_secret(added.connection, "short")
        assert rooms.rotate_secret(added.connection, OTHER_SECRET, overlap=0) == OTHER_SECRET
        assert secrets(added.connection.endpoint_id) == [OTHER_SECRET]

    def test_the_environments_secret_is_changed_in_the_environment(
        self, rooms: Connections, found: Callable[[str], Connection]
    ) -> None:
        rooms.put_environment(ENVIRONMENT)
        with pytest.raises(ConnectionRefused, match="CONNECTOR_WEBHOOK_SECRET: change it there"):
            rooms.rotate_secret(found(DEFAULT))

    def test_a_removed_endpoint_gets_no_secret(self, rooms: Connections) -> None:
        connection = rooms.add(NEW).connection
        rooms.remove(connection)
        with pytest.raises(ConnectionRefused, match="The endpoint of 'Acme' is removed"):
            rooms.rotate_secret(connection)


class TestRemoving:
    def test_the_endpoint_goes_with_its_last_connection(self, database: Database, rooms: Connections) -> None:
        first = rooms.add(replace(NEW, shared=True, workspace="ws_1")).connection
        second = rooms.add(replace(NEW, endpoint=first.endpoint_id, workspace="ws_2")).connection

        def removed() -> bool:
            with database.read() as tx:
                endpoint = endpoints.get(tx, first.endpoint_id)
            assert endpoint is not None
            return endpoint.removed

        rooms.remove(first)
        assert not removed()
        rooms.remove(second)
        assert removed()

    def test_what_waited_becomes_due_so_that_it_is_shown_as_skipped(
        self, rooms: Connections, waiting: Callable[[Connection], Callable[[], list[int]]]
    ) -> None:
        connection = rooms.add(NEW).connection
        claimable = waiting(connection)
        rooms.remove(connection)
        assert len(claimable()) == 1

    def test_the_history_stays(self, database: Database, rooms: Connections, waiting: Callable[..., Any]) -> None:
        connection = rooms.add(NEW).connection
        waiting(connection)
        rooms.remove(connection)
        with database.read() as tx:
            assert len(history.search(tx, history.Filter(connection_id=connection.id)).deliveries) == 1
