"""The OpenAPI document is valid, whole and honest, and its page shows all of it without a script."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema_rs
import pytest
import schemathesis

from connector.partners import standard
from tests.integration.web.routes import all_rules


@pytest.fixture
def document(on_sqlite: Any) -> dict[str, Any]:
    answer = on_sqlite.call("GET", "/openapi.json", token=None)
    assert answer.content_type == "application/json"
    found: dict[str, Any] = answer.json
    return found


def test_it_is_a_valid_document(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    assert document["servers"] == [{"url": "https://connector.example.com"}]
    schemathesis.openapi.from_dict(document).validate()
    for schema in document["components"]["schemas"].values():
        jsonschema_rs.Draft202012Validator({**schema, "components": document["components"]})


def test_every_route_of_the_api_is_in_it_and_nothing_else(on_sqlite: Any, document: dict[str, Any]) -> None:
    routes = {
        (re.sub(r"<(?:int:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in all_rules(on_sqlite.app)
        if rule.rule.startswith("/api/")
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    described = {
        (path, method) for path, said in document["paths"].items() for method in said if method != "parameters"
    }
    assert described == routes


def test_every_operation_says_what_it_does_who_may_and_how_it_fails(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method == "parameters":
                continue
            assert operation["summary"], (method, path)
            assert operation["security"] == [{"token": []}]
            assert operation["responses"]["default"] == {"$ref": "#/components/responses/Problem"}
    problem = document["components"]["responses"]["Problem"]["content"]
    assert list(problem) == ["application/problem+json"]
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


def test_the_native_protocol_is_its_webhooks_section(document: dict[str, Any]) -> None:
    hooks = document["webhooks"]
    types = {name for hook in hooks.values() for name in body_of(hook)["schema"]["properties"]["type"]["enum"]}
    assert types == {*standard.KINDS, standard.CATALOGUE}
    example = body_of(hooks["event_type.defined"])["example"]
    assert standard.read(example, {}).changes[0].event_type.id == "evt_8f2"
    for name, hook in hooks.items():
        schema = {**body_of(hook)["schema"], "components": document["components"]}
        validator = jsonschema_rs.Draft202012Validator(schema)
        assert validator.is_valid(example) == (name == "event_type.defined")
        assert not validator.is_valid({"type": name, "data": {"description": "neither id nor key"}})


def body_of(hook: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = hook["post"]["requestBody"]["content"]["application/json"]
    return found


def test_its_page_shows_every_operation_and_needs_no_script(on_sqlite: Any, document: dict[str, Any]) -> None:
    answer = on_sqlite.call("GET", "/docs", token=None)
    assert (answer.status_code, answer.content_type) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "<script" not in answer.text
    assert "style=" not in answer.text
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', answer.text)
    for path in (*document["paths"], *document["webhooks"]):
        assert path in answer.text
    anchors = re.findall(r'href="#([^"]+)"', answer.text)
    assert set(anchors) <= set(re.findall(r' id="([^"]+)"', answer.text))
    assert json.dumps("evt_8f2").replace('"', "&#34;") in answer.text
    style = re.search(r'href="(/docs/static/[^"]+)"', answer.text)
    assert style is not None
    with on_sqlite.call("GET", style[1], token=None) as css:
        assert (css.status_code, css.mimetype) == (200, "text/css")
