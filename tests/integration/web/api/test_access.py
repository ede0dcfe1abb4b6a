"""Who gets in: the operator, and nobody else, through any route of the whole app."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from connector.web.api.access import Access
from connector.web.problems import Problem
from tests.integration.web.routes import all_rules

TOKEN = "an-operators-token-of-good-length"

# What everybody may read, because it says nothing of an installation or its customers.
PUBLIC = {"/healthz", "/readyz", "/metrics", "/errors", "/openapi.json", "/docs", "/docs/static/<path:filename>"}
PUBLIC_PAGES = ("/static/", "/errors/", "/console/sign-in", "/setup/")


@pytest.mark.parametrize("token", [None, "", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "ä"], ids=repr)
def test_only_the_operators_token_opens_the_api(on_sqlite: Any, token: str | None) -> None:
    answer = on_sqlite.call("GET", "/api/v1/connections", token=token)
    assert (answer.status_code, answer.json["code"]) == (401, "admin_token_refused")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="connector"'
    assert answer.content_type == "application/problem+json"
    assert "CONNECTOR_ADMIN_TOKEN" in answer.json["detail"]


@pytest.mark.parametrize("header", [f"bearer {TOKEN}", f"BEARER  {TOKEN}"])
def test_the_schemes_name_is_written_as_one_likes(on_sqlite: Any, header: str) -> None:
    answer = on_sqlite.call("GET", "/api/v1/connections", token=None, headers={"Authorization": header})
    assert answer.status_code == 200


@pytest.mark.parametrize("header", [TOKEN, f"Basic {TOKEN}", f"Bearer{TOKEN}"])
def test_another_scheme_is_none(on_sqlite: Any, header: str) -> None:
    answer = on_sqlite.call("GET", "/api/v1/connections", token=None, headers={"Authorization": header})
    assert answer.status_code == 401


def test_without_a_token_set_the_api_says_which_variable_to_set(serve: Callable[..., Any], sqlite_url: str) -> None:
    served = serve(sqlite_url, CONNECTOR_ADMIN_TOKEN="")
    answer = served.call("GET", "/api/v1/connections")
    assert (answer.status_code, answer.json["code"]) == (503, "admin_token_missing")
    assert "CONNECTOR_ADMIN_TOKEN" in answer.json["detail"]


def test_a_guesser_has_to_wait_and_the_operator_never(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    access = Access(TOKEN, clock=lambda: now)
    app = Flask(__name__)

    def refused(token: str) -> Problem | None:
        with app.test_request_context(headers={"Authorization": f"Bearer {token}"}) as context:
            try:
                access.check(context.request)
            except Problem as problem:
                return problem
        return None

    with caplog.at_level(logging.WARNING):
        problems = [refused(f"guess-{number}") for number in range(30)]
    statuses = [problem.status for problem in problems if problem is not None]
    assert statuses == [401] * 10 + [429] * 20
    assert len(caplog.records) == 10
    assert "guess" not in caplog.text
    assert problems[-1] is not None
    assert problems[-1].headers == {"Retry-After": "1"}
    assert refused(TOKEN) is None
    now = 1.0
    assert refused("guess") is not None
    assert refused("guess").status == 401  # type: ignore[union-attr]


@pytest.mark.parametrize("token", [None, "not-the-operators-token-at-all"])
def test_a_stranger_gets_nothing_through_any_route(on_sqlite: Any, token: str | None) -> None:
    acme = on_sqlite.connect("the-name-of-a-customer")
    delivery = on_sqlite.deliver(acme, "a-customers-event")
    ids = {"connection_id": acme["id"], "delivery_id": delivery, "event_type_id": 1}
    canaries = [acme["name"], acme["id"], acme["endpoint"], delivery, "a-customers-event", acme["secret"]]
    tried = 0
    for rule in all_rules(on_sqlite.app):
        if rule.rule in PUBLIC or rule.rule.startswith("/webhooks/"):
            continue
        values = {name: ids.get(name, "x") for name in rule.arguments}
        built = rule.build(values) or rule.build(dict.fromkeys(values, 1))
        assert built is not None
        for method in sorted(rule.methods - {"OPTIONS", "HEAD"}):
            answer = on_sqlite.call(method, built[1], {} if method in {"POST", "PUT", "PATCH"} else None, token=token)
            tried += 1
            away = answer.status_code in {302, 303} and "/console/sign-in" in answer.headers["Location"]
            public = rule.rule.startswith(PUBLIC_PAGES) and answer.status_code in {200, 400, 403, 404, 410, 422}
            assert answer.status_code in {401, 403, 404, 429} or away or public, (method, rule.rule, answer.status_code)
            if rule.rule.startswith("/api/"):
                assert answer.status_code in {401, 429}
            assert not [each for each in canaries if each in answer.text and each not in built[1]], (method, rule.rule)
    assert tried > 30


@pytest.mark.parametrize("path", sorted(rule for rule in PUBLIC if "<" not in rule))
def test_what_is_public_names_no_customer(on_sqlite: Any, path: str) -> None:
    acme = on_sqlite.connect("the-name-of-a-customer")
    on_sqlite.deliver(acme, "a-customers-event")
    text = on_sqlite.call("GET", path, token=None).text
    assert not [each for each in (acme["name"], acme["id"], acme["endpoint"], "a-customers-event") if each in text]


def test_problems_of_the_router_are_problems_too(on_sqlite: Any) -> None:
    unknown = on_sqlite.call("GET", "/api/v1/nothing")
    assert (unknown.status_code, unknown.json["code"]) == (404, "not_found")
    wrong = on_sqlite.call("PUT", "/api/v1/connections", {})
    assert (wrong.status_code, wrong.json["code"]) == (405, "method_not_allowed")
    assert "POST" in wrong.headers["Allow"]
    assert {unknown.content_type, wrong.content_type} == {"application/problem+json"}


def test_no_answer_is_kept_by_a_cache(on_sqlite: Any) -> None:
    for token in (TOKEN, None):
        answer = on_sqlite.call("GET", "/api/v1/connections", token=token)
        assert answer.headers["Cache-Control"] == "no-store"
