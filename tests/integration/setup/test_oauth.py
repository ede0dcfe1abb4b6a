"""A customer connects by OAuth: to LaunchDarkly's consent and back, nobody else, as long as the consent stands."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from threading import Barrier, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from flask import Flask

from connector.app import create_app
from connector.delivery.tokens import PATIENCE, Tokens
from connector.installation import oauth_client, oauth_tokens
from connector.launchdarkly import OAuthClient, OAuthUnavailable
from connector.oauth_flows import WITHIN, OAuthFlows
from connector.setup_links import SetupLinks
from connector.store import connections, grants, rekey
from connector.store.connections import Connection
from connector.store.database import Database, StoreUnavailable
from connector.store.grants import StoredGrant
from tests.browser.processes import free_ports, process
from tests.integration.console.conftest import House, settings_of
from tests.integration.console.visitor import Page, Visitor
from tests.integration.setup.test_setup_page import path_of, stored_key, waiting
from tests.integration.web.conftest import Sandbox

BASE = "http://127.0.0.1:8000"
SECRET = "oauth-demo-secret"
OAUTH = {
    "CONNECTOR_BASE_URL": BASE,
    "CONNECTOR_OAUTH_CLIENT_ID": "oauth-demo",
    "CONNECTOR_OAUTH_CLIENT_SECRET": SECRET,
}


@pytest.fixture(scope="module")
def consenting() -> Iterator[Sandbox]:
    """A LaunchDarkly of this module's own: here consents are taken back."""
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    with process(os.environ, url + "/sandbox/", "sandbox", "--port", str(port)):
        yield Sandbox(url)


@pytest.fixture(scope="module")
def home(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, consenting: Sandbox) -> Iterator[House]:
    path = tmp_path_factory.mktemp("home") / "connector.db"
    shutil.copyfile(sqlite_template, path)
    app = create_app(settings_of(f"sqlite:///{path}", **OAUTH))
    try:
        yield House(app, consenting)
    finally:
        app.extensions["connector"].close()


@pytest.fixture
def any_home(database_url: str, consenting: Sandbox) -> Iterator[House]:
    """On SQLite and on PostgreSQL."""
    app = create_app(settings_of(database_url, **OAUTH))
    try:
        yield House(app, consenting)
    finally:
        app.extensions["connector"].close()


def leave(visitor: Visitor, path: str) -> str:
    """Click on Connect; where the page leads to."""
    page = visitor.submit(visitor.get(path).form("/oauth"))
    assert page.status == 200
    url = page.links["Continue to LaunchDarkly"]
    assert ("meta", {"http-equiv": "refresh", "content": f"0; url={url}"}) in page.tags
    return url


def consent(url: str) -> str:
    """LaunchDarkly consents; the way back, without our host."""
    answer = requests.get(url, allow_redirects=False, timeout=60)
    assert answer.status_code == 302, answer.text
    back = str(answer.headers["Location"])
    assert back.startswith(f"{BASE}/setup/oauth/callback?")
    return back.removeprefix(BASE)


def connect(house: House, connection: Connection) -> Page:
    """The whole way, in a browser of its own; with a project to choose it ends before that."""
    visitor = house.visitor()
    return visitor.get(consent(leave(visitor, path_of(house, connection))))


def grant_of(house: House, connection: Connection) -> StoredGrant | None:
    with house.installation.database.read() as tx:
        return grants.get(tx, connection.id)


def refreshes(house: House) -> int:
    asked = requests.get(f"{house.sandbox.url}/sandbox/oauth", timeout=60).json()
    return int(asked.get("refresh_token", 0))


def end(house: House, what: str) -> None:
    requests.post(f"{house.sandbox.url}/sandbox/oauth/{what}", timeout=60).raise_for_status()


def test_the_whole_way_ends_in_a_metric(any_home: House) -> None:
    home = any_home
    added = waiting(home, "Consenting")
    visitor = home.visitor()
    page = visitor.get(consent(leave(visitor, path_of(home, added.connection))))
    assert "Choose the project" in page.text
    assert "LaunchDarkly gave its consent" in page.text
    assert "Connected" in visitor.submit(page.form("/project"), project="demo").text
    standing = home.connection(added.connection.id)
    assert (standing.project_key, standing.state, standing.options.oauth) == ("demo", "active", True)
    key = f"consented_{added.connection.id[-6:]}"
    answer = home.send(added, {"id": "evt_1", "key": key, "name": "Consented"})
    assert [change["outcome"] for change in answer["changes"]] == ["created"]
    assert key.replace("_", "-") in home.sandbox.metrics()


