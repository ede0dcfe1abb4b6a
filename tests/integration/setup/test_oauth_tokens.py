"""What a consent gave is renewed by one process at a time, for as long as it stands, and never in the clear."""

from __future__ import annotations

import logging
import sqlite3
import time
from pathlib import Path
from threading import Barrier, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask

from connector.delivery.tokens import PATIENCE, Tokens
from connector.installation import oauth_client, oauth_tokens
from connector.launchdarkly import OAuthClient, OAuthUnavailable
from connector.store import connections, rekey
from connector.store.database import Database, StoreUnavailable
from tests.integration.console.conftest import House
from tests.integration.setup.consenting import (
    BASE,
    SECRET,
    age,
    connect,
    consent,
    end,
    grant_of,
    leave,
    refreshes,
    secrets_of,
)
from tests.integration.setup.test_setup_page import path_of, stored_key, waiting


class TestTheToken:
    @pytest.fixture
    def added(self, home: House) -> Any:
        added = waiting(home, project_key="demo")
        assert "Connected" in connect(home, added.connection).text
        return added

    def test_is_renewed_when_launchdarkly_rejects_it(self, home: House, added: Any) -> None:
        before, asked = stored_key(home, added.connection), refreshes(home)
        end(home, "expire")
        # A token that was just given is believed to be good, so that nobody renews without end.
        age(home, added.connection, renewed_at=0.0)
        answer = home.send(added, {"id": "evt_1", "key": f"rejected_{added.connection.id[-6:]}"})
        assert [change["outcome"] for change in answer["changes"]] == ["created"]
        assert stored_key(home, added.connection) != before
        assert refreshes(home) == asked + 1

    def test_is_renewed_when_it_has_ended(self, home: House, added: Any) -> None:
        asked = refreshes(home)
        age(home, added.connection, expires_at=0.0)
        answer = home.send(added, {"id": "evt_1", "key": f"ended_{added.connection.id[-6:]}"})
        assert [change["outcome"] for change in answer["changes"]] == ["created"]
        assert refreshes(home) == asked + 1

    def test_is_renewed_ahead_by_a_duty_and_then_let_be(self, home: House, added: Any) -> None:
        tokens, asked = oauth_tokens(home.installation), refreshes(home)
        tokens.renew_due()
        assert refreshes(home) == asked, "nothing is due"
        age(home, added.connection, renew_at=0.0)
        before = grant_of(home, added.connection)
        tokens.renew_due()
        tokens.renew_due()
        after = grant_of(home, added.connection)
        assert refreshes(home) == asked + 1
        assert before is not None
        assert after is not None
        assert after.serial != before.serial
        assert after.renew_at < after.expires_at

    def test_is_renewed_by_one_of_all_who_want_to(self, any_home: House) -> None:
        home = any_home
        added = waiting(home, project_key="demo")
        connect(home, added.connection)
        age(home, added.connection, expires_at=0.0)
        asked, together = refreshes(home), Barrier(6)
        said: list[str] = []

        def want() -> None:
            database = Database(home.installation.settings.database_url)  # as another process has its own
            tokens = Tokens(database, home.installation.vault, oauth_client(home.installation.settings))
            together.wait(60)
            try:
                said.append(tokens.usable(added.connection.id))
            except OAuthUnavailable:
                said.append("busy")
            finally:
                database.close()

        threads = [Thread(target=want) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert refreshes(home) == asked + 1
        assert len(said) == 6
        assert set(said) - {"busy"} == {stored_key(home, added.connection)}

    def test_that_was_renewed_is_kept_though_the_store_fails_for_a_while(self, home: House, added: Any) -> None:
        installation, connection = home.installation, added.connection
        slept: list[float] = []

        class Failing:
            """Takes the claim, then nothing for a while: as a database that restarts."""

            def __init__(self) -> None:
                self.writes = 0

            def __getattr__(self, name: str) -> Any:
                return getattr(installation.database, name)

            def write(self, work: Any) -> Any:
                self.writes += 1
                if 1 < self.writes < 5:
                    raise StoreUnavailable("it restarts")
                return installation.database.write(work)

        database: Any = Failing()
        age(home, connection, expires_at=0.0)
        oauth = oauth_client(installation.settings)
        token = Tokens(database, installation.vault, oauth, sleep=slept.append).usable(connection.id)
        assert stored_key(home, connection) == token
        assert slept == list(PATIENCE[:3])
        age(home, connection, expires_at=0.0)
        assert oauth_tokens(installation).usable(connection.id) != token, "its refresh token was kept as well"

    def test_what_was_taken_back_pauses_the_connection_until_it_is_connected_again(
        self, home: House, added: Any
    ) -> None:
        end(home, "revoke")
        age(home, added.connection, renewed_at=0.0)
        answer = home.send(added, {"id": "evt_1", "key": f"revoked_{added.connection.id[-6:]}"})
        assert [change["outcome"] for change in answer["changes"]] == ["pending"]
        standing = home.connection(added.connection.id)
        assert (standing.state, standing.state_code) == ("paused", "oauth_revoked")
        assert "connect again" in str(standing.state_reason)
        assert (stored_key(home, added.connection), grant_of(home, added.connection)) == ("", None)
        with pytest.raises(ValueError, match="no LaunchDarkly API key yet"):
            home.installation.connections.resume(standing)
        assert "Connected" in connect(home, standing).text
        home.app.extensions["connector"].runner.wait(answer["delivery"], 60)
        assert f"revoked-{added.connection.id[-6:]}" in home.sandbox.metrics()

    def test_that_is_rejected_though_it_is_fresh_pauses_the_connection(self, home: House, added: Any) -> None:
        asked = refreshes(home)
        end(home, "expire")
        age(home, added.connection, renewed_at=time.time() + 3600.0)
        home.send(added, {"id": "evt_1", "key": f"fresh_{added.connection.id[-6:]}"})
        assert home.connection(added.connection.id).state_code == "launchdarkly_unauthorized"
        assert refreshes(home) == asked, "it is not renewed without end"

    def test_gives_way_to_an_api_key(self, home: House, added: Any) -> None:
        home.installation.connections.set_key(home.connection(added.connection.id), "api-demo")
        standing = home.connection(added.connection.id)
        assert (standing.options.oauth, grant_of(home, standing)) == (False, None)
        answer = home.send(added, {"id": "evt_1", "key": f"by_key_{added.connection.id[-6:]}"})
        assert [change["outcome"] for change in answer["changes"]] == ["created"]

    def test_ends_with_the_connection(self, home: House, added: Any) -> None:
        home.installation.connections.remove(home.connection(added.connection.id))
        assert grant_of(home, added.connection) is None

    def test_of_a_newer_consent_is_not_overwritten_by_a_renewal_that_was_under_way(
        self, home: House, added: Any
    ) -> None:
        installation, connection = home.installation, home.connection(added.connection.id)

        class Slow(OAuthClient):
            """While LaunchDarkly answers, the customer connects again."""

            def refresh(self, base_url: str, refresh_token: str) -> Any:
                answer = super().refresh(base_url, refresh_token)
                connect(home, connection)
                return answer

        slow = Slow("oauth-demo", SECRET, redirect_uri=f"{BASE}/setup/oauth/callback", user_agent="test")
        age(home, connection, renew_at=0.0)
        Tokens(installation.database, installation.vault, slow).renew_due()
        home.send(added, {"id": "evt_1", "key": f"newer_{connection.id[-6:]}"})
        assert home.connection(connection.id).state == "active"


def test_no_secret_is_ever_in_the_clear(home: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    chosen = waiting(home)
    visitor = home.visitor()
    path = path_of(home, chosen.connection)
    departed = leave(visitor, path)
    pages = [visitor.get(path).html]
    back = consent(departed)
    page = visitor.get(back)
    held = secrets_of(home)
    pages += [page.html, visitor.submit(page.form("/project"), project="demo").html]
    age(home, chosen.connection, expires_at=0.0)
    home.send(chosen, {"id": "evt_1", "key": f"canary_{chosen.connection.id[-6:]}"})
    end(home, "revoke")
    age(home, chosen.connection, renewed_at=0.0)
    home.send(chosen, {"id": "evt_2", "key": f"canary_2_{chosen.connection.id[-6:]}"})
    pages.append(visitor.get(back).html)
    canaries = {*held, *secrets_of(home), SECRET, parse_qs(urlsplit(back).query)["code"][0]}
    assert len(canaries) >= 4
    database = Path(home.installation.settings.database_url.removeprefix("sqlite:///"))
    with sqlite3.connect(database, timeout=30) as connected:
        dump = "\n".join(connected.iterdump())
    connected.close()
    for canary in canaries:
        assert not any(canary in html for html in pages)
        assert canary not in caplog.text
        assert canary not in dump
        assert canary.encode().hex() not in dump.lower()
    assert SECRET not in repr(home.installation.settings)
    assert SECRET not in repr(oauth_client(home.installation.settings))


def test_all_of_it_is_re_keyed(home: House) -> None:
    held, begun, done = (waiting(home, name) for name in ("held", "begun", "done"))
    connect(home, held.connection)
    visitor = home.visitor()
    back = consent(leave(visitor, path_of(home, begun.connection)))
    connect(home, waiting(home, project_key="demo").connection)
    before = secrets_of(home)
    home.installation.database.write(lambda tx: rekey.all_secrets(tx, home.installation.vault))
    assert secrets_of(home) == before
    assert visitor.get(back).status == 200
    assert done


def test_the_command_that_tries_a_connection_renews_its_token(home: House) -> None:
    added = waiting(home, project_key="demo")
    connect(home, added.connection)
    age(home, added.connection, expires_at=0.0)
    asked = refreshes(home)
    answer = api(home.app).post(
        f"/api/v1/connections/{added.connection.id}/test",
        headers={"Authorization": f"Bearer {home.installation.settings.admin_token}"},
    )
    assert answer.get_json()["ok"] is True, answer.text
    assert refreshes(home) == asked + 1
    with home.installation.database.read() as tx:
        assert connections.get(tx, added.connection.id) is not None


def api(app: Flask) -> Any:
    return app.test_client()
