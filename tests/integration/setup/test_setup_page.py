"""A customer with a link gives a connection its key: tried before it is stored, once, and never shown."""

from __future__ import annotations

import html
import json
import logging
import re
import sqlite3
import time
from dataclasses import replace

import pytest
import requests

from connector.connections import WAITING, Added
from connector.installation import Installation
from connector.launchdarkly import least_privilege_policy
from connector.setup_links import EXPIRES, SetupLinks
from connector.store import connections, rekey, setup_links
from connector.store.connections import Connection
from connector.web.setup import MOST_TRIES
from tests.integration.console.conftest import READER, House
from tests.integration.console.visitor import Page, Visitor

BASE = "http://127.0.0.1:8000"


def links(installation: Installation, clock: float | None = None) -> SetupLinks:
    now = time.time if clock is None else lambda: clock
    return SetupLinks(installation.database, installation.vault, base_url=BASE, clock=now)


def path_of(house: House, connection: Connection, *, expires: float = EXPIRES, at: float | None = None) -> str:
    """A new link, without its host."""
    return links(house.installation, at).make(connection, expires=expires).removeprefix(BASE)


def waiting(house: House, name: str = "Acme", **values: str) -> Added:
    return house.add(name, credential=None, **{"project_key": "", **values})


def enter(visitor: Visitor, path: str, key: str) -> Page:
    return visitor.submit(visitor.get(path).form("/key"), api_key=key)


def stored_key(house: House, connection: Connection) -> str:
    with house.installation.database.read() as tx:
        return house.installation.vault.decrypt(connections.stored_credential(tx, connection.id))


def test_what_arrives_before_the_key_is_kept_and_applied_with_it(any_house: House) -> None:
    house = any_house
    added = waiting(house, "Kept", project_key="demo")
    key = f"kept_{added.connection.id[-6:]}"
    answer = house.send(added, {"id": "evt_1", "key": key, "name": "Kept"})
    assert [change["outcome"] for change in answer["changes"]] == ["pending"]
    page = enter(house.visitor(), path_of(house, added.connection), "api-demo")
    assert page.status == 200
    assert "Connected" in page.text
    standing = house.connection(added.connection.id)
    assert (standing.state, standing.state_code) == ("active", None)
    house.app.extensions["connector"].runner.wait(answer["delivery"], 60)
    assert key.replace("_", "-") in house.sandbox.metrics()


def test_a_customer_without_a_project_chooses_one(house: House) -> None:
    added = waiting(house, "Chooser & Sons")
    path, visitor = path_of(house, added.connection), house.visitor()
    first = visitor.get(path)
    assert "Chooser & Sons" in first.text
    assert "Standard Webhooks" in first.text
    page = enter(visitor, path, "api-demo")
    assert "Choose the project" in page.text
    assert "service token “sandbox writer”" in page.text
    assert "Connected" in visitor.submit(page.form("/project"), project="demo").text
    standing = house.connection(added.connection.id)
    assert (standing.project_key, standing.state) == ("demo", "active")
    assert stored_key(house, added.connection) == "api-demo"


def test_the_try_leaves_no_metric_behind(house: House) -> None:
    before = house.sandbox.metrics()
    enter(house.visitor(), path_of(house, waiting(house, project_key="demo").connection), "api-demo")
    assert house.sandbox.metrics() == before


