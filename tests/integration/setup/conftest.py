"""The customers' page works in the same house as the operator's."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.app import create_app
from tests.browser.processes import free_ports, process
from tests.integration.console.conftest import House, any_house, house, settings_of, stand_in
from tests.integration.setup.consenting import OAUTH
from tests.integration.web.conftest import Sandbox

__all__ = ["any_house", "house", "stand_in"]


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
    app.extensions["connector"].duties.stop()  # what is renewed, a test has renewed
    try:
        yield House(app, consenting)
    finally:
        app.extensions["connector"].close()


@pytest.fixture
def any_home(database_url: str, consenting: Sandbox) -> Iterator[House]:
    """On SQLite and on PostgreSQL."""
    app = create_app(settings_of(database_url, **OAUTH))
    app.extensions["connector"].duties.stop()  # what is renewed, a test has renewed
    try:
        yield House(app, consenting)
    finally:
        app.extensions["connector"].close()
