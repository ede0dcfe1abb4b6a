"""The connection that lives in the environment, put at every start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from connector.connections import DEFAULT, Connections
from connector.settings import EnvironmentConnection, SettingsError
from connector.store import connections as stored
from connector.store import endpoints
from connector.store.connections import Connection, ConnectionState
from connector.store.database import Database

SECRET = "whsec_Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5"
OTHER_SECRET = "whsec_b3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXI="
CANARY = "api-canary-5f1d"
ENVIRONMENT = EnvironmentConnection("standard", SECRET, CANARY, "demo")


class TestEnvironment:
    def test_it_is_served_as_default(
        self,
        rooms: Connections,
        found: Callable[[str], Connection],
        credential: Callable[[str], str],
        secrets: Callable[[str], list[str]],
    ) -> None:
        rooms.put_environment(ENVIRONMENT)
        assert found(DEFAULT) == Connection(DEFAULT, DEFAULT, DEFAULT, "demo", "https://app.launchdarkly.com")
        assert (credential(DEFAULT), secrets(DEFAULT)) == (CANARY, [SECRET])

    def test_putting_it_twice_is_putting_it_once(
        self, rooms: Connections, found: Callable[[str], Connection], secrets: Callable[[str], list[str]]
    ) -> None:
        rooms.put_environment(ENVIRONMENT)
        before = found(DEFAULT)
        rooms.put_environment(ENVIRONMENT)
        assert (found(DEFAULT), secrets(DEFAULT)) == (before, [SECRET])

    def test_what_the_environment_says_now_holds(
        self,
        database: Database,
        rooms: Connections,
        found: Callable[[str], Connection],
        secrets: Callable[[str], list[str]],
    ) -> None:
        rooms.put_environment(ENVIRONMENT)
        rooms.put_environment(EnvironmentConnection("lister", OTHER_SECRET, "api-other", "other", "eu"))
        assert (found(DEFAULT).project_key, found(DEFAULT).base_url) == ("other", "https://app.eu.launchdarkly.com")
        assert secrets(DEFAULT) == [OTHER_SECRET]
        with database.read() as tx:
            assert endpoints.get(tx, DEFAULT).partner == "lister"

    def test_a_restart_ends_a_pause_as_its_reason_may_be_mended(
        self,
        rooms: Connections,
        found: Callable[[str], Connection],
        waiting: Callable[[Connection], Callable[[], list[int]]],
    ) -> None:
        rooms.put_environment(ENVIRONMENT)
        claimable = waiting(found(DEFAULT))

        assert (found(DEFAULT).state, found(DEFAULT).state_code) == ("paused", "unauthorized")
        assert claimable() == []

        rooms.put_environment(ENVIRONMENT)
        assert (found(DEFAULT).state, found(DEFAULT).state_code) == ("active", None)
        assert len(claimable()) == 1

    def test_where_it_says_nothing_any_more_default_is_removed_and_what_waited_is_due(
        self,
        database: Database,
        rooms: Connections,
        found: Callable[[str], Connection],
        waiting: Callable[[Connection], Callable[[], list[int]]],
    ) -> None:
        rooms.put_environment(ENVIRONMENT)
        claimable = waiting(found(DEFAULT))
        rooms.put_environment(None)
        rooms.put_environment(None)
        assert found(DEFAULT).state is ConnectionState.REMOVED
        with database.read() as tx:
            assert endpoints.get(tx, DEFAULT).removed
        assert len(claimable()) == 1

        rooms.put_environment(ENVIRONMENT)
        assert found(DEFAULT).state is ConnectionState.ACTIVE
        with database.read() as tx:
            assert not endpoints.get(tx, DEFAULT).removed

    def test_where_it_never_said_anything_there_is_nothing(self, database: Database, rooms: Connections) -> None:
        rooms.put_environment(None)
        with database.read() as tx:
            assert stored.get(tx, DEFAULT) is None

    @pytest.mark.parametrize(
        ("wrong", "name"),
        [
            ({"partner": "acme"}, "CONNECTOR_PARTNER"),
            ({"webhook_secret": "short"}, "CONNECTOR_WEBHOOK_SECRET"),
            ({"api_key": "sdk-canary"}, "LAUNCHDARKLY_API_KEY"),
            ({"project_key": "a/b"}, "LAUNCHDARKLY_PROJECT_KEY"),
            ({"base_url": "http://example.com"}, "LAUNCHDARKLY_BASE_URL"),
        ],
    )
    def test_what_cannot_work_is_refused_by_its_name(
        self, rooms: Connections, wrong: dict[str, str], name: str
    ) -> None:
        with pytest.raises(SettingsError, match=f"^{name}: ") as refused:
            rooms.put_environment(replace(ENVIRONMENT, **wrong))
        assert "canary" not in str(refused.value)

    def test_every_wrong_value_is_named_at_once(self, rooms: Connections) -> None:
        with pytest.raises(SettingsError) as refused:
            rooms.put_environment(EnvironmentConnection("standard", "short", "sdk-1", "a/b", "http://example.com"))
        assert len(refused.value.problems) == 4
