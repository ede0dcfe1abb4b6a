"""A customer connects by OAuth: to LaunchDarkly's consent and back, and nobody else does."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from connector.oauth_flows import WITHIN, OAuthFlows
from connector.setup_links import SetupLinks
from connector.store.connections import Connection
from tests.integration.console.conftest import House
from tests.integration.console.visitor import Page, Visitor
from tests.integration.setup.consenting import (
    BASE,
    connect,
    consent,
    grant_of,
    leave,
)
from tests.integration.setup.test_setup_page import path_of, waiting


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
