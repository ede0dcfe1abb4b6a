"""What people use is there with its first request, and what machines call does not wait for it."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flask import Flask

from connector.web.late import Late


@pytest.fixture
def made() -> list[Flask]:
    return []


@pytest.fixture
def app(made: list[Flask]) -> Flask:
    def make() -> Flask:
        late = Flask("late")
        late.add_url_rule("/console", view_func=lambda: "late")
        made.append(late)
        return late

    app = Flask("first")
    app.add_url_rule("/webhooks/<name>", view_func=lambda name: name)
    app.wsgi_app = Late(app.wsgi_app, {"webhooks"}, make)  # type: ignore[method-assign]
    return app


@pytest.mark.parametrize(("path", "status"), [("/webhooks/one", 200), ("/webhooks", 404)])
def test_a_path_of_the_first_app_makes_nothing(app: Flask, made: list[Flask], path: str, status: int) -> None:
    assert app.test_client().get(path).status_code == status
    assert made == []


@pytest.mark.parametrize(("path", "status"), [("/console", 200), ("/", 404), ("/webhooksy", 404)])
def test_any_other_path_makes_the_second(app: Flask, made: list[Flask], path: str, status: int) -> None:
    assert app.test_client().get(path).status_code == status
    assert len(made) == 1


def test_it_is_made_once_for_all_who_ask_at_once(app: Flask, made: list[Flask]) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: app.test_client().get("/console").text, range(8)))
    assert (answers, len(made)) == (["late"] * 8, 1)


def test_a_start_imports_neither_the_api_nor_the_pages(tmp_path: Path) -> None:
    program = (
        "import sys; from connector.app import create_app; app = create_app(); "
        "assert app.test_client().get('/readyz').status_code == 200; loaded = set(sys.modules); "
        "assert app.test_client().get('/openapi.json').status_code == 200; "
        "app.extensions['connector'].close(); print(*loaded)"
    )
    environment = {"CONNECTOR_DATABASE_URL": f"sqlite:///{tmp_path}/connector.db"}
    started = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=30, check=True
    )
    only_later = {"flask_smorest", "connector.web.api", "connector.web.console", "connector.web.setup", "rich", "yaml"}
    assert not only_later & set(started.stdout.split())