def test_a_key_that_may_not_write_gets_the_policy_to_copy(house: House) -> None:
    added = waiting(house, project_key="demo")
    path, visitor = path_of(house, added.connection), house.visitor()
    page = enter(visitor, path, READER)
    assert page.status == 422
    assert "may not write metrics in the project" in page.text
    shown = html.unescape(re.search(r'aria-label="The policy">(.*?)</pre>', page.html, re.DOTALL)[1])  # type: ignore[index]
    assert json.loads(shown) == json.loads(least_privilege_policy("demo"))
    assert house.connection(added.connection.id).state_code == WAITING
    assert "Connected" in enter(visitor, path, "api-demo").text, "a good key is taken at the next try"


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("sdk-12345678-canary", "This is an SDK key"),
        ("mob-12345678-canary", "This is a mobile key"),
        ("5f0c4a3b2d1e0f9a8b7c6d5e", "This is a client-side ID"),
        ("Bearer api-canary", 'Leave out the word "Bearer"'),
        ("hello-canary", "not a LaunchDarkly API access token"),
        ("", "is empty"),
        ("api-canary-nobody-knows", "does not know this key"),
        ("api-canaré", "characters that no token has"),
    ],
)
def test_a_wrong_key_is_named_and_never_repeated(
    house: House, key: str, sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    path = path_of(house, waiting(house, project_key="demo").connection)
    page = enter(house.visitor(), path, key)
    assert page.status == 422
    assert sentence in page.text
    assert not key or key not in page.html
    assert "canary" not in caplog.text


def test_a_project_that_the_key_does_not_see_is_said(house: House) -> None:
    path, visitor = path_of(house, waiting(house).connection), house.visitor()
    page = enter(visitor, path, "api-demo")
    page = visitor.submit(page.form("/project"), project="nowhere")
    assert page.status == 422
    assert 'does not see a project with the key "nowhere"' in page.text
    for malformed in ("", "..", "a/b", "x" * 5000, "<script>"):
        page = visitor.submit(page.form("/project"), project=malformed)
        assert page.status == 422
        assert "<script>" not in page.html


def test_another_key_can_be_used_before_the_project_is_chosen(house: House) -> None:
    path, visitor = path_of(house, waiting(house).connection), house.visitor()
    page = enter(visitor, path, "api-demo")
    page = visitor.submit(page.form("/another-key"))
    assert page.form("/key")
    assert "Choose the project" in enter(visitor, path, "api-demo").text


def test_a_key_that_waits_for_its_project_is_encrypted_and_re_keyed(house: House) -> None:
    added = waiting(house)
    visitor = house.visitor()
    enter(visitor, path_of(house, added.connection), "api-demo")
    path = house.installation.settings.database_url.removeprefix("sqlite:///")
    with sqlite3.connect(path, timeout=30) as database:
        held = database.execute(
            "SELECT credential FROM setup_links WHERE connection_id = ?", (added.connection.id,)
        ).fetchone()[0]
    database.close()
    assert b"api-demo" not in held
    assert house.installation.vault.decrypt(held) == "api-demo"
    with house.installation.database.read() as tx:
        before = setup_links.get(tx, visitor_link(house, added.connection))
    house.installation.database.write(lambda tx: rekey.all_secrets(tx, house.installation.vault))
    with house.installation.database.read() as tx:
        after = setup_links.get(tx, visitor_link(house, added.connection))
    assert before is not None
    assert after is not None
    assert before.credential != after.credential
    assert replace(before, credential=None) == replace(after, credential=None)


def visitor_link(house: House, connection: Connection) -> str:
    path = house.installation.settings.database_url.removeprefix("sqlite:///")
    with sqlite3.connect(path, timeout=30) as database:
        found: str = database.execute(
            "SELECT id FROM setup_links WHERE connection_id = ?", (connection.id,)
        ).fetchone()[0]
    database.close()
    return found


class TestTheLink:
    def test_it_works_once(self, any_house: House) -> None:
        house = any_house
        path = path_of(house, waiting(house, project_key="demo").connection)
        one, other = house.visitor(), house.visitor()
        late = other.get(path).form("/key")
        assert "Connected" in enter(one, path, "api-demo").text
        for page in (other.submit(late, api_key="api-demo"), other.get(path)):
            assert page.status == 410
            assert "was used" in page.text

    def test_of_two_at_the_same_moment_one_wins(self, any_house: House) -> None:
        house = any_house
        added = waiting(house, project_key="demo")
        made = links(house.installation)
        token = path_of(house, added.connection).rpartition("/")[2]
        first, second = made.open(token), made.open(token)
        made.finish(first, project_key="demo", base_url=house.sandbox.url, credential="api-first")
        with pytest.raises(Exception, match="used already"):
            made.finish(second, project_key="demo", base_url=house.sandbox.url, credential="api-second")
        assert stored_key(house, added.connection) == "api-first"

    def test_it_expires_and_takes_the_key_it_held_with_it(self, any_house: House) -> None:
        house = any_house
        added = waiting(house)
        path = path_of(house, added.connection, expires=3600, at=time.time() - 3700)
        page = house.visitor().get(path)
        assert (page.status, "has expired" in page.text) == (410, True)
        made = links(house.installation, time.time() - 3650)
        opened = made.open(path.rpartition("/")[2])
        made.hold(opened, base_url=house.sandbox.url, credential="api-forgotten")
        path_of(house, waiting(house, "another").connection)
        with house.installation.database.read() as tx:
            held = setup_links.get(tx, opened.link_id)
        assert held is not None
        assert held.credential is None

    def test_a_newer_one_takes_its_place(self, house: House) -> None:
        connection = waiting(house).connection
        older, newer = path_of(house, connection), path_of(house, connection)
        assert house.visitor().get(older).status == 404
        assert house.visitor().get(newer).status == 200

    def test_it_ends_with_the_connection(self, house: House) -> None:
        connection = waiting(house).connection
        path = path_of(house, connection)
        house.installation.connections.remove(connection)
        assert house.visitor().get(path).status == 404

    @pytest.mark.parametrize("token", ["x", "InNldF8x.RjUw.abc", "%00", "a" * 3000, "..%2f", "é"])
    def test_a_forged_one_leads_nowhere(self, house: House, token: str) -> None:
        page = house.visitor().get(f"/setup/{token}")
        assert page.status == 404
        assert "does not work" in page.text or page.headers["Content-Type"] == "application/problem+json"

    def test_whoever_has_it_may_not_try_keys_without_end(self, house: House) -> None:
        path, visitor = path_of(house, waiting(house, project_key="demo").connection), house.visitor()
        statuses = [enter(visitor, path, "sdk-guess").status for _ in range(MOST_TRIES)]
        assert set(statuses) == {422}
        page = enter(visitor, path, "api-demo")
        assert page.status == 429
        assert int(page.headers["Retry-After"]) > 0

    def test_an_active_connection_keeps_its_project_and_gets_another_key(self, house: House) -> None:
        added = house.add("Active")
        page = enter(house.visitor(), path_of(house, added.connection), "api-demo")
        assert "Connected" in page.text
        assert house.connection(added.connection.id).project_key == "demo"

    def test_the_end_of_the_key_is_noted_where_it_is_tried_last(self, house: House) -> None:
        added, end = house.add("Ends"), 4_000_000_000.0
        house.sandbox.end_keys(api_demo=end)
        try:
            assert "Connected" in enter(house.visitor(), path_of(house, added.connection), "api-demo").text
        finally:
            house.sandbox.end_keys()
        assert house.connection(added.connection.id).key_expires_at == end

    def test_a_form_of_another_site_changes_nothing(self, house: House) -> None:
        added = waiting(house, project_key="demo")
        path, visitor = path_of(house, added.connection), house.visitor()
        form = visitor.get(path).form("/key")
        good = {**form.values, "api_key": "api-demo"}
        assert visitor.post(form.action, {"api_key": "api-demo"}).status == 403
        assert visitor.post(form.action, good | {"form_token": "0" * 64}).status == 403
        assert visitor.post(form.action, good, **{"Sec-Fetch-Site": "cross-site"}).status == 403
        assert house.visitor().post(form.action, good).status == 403, "the token is bound to the visitor"
        assert house.connection(added.connection.id).state_code == WAITING
        assert visitor.post(form.action, good).status == 200


def test_the_page_may_load_nothing_and_be_framed_by_nobody(house: House) -> None:
    headers = house.visitor().get(path_of(house, waiting(house).connection)).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"


def test_launchdarkly_out_of_reach_is_said_and_the_link_stays_good(house: House) -> None:
    requests.put(
        f"{house.sandbox.url}/sandbox/faults", json=[{"kind": "error-503", "probability": 1}], timeout=60
    ).raise_for_status()
    path, visitor = path_of(house, waiting(house, project_key="demo").connection), house.visitor()
    try:
        page = enter(visitor, path, "api-demo")
    finally:
        requests.put(f"{house.sandbox.url}/sandbox/faults", json=[], timeout=60).raise_for_status()
    assert page.status == 422
    assert "HTTP 503" in page.text
    assert "Connected" in enter(visitor, path, "api-demo").text