def test_where_the_project_stands_the_consent_is_enough(home: House) -> None:
    added = waiting(home, project_key="demo")
    assert "Connected" in connect(home, added.connection).text
    assert grant_of(home, added.connection) is not None


def test_launchdarkly_is_asked_for_what_is_needed_and_no_more(home: House) -> None:
    url = urlsplit(leave(home.visitor(), path_of(home, waiting(home).connection)))
    assert url._replace(query="").geturl() == f"{home.sandbox.url}/trust/oauth/authorize"
    asked = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert asked.pop("state")
    assert len(asked.pop("code_challenge")) == 43
    assert asked == {
        "response_type": "code",
        "client_id": "oauth-demo",
        "redirect_uri": f"{BASE}/setup/oauth/callback",
        "scope": "writer",
        "code_challenge_method": "S256",
    }


def test_without_an_oauth_client_only_keys_are_offered(house: House) -> None:
    path, visitor = path_of(house, waiting(house).connection), house.visitor()
    page = visitor.get(path)
    assert [form.action for form in page.forms] == [f"{path}/key"]
    assert visitor.post(f"{path}/oauth", page.form("/key").values).status == 404
    assert visitor.get("/setup/oauth/callback?state=x&code=y").status == 404


def test_the_cookie_of_the_way_back_is_for_it_alone(home: House) -> None:
    visitor, path = home.visitor(), path_of(home, waiting(home).connection)
    cookies = visitor.submit(visitor.get(path).form("/oauth")).headers.getlist("Set-Cookie")  # type: ignore[attr-defined]
    (cookie,) = [each for each in cookies if each.startswith("connector-oauth=")]
    assert {"HttpOnly", "SameSite=Lax", f"Max-Age={WITHIN:.0f}"} <= set(cookie.split("; "))


