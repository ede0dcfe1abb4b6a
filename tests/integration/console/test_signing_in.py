"""Nobody sees the console without the admin token, and nobody stays in it for ever."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from connector.app import create_app
from connector.store.vault import Vault, generate_key
from connector.web.console.session import IDLE, LONGEST, MOST_TRIES, TRIES_WITHIN, Sessions
from connector.web.problems import Problem
from tests.integration.console.conftest import ADMIN_TOKEN, House, settings_of
from tests.integration.console.visitor import Visitor
from tests.integration.web.routes import all_rules


def pages_of(app: Flask) -> list[tuple[str, str]]:
    """Every page and action of the console, as the app itself lists them."""
    found = []
    for rule in all_rules(app):
        if str(rule.endpoint).startswith("console.") and rule.endpoint not in {
            "console.sign_in",
            "console.begin_session",
        }:
            path = re.sub(r"<[^>]+>", "x", rule.rule)
            found += [(method, path) for method in (rule.methods or set()) & {"GET", "POST"}]
    return found


def test_a_stranger_is_sent_to_the_sign_in_from_every_page(house: House) -> None:
    pages = pages_of(house.app)
    assert len(pages) > 20
    for method, path in pages:
        answer = house.app.test_client().open(path, method=method)
        assert answer.status_code == 303, path
        assert answer.headers["Location"].startswith("/console/sign-in"), path


def test_whoever_signs_in_comes_to_the_page_that_they_came_for(house: House) -> None:
    visitor = house.visitor()
    form = visitor.get("/console/deliveries?state=parked").form("/sign-in")
    assert visitor.submit(form, token=ADMIN_TOKEN).path == "/console/deliveries?state=parked"


def test_a_link_from_elsewhere_leads_on_by_a_page_of_ours_once(house: House) -> None:
    visitor = house.visitor()
    page = visitor.get("/console/deliveries?state=parked&q=%3Cb%3E", **{"Sec-Fetch-Site": "cross-site"})
    assert page.links["Go on to the page"] == "/console/deliveries?state=parked&q=%3Cb%3E&onward=1"
    page = visitor.get(page.links["Go on to the page"], **{"Sec-Fetch-Site": "cross-site"})
    assert page.title.startswith("Sign in")


@pytest.mark.parametrize(
    "elsewhere", ["https://example.com/", "//example.com", "/\\example.com", "/console\\@example.com", "/console/\n/x"]
)
def test_signing_in_never_leads_to_another_site(house: House, elsewhere: str) -> None:
    visitor = house.visitor()
    form = visitor.get("/console/sign-in").form("/sign-in")
    assert visitor.submit(form, token=ADMIN_TOKEN, next=elsewhere).path == "/console/"


def test_a_wrong_token_is_refused_and_never_repeated(house: House) -> None:
    visitor = house.visitor()
    page = visitor.sign_in("a-wrong-token-that-somebody-typed")
    assert page.status == 401
    assert "This is not the admin token" in page.text
    assert "somebody-typed" not in page.html
    assert visitor.get("/console/").title.startswith("Sign in")


def test_a_guesser_has_to_wait_but_nobody_else(house: House) -> None:
    guesser = house.visitor("192.0.2.1")
    for number in range(MOST_TRIES):
        assert guesser.sign_in(f"wrong-{number}").status == 401
    refused = guesser.sign_in(ADMIN_TOKEN)
    assert refused.status == 429
    assert 0 < int(refused.headers["Retry-After"]) <= TRIES_WITHIN + 1
    assert "Too many wrong tokens" in refused.text
    assert house.visitor("192.0.2.2").sign_in(ADMIN_TOKEN).path == "/console/"


def test_the_cookies_cannot_be_read_by_scripts_or_sent_from_other_sites(house: House) -> None:
    visitor = house.visitor()
    form = visitor.get("/console/sign-in").form("/sign-in")
    answer = visitor.client.post(form.action, data={**form.values, "token": ADMIN_TOKEN})
    (cookie,) = answer.headers.getlist("Set-Cookie")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Secure" not in cookie  # by http there would be no cookie at all
    assert ADMIN_TOKEN not in cookie


def test_behind_https_the_cookies_belong_to_this_host_alone(sqlite_url: str) -> None:
    app = create_app(settings_of(sqlite_url, CONNECTOR_BASE_URL="https://connector.example.com"))
    try:
        answer = app.test_client().get("/console/sign-in")
        (cookie,) = answer.headers.getlist("Set-Cookie")
        assert cookie.startswith("__Host-connector-form=")
        assert "Secure" in cookie
    finally:
        app.extensions["connector"].close()


def test_signing_out_ends_the_session_even_of_a_copied_cookie(house: House, operator: Visitor) -> None:
    copied = house.visitor()
    cookie = operator.client.get_cookie("connector-session")
    assert cookie is not None
    copied.client.set_cookie("connector-session", cookie.value)
    assert copied.get("/console/").title.startswith("Overview")
    page = operator.submit(operator.get("/console/").form("/sign-out"))
    assert page.title.startswith("Sign in")
    assert operator.get("/console/").title.startswith("Sign in")
    assert copied.get("/console/").title.startswith("Sign in")


class TestTime:
    """Sessions by the clock, without a web."""

    @pytest.fixture
    def clock(self) -> list[float]:
        return [1_000_000.0]

    @pytest.fixture
    def app(self) -> Flask:
        return Flask("test")

    @pytest.fixture
    def sessions(self, house: House, clock: list[float]) -> Sessions:
        return self.of(house, clock, ADMIN_TOKEN)

    def of(self, house: House, clock: list[float], token: str, vault: Vault | None = None) -> Sessions:
        database = house.installation.database
        return Sessions(database, vault or house.installation.vault, token, secure=False, clock=lambda: clock[0])

    def cookie(self, app: Flask, sessions: Sessions) -> str:
        response = app.response_class()
        sessions.keep(response, sessions.begin(ADMIN_TOKEN, "192.0.2.1"))
        return response.headers["Set-Cookie"].split(";")[0]

    def stands(self, app: Flask, sessions: Sessions, cookie: str) -> bool:
        with app.test_request_context("/", headers={"Cookie": cookie}) as context:
            return sessions.find(context.request) is not None

    def test_it_ends_by_idleness(self, app: Flask, sessions: Sessions, clock: list[float]) -> None:
        cookie = self.cookie(app, sessions)
        clock[0] += IDLE
        assert self.stands(app, sessions, cookie)
        clock[0] += 1
        assert not self.stands(app, sessions, cookie)

    def test_it_ends_after_a_working_day_however_busy(self, app: Flask, sessions: Sessions, clock: list[float]) -> None:
        cookie = self.cookie(app, sessions)
        until = clock[0] + LONGEST
        while clock[0] + IDLE / 2 <= until:
            clock[0] += IDLE / 2
            with app.test_request_context("/", headers={"Cookie": cookie}) as context:
                found = sessions.find(context.request)
                assert found is not None
                response = app.response_class()
                sessions.keep(response, found)
                cookie = response.headers["Set-Cookie"].split(";")[0]
        clock[0] = until + 1
        assert not self.stands(app, sessions, cookie)

    def test_it_ends_with_the_token_that_began_it(self, app: Flask, house: House, clock: list[float]) -> None:
        cookie = self.cookie(app, self.of(house, clock, ADMIN_TOKEN))
        assert not self.stands(app, self.of(house, clock, "another-admin-token-0123456789"), cookie)

    def test_it_survives_a_new_encryption_key_but_no_forgery(
        self, app: Flask, house: House, clock: list[float]
    ) -> None:
        old, new = generate_key(), generate_key()
        cookie = self.cookie(app, self.of(house, clock, ADMIN_TOKEN, Vault([old])))
        assert self.stands(app, self.of(house, clock, ADMIN_TOKEN, Vault([new, old])), cookie)
        assert not self.stands(app, self.of(house, clock, ADMIN_TOKEN, Vault([new])), cookie)
        assert not self.stands(app, self.of(house, clock, ADMIN_TOKEN, Vault([old])), cookie[:-2] + "AA")

    def test_the_guesser_may_try_again_after_a_while(self, sessions: Sessions, clock: list[float]) -> None:
        for _ in range(MOST_TRIES):
            with pytest.raises(Problem, match="not the admin token"):
                sessions.begin("wrong", "192.0.2.1")
        with pytest.raises(Problem, match="Too many"):
            sessions.begin(ADMIN_TOKEN, "192.0.2.1")
        clock[0] += TRIES_WITHIN
        assert sessions.begin(ADMIN_TOKEN, "192.0.2.1").id


def test_without_an_admin_token_the_console_says_how_to_set_it(sqlite_url: str) -> None:
    app = create_app(settings_of(sqlite_url, CONNECTOR_ADMIN_TOKEN=""))
    try:
        for path in ("/console/", "/console/sign-in", "/console/connections"):
            page = Visitor(app).get(path)
            assert page.status == 503
            assert "CONNECTOR_ADMIN_TOKEN" in page.text
    finally:
        app.extensions["connector"].close()
