"""How a customer is connected: what is refused, and what is kept."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from connector.connections import Added, ConnectionRefused, Connections, NewConnection
from connector.launchdarkly import CredentialRefused
from connector.partners import UnknownPartner
from connector.policy import PolicyError
from connector.settings import EnvironmentConnection
from connector.signatures import SecretRefused
from connector.store import connections as stored
from connector.store.connections import Connection, Options
from connector.store.database import Database
from connector.store.tables import endpoints as endpoints_table

SECRET = "whsec_Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5"
OTHER_SECRET = "whsec_b3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXI="
CANARY = "api-canary-5f1d"
NEW = NewConnection(name="Acme", partner="standard", project_key="demo", credential=CANARY)
ENVIRONMENT = EnvironmentConnection("standard", SECRET, CANARY, "demo")


class TestAdding:
    def test_a_customer_gets_an_endpoint_of_its_own_and_a_secret_once(
        self,
        database: Database,
        rooms: Connections,
        found: Callable[[str], Connection],
        credential: Callable[[str], str],
        secrets: Callable[[str], list[str]],
    ) -> None:
        added = rooms.add(replace(NEW, name="  Acme ", base_url="eu", options=Options(tags=("a",))))

        assert found(added.connection.id) == added.connection
        assert (added.connection.name, added.connection.base_url) == ("Acme", "https://app.eu.launchdarkly.com")
        assert credential(added.connection.id) == CANARY
        assert secrets(added.connection.endpoint_id) == [added.secret]
        assert added.secret.startswith("whsec_")
        assert rooms.add(NEW).connection.endpoint_id != added.connection.endpoint_id

    def test_a_secret_that_the_partner_chose_is_taken(
        self, rooms: Connections, secrets: Callable[[str], list[str]]
    ) -> None:
        added = rooms.add(replace(NEW, secret=SECRET))
        assert secrets(added.connection.endpoint_id) == [SECRET] == [added.secret]

    def test_a_partner_without_webhooks_gets_no_secret(
        self, database: Database, rooms: Connections, secrets: Callable[[str], list[str]]
    ) -> None:
        added = rooms.add(replace(NEW, partner="importer"))
        assert added.secret is None
        assert secrets(added.connection.endpoint_id) == []
        rooms.set_source(added.connection, {"token": "t"})
        with database.read() as tx:
            assert stored.stored_source(tx, added.connection.id) is not None

    def test_a_shared_endpoint_serves_many_customers_and_shows_its_secret_to_none(self, rooms: Connections) -> None:
        first = rooms.add(replace(NEW, shared=True, workspace="ws_1"))
        second = rooms.add(replace(NEW, endpoint=first.connection.endpoint_id, workspace="ws_2"))
        assert second.connection.endpoint_id == first.connection.endpoint_id
        assert second.secret is None

    @pytest.mark.parametrize(
        ("wrong", "error", "sentence"),
        [
            ({"partner": "acme"}, UnknownPartner, "There is no partner 'acme'; there are: "),
            ({"partner": "importer", "secret": SECRET}, ConnectionRefused, "sends no webhooks"),
            ({"partner": "importer", "shared": True, "workspace": "w"}, ConnectionRefused, "sends no webhooks"),
            ({"name": " "}, ConnectionRefused, "needs a name"),
            ({"name": "Ac\x1b[31mme"}, ConnectionRefused, "name contains control characters"),
            ({"name": "Ac\ud800me"}, ConnectionRefused, "name contains control characters"),
            ({"workspace": "ws\x00"}, ConnectionRefused, "workspace contains control characters"),
            ({"secret": "whsec_c2hvcnQ="}, SecretRefused, "bytes"),
            ({"credential": "sdk-canary"}, CredentialRefused, "This is an SDK key"),
            ({"credential": "mob-canary"}, CredentialRefused, "This is a mobile key"),
            ({"credential": ""}, CredentialRefused, "is empty"),
            ({"credential": "Bearer api-canary"}, CredentialRefused, "Bearer"),
            ({"base_url": "http://app.launchdarkly.com"}, CredentialRefused, "in the clear"),
            ({"base_url": "https://user:canary@app.launchdarkly.com"}, CredentialRefused, "password"),
            ({"project_key": ""}, ConnectionRefused, "Project settings"),
            ({"project_key": "a/b"}, ConnectionRefused, "Project settings"),
            ({"project_key": ".."}, ConnectionRefused, "Project settings"),
            ({"project_key": "demo?x"}, ConnectionRefused, "Project settings"),
            ({"project_key": "demo "}, ConnectionRefused, "Project settings"),
            ({"options": Options(key_prefix="no spaces")}, PolicyError, "key prefix"),
            ({"options": Options(maintainer_id="Ann")}, PolicyError, "maintainer"),
            ({"options": Options(tags=("no spaces",))}, PolicyError, "tag"),
            ({"options": Options(rules="[[rules]")}, PolicyError, "the connection's rules"),
            ({"options": Options(rules='[[rules]]\nmatch = "*"\nmeasure = 1')}, PolicyError, "measure"),
            ({"options": Options(on_delete="burn")}, ConnectionRefused, "archive or delete"),
            ({"shared": True}, ConnectionRefused, "needs its workspace"),
            ({"endpoint": "ep_none"}, ConnectionRefused, "There is no endpoint 'ep_none'"),
            ({"endpoint": "ep_none", "secret": SECRET}, ConnectionRefused, "has its secret"),
        ],
    )
    def test_what_cannot_work_is_refused_with_a_sentence_and_leaves_nothing(
        self, database: Database, rooms: Connections, wrong: dict[str, Any], error: type[Exception], sentence: str
    ) -> None:
        with pytest.raises(error, match=re.escape(sentence)) as refused:
            rooms.add(replace(NEW, **wrong))
        assert "canary" not in str(refused.value)
        assert refused.value.code
        with database.read() as tx:
            assert stored.listing(tx) == []
            assert tx.execute(select(endpoints_table)).all() == []

    def test_a_foreign_endpoint_is_refused(self, database: Database, rooms: Connections) -> None:
        lister = rooms.add(replace(NEW, partner="lister"))
        with pytest.raises(ConnectionRefused, match="is for lister, not standard"):
            rooms.add(replace(NEW, endpoint=lister.connection.endpoint_id))

    def test_a_removed_endpoint_is_refused(self, rooms: Connections) -> None:
        gone = rooms.add(NEW).connection
        rooms.remove(gone)
        with pytest.raises(ConnectionRefused, match="There is no endpoint"):
            rooms.add(replace(NEW, endpoint=gone.endpoint_id))

    def test_on_a_shared_endpoint_every_customer_needs_its_workspace(self, rooms: Connections) -> None:
        first = rooms.add(replace(NEW, shared=True, workspace="ws_1"))
        with pytest.raises(ConnectionRefused, match="needs its workspace"):
            rooms.add(replace(NEW, endpoint=first.connection.endpoint_id))

    def test_an_oauth_token_is_none_of_our_api_keys_and_taken_as_such(
        self, rooms: Connections, credential: Callable[[str], str]
    ) -> None:
        added = rooms.add(replace(NEW, credential="oauth-token", options=Options(oauth=True)))
        assert credential(added.connection.id) == "oauth-token"


def test_no_repr_and_no_log_line_tells_a_secret(rooms: Connections, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        new = replace(NEW, secret=SECRET)
        added = rooms.add(new)
        rooms.set_key(added.connection, f"{CANARY}-2")
        rooms.rotate_secret(added.connection, OTHER_SECRET)
        rooms.put_environment(ENVIRONMENT)
    said = caplog.text + repr([new, added, Added(added.connection, SECRET), ENVIRONMENT, rooms])
    assert not any(secret in said for secret in (CANARY, SECRET, OTHER_SECRET))