class TestTheWayBack:
    @pytest.fixture
    def way(self, home: House) -> tuple[Connection, Visitor, str]:
        """A customer who consented, just before the browser comes back."""
        connection, visitor = waiting(home, project_key="demo").connection, home.visitor()
        return connection, visitor, consent(leave(visitor, path_of(home, connection)))

    def refused(self, home: House, page: Page, connection: Connection) -> None:
        assert (page.status, "oauth_state_refused" in page.text) == (400, True), page.text
        assert home.connection(connection.id).state == "paused"
        assert grant_of(home, connection) is None

    def test_works_once(self, home: House, way: tuple[Connection, Visitor, str]) -> None:
        _connection, visitor, back = way
        assert "Connected" in visitor.get(back).text
        assert visitor.get(back).status == 400

    def test_a_state_is_used_up_even_where_the_code_is_bad(
        self, home: House, way: tuple[Connection, Visitor, str]
    ) -> None:
        connection, visitor, back = way
        bad = f"{back.partition('?')[0]}?state={parse_qs(urlsplit(back).query)['state'][0]}&code=code-forged"
        page = visitor.get(bad)
        assert page.status == 422
        assert "used already or came too late" in page.text
        assert page.form("/oauth"), "the page is there to begin again"
        self.refused(home, visitor.get(back), connection)

    def test_is_closed_to_another_visitor(self, home: House, way: tuple[Connection, Visitor, str]) -> None:
        connection, visitor, back = way
        self.refused(home, home.visitor().get(back), connection)
        other = home.visitor()
        leave(other, path_of(home, waiting(home, "other").connection))
        self.refused(home, other.get(back), connection)
        assert "Connected" in visitor.get(back).text, "a stranger's try costs the customer nothing"

    def test_takes_no_code_that_another_customer_got(self, home: House, way: tuple[Connection, Visitor, str]) -> None:
        connection, visitor, back = way
        attacker = home.visitor()
        theirs = consent(leave(attacker, path_of(home, waiting(home, "attacker").connection)))
        state = parse_qs(urlsplit(back).query)["state"][0]
        code = parse_qs(urlsplit(theirs).query)["code"][0]
        page = visitor.get(f"/setup/oauth/callback?state={state}&code={code}")
        assert page.status == 422, "their code does not fit our verifier"
        assert grant_of(home, connection) is None

    @pytest.mark.parametrize("change", ["", "x", "WyJzZXRfMSIsICJ4Il0.forged", "a" * 10_000, "%00", "é"])
    def test_is_closed_to_a_forged_state(self, home: House, way: tuple[Connection, Visitor, str], change: str) -> None:
        connection, visitor, _back = way
        self.refused(home, visitor.get(f"/setup/oauth/callback?state={change}&code=x"), connection)

    def test_is_closed_to_what_the_link_itself_was_signed_with(
        self, home: House, way: tuple[Connection, Visitor, str]
    ) -> None:
        connection, visitor, _back = way
        token = path_of(home, connection).rpartition("/")[2]
        self.refused(home, visitor.get(f"/setup/oauth/callback?state={token}&code=x"), connection)

    def test_is_closed_once_another_attempt_began_or_the_link_was_replaced(self, home: House) -> None:
        connection, visitor = waiting(home, project_key="demo").connection, home.visitor()
        path = path_of(home, connection)
        first = consent(leave(visitor, path))
        second = consent(leave(visitor, path))
        self.refused(home, visitor.get(first), connection)
        path_of(home, connection)
        self.refused(home, visitor.get(second), connection)

    def test_is_closed_when_time_is_up(self, home: House) -> None:
        connection = waiting(home, project_key="demo").connection
        installation, now = home.installation, 1_900_000_000.0
        links = SetupLinks(installation.database, installation.vault, base_url=BASE, clock=lambda: now)
        setup = links.open(links.make(connection).rpartition("/")[2])
        flows = OAuthFlows(installation.database, installation.vault, links, clock=lambda: now)
        departure = flows.begin(setup, home.sandbox.url)
        late = OAuthFlows(installation.database, installation.vault, links, clock=lambda: now + WITHIN)
        with pytest.raises(Exception, match="belongs to no connection attempt"):
            late.finish(departure.state, departure.visitor)
        assert flows.finish(departure.state, departure.visitor).setup.connection.id == connection.id

    def test_leads_to_our_own_pages_alone(self, home: House) -> None:
        connection, visitor = waiting(home).connection, home.visitor()
        back = consent(leave(visitor, path_of(home, connection)))
        answer = visitor.client.get(back + "&redirect_uri=https://evil.example.com&next=//evil.example.com")
        assert answer.status_code == 303
        assert answer.headers["Location"].startswith("/setup/")
        assert answer.headers["Referrer-Policy"] == "no-referrer"

    @pytest.mark.parametrize(
        "said", ["error=access_denied", "code=", "error=access_denied&code=x", "code=" + "x" * 5000]
    )
    def test_without_a_consent_nothing_is_connected(
        self, home: House, way: tuple[Connection, Visitor, str], said: str
    ) -> None:
        connection, visitor, back = way
        state = parse_qs(urlsplit(back).query)["state"][0]
        page = visitor.get(f"/setup/oauth/callback?state={state}&{said}")
        assert (page.status, "without a consent" in page.text) == (422, True)
        assert home.connection(connection.id).state == "paused"

    def test_a_form_of_another_site_sends_nobody_away(self, home: House) -> None:
        path, visitor = path_of(home, waiting(home).connection), home.visitor()
        values = visitor.get(path).form("/oauth").values
        assert visitor.post(f"{path}/oauth", {}).status == 403
        assert home.visitor().post(f"{path}/oauth", values).status == 403


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


def age(house: House, connection: Connection, **times: float) -> None:
    """Let a stored grant be older than it is."""
    from connector.store.tables import oauth_grants  # noqa: PLC0415

    mine = oauth_grants.c.connection_id == connection.id
    house.installation.database.write(lambda tx: tx.execute(oauth_grants.update().where(mine).values(times)))


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


def secrets_of(house: House) -> set[str]:
    """All that is stored encrypted just now, in the clear, but for what the tests share."""
    with house.installation.database.read() as tx:
        opened = {house.installation.vault.decrypt(each) for each in rekey.sealed(tx)}
    return {each for each in opened if each.startswith(("oauth-", "refresh-", "{"))}


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
