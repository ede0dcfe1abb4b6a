"""What strangers write into the console's pages, and what they send to its actions, does nothing."""

from __future__ import annotations

import json
import logging
import re

import pytest

from connector.web.pages import MAX_FORM
from connector.web.pages.wording import foreign
from tests.integration.console.conftest import ADMIN_TOKEN, House
from tests.integration.console.test_signing_in import pages_of
from tests.integration.console.visitor import Page, Visitor

HOSTILE = {
    "script": "<script>alert(1)</script>",
    "attribute": '" onmouseover="alert(1)" x="',
    "entity": "&lt;img src=x onerror=alert(1)&gt;",
    "template": "{{ 7 * 7 }}{% print(1) %}",
    "direction": "abc\u202egnp.exe\u2066\u200f",
    "emoji": "👩‍👩‍👧‍👦 🏴‍☠️ ✨",
    "persian": "\u062e\u0627\u0646\u0647\u200c\u0647\u0627",
    "long": "x" * 10_000,
    "wide": "﷽" * 2000,
    "combining": "Z" + "\u0334\u0321\u0353" * 300,
    "lines": "a\u2028b\u2029c\u0085d",
    "quote": "';--",
}


@pytest.fixture
def operator(signed_in: Visitor) -> Visitor:
    return signed_in


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_name_is_shown_as_text_and_no_more(house: House, operator: Visitor, kind: str) -> None:
    text = HOSTILE[kind]
    name = re.sub(r"[\x00-\x1f\x7f-\x9f]", "", text)[:200]
    added = house.add(f"{kind} {name}")
    data = {"id": f"evt-{kind}", "key": f"hostile_{kind}", "name": text, "description": text, "tags": [text[:100]]}
    body_answer = house.send(added, data)
    delivery = body_answer["delivery"]
    paths = (
        "/console/",
        "/console/connections",
        f"/console/connections/{added.connection.id}",
        f"/console/deliveries?connection={added.connection.id}",
        f"/console/deliveries/{delivery}",
        f"/console/connections/{added.connection.id}/sync",
        "/console/rules",
    )
    for path in paths:
        page = operator.get(path)
        assert page.status == 200, path
        unspoilt(page)


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_search_or_form_comes_back_as_text(house: House, operator: Visitor, kind: str) -> None:
    text = HOSTILE[kind][:500]
    page = operator.get("/console/deliveries")
    unspoilt(operator.submit(page.form("/deliveries"), q=text, event_type=text, since=text, connection=text))
    unspoilt(operator.submit(operator.get("/console/connections/new").form("/new"), name=text, base_url=text))
    rules = operator.get("/console/rules").form("/rules")
    unspoilt(operator.submit(rules, event_type=json.dumps({"key": text}), rules=text))
    unspoilt(house.visitor().get("/console/sign-in?next=" + text.replace("&", "%26").replace("#", "")))


def unspoilt(page: Page) -> None:
    """Only what the templates wrote is markup, and nothing turns the direction of what follows."""
    scripts = [attrs for tag, attrs in page.tags if tag == "script"]
    assert [attrs.get("src") for attrs in scripts] == ["/static/pages.js"]
    for tag, attrs in page.tags:
        assert tag not in {"img", "iframe", "object", "embed", "style"}
        assert not any(name.startswith("on") or name == "style" for name in attrs), (tag, attrs)
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200e\u200f]", page.text)
    assert "49" not in re.findall(r"\b49\b", page.title)


def test_foreign_text_is_bounded_isolated_and_nothing_in_it_is_hidden() -> None:
    assert foreign("a\u202eb") == "<bdi>a[U+202E]b</bdi>"
    assert foreign("<b>") == "<bdi>&lt;b&gt;</bdi>"
    assert foreign("x" * 500, 10) == "<bdi>xxxxxxxxxx… (500 characters)</bdi>"
    assert foreign("👩‍👧") == "<bdi>👩‍👧</bdi>"
    assert foreign(None) == "<bdi></bdi>"


def test_every_action_wants_the_form_that_was_shown(house: House, operator: Visitor) -> None:
    added = house.add("Forged")
    paths = [path for method, path in pages_of(house.app) if method == "POST"]
    assert len(paths) > 10
    good = operator.get("/console/").form("/sign-out").values["form_token"]
    for path in paths:
        here = path.replace("/x", f"/{added.connection.id}", 1)
        for values, headers in (
            ({}, {}),
            ({"form_token": "0" * 64}, {}),
            ({"form_token": good}, {"Sec-Fetch-Site": "cross-site"}),
            ({"form_token": good}, {"Sec-Fetch-Site": "same-site"}),
        ):
            page = operator.post(here, values, **headers)
            assert page.status == 403, here
            assert "nothing was done" in page.text
    stranger = house.visitor("192.0.2.9")
    stranger.sign_in(ADMIN_TOKEN)
    assert stranger.post(f"/console/connections/{added.connection.id}/pause", {"form_token": good}).status == 403
    assert house.connection(added.connection.id).state == "active"


def test_a_form_without_end_is_cut_off(operator: Visitor) -> None:
    form = operator.get("/console/rules").form("/rules")
    assert operator.submit(form, event_type="x" * (MAX_FORM + 1)).status == 413


def test_every_page_has_the_headers_of_one(house: House, operator: Visitor) -> None:
    for method, path in pages_of(house.app):
        if method == "GET":
            headers = operator.get(path).headers
            policy = headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy, path
            assert "unsafe" not in policy
            assert headers["Cache-Control"] == "no-store"
            assert headers["X-Content-Type-Options"] == "nosniff"


def test_secrets_are_on_no_page_and_in_no_log(
    house: House, operator: Visitor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "whsec_Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5LTEyMzQ="
    added = house.add("Canary", credential="api-canary-0123456789", secret=secret)
    house.send(added, {"id": "evt_canary", "key": "canary_event", "name": "Canary"})
    operator.submit(operator.get(f"/console/connections/{added.connection.id}").form("/test-webhook"), data="{}")
    for method, path in pages_of(house.app):
        if method == "GET":
            page = operator.get(path.replace("/x", f"/{added.connection.id}", 1))
            for canary in ("api-canary-0123456789", secret, ADMIN_TOKEN):
                assert canary not in page.html, path
    assert "api-canary-0123456789" not in caplog.text
    assert secret not in caplog.text
    assert ADMIN_TOKEN not in caplog.text
