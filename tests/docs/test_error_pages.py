"""Each code that is declared has its page, and each page its code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from connector.app import create_app
from connector.connections import WAITING
from connector.launchdarkly import credentials
from connector.settings import Settings
from connector.web import errors
from tests.docs.declared_codes import declared

PAGE = Path(__file__).parents[2] / "docs/reference/errors.md"

ELSEWHERE = {
    "http_error",  # the family of http_400 …
    WAITING,
    *(code for code, _ in credentials._OTHER_KEYS.values()),  # each beside its sentence
}
"""Codes that no class or call spells out."""


@pytest.fixture(scope="module")
def codes() -> dict[str, set[str]]:
    return declared() | {code: {"elsewhere"} for code in ELSEWHERE}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    app = create_app(Settings(database_url=f"sqlite:///{tmp_path_factory.mktemp('errors')}/connector.db"))
    yield app
    app.extensions["connector"].close()


def test_the_codes_are_really_found(codes: dict[str, set[str]]) -> None:
    assert len(codes) > 100
    assert {"launchdarkly_forbidden", "body_too_large", "timestamp_too_old", "encryption_key_wrong"} <= codes.keys()
    assert "code" not in codes


def test_each_code_has_its_page(codes: dict[str, set[str]]) -> None:
    missing = {code: sorted(where) for code, where in codes.items() if errors.find(code) is None}
    assert missing == {}, "describe them in connector/web/errors.toml, then: make docs"


def test_each_page_has_its_code(codes: dict[str, set[str]]) -> None:
    pages = {code for area in errors.meanings().values() for code in area}
    assert pages - codes.keys() == set(), "no source gives these codes any more"


def test_a_code_is_described_once() -> None:
    pages = [code for area in errors.meanings().values() for code in area]
    assert len(pages) == len(set(pages))


def test_every_text_is_a_sentence() -> None:
    for area in errors.meanings().values():
        for code, meaning in area.items():
            for text in (meaning.what, meaning.why, meaning.do):
                assert text.strip() == text, code
                assert text.endswith("."), code


def test_the_docs_say_the_same() -> None:
    assert PAGE.read_text() == errors.markdown(), "run: make docs"


def test_a_problem_leads_to_its_page(app: Flask) -> None:
    client = app.test_client()
    problem = client.post("/webhooks/nobody", data=b"{}", content_type="application/json").get_json()
    page = client.get(problem["type"])
    assert (page.status_code, page.mimetype) == (200, "text/html")
    assert "There is no endpoint at this webhook URL." in page.text
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")


@pytest.mark.parametrize("path", ["/errors", "/errors/http_400", "/errors/launchdarkly_forbidden"])
def test_pages_are_served(app: Flask, path: str) -> None:
    assert app.test_client().get(path).status_code == 200


def test_a_code_that_there_is_not_is_a_problem_and_not_repeated(app: Flask) -> None:
    answer = app.test_client().get("/errors/<script>alert(1)</script>")
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
    assert "script" not in answer.text
