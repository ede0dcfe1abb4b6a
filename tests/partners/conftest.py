"""One sandbox and one stand-in of list APIs on loopback sockets, and one wired app, for all contract tests.

Each test has LaunchDarkly empty.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

from connector import logs
from connector.app import create_app
from connector.sandbox import create_sandbox
from connector.settings import Settings
from connector.store.database import Database

from . import command as commands
from . import stand_in as stand_ins
from .command import Command
from .contract import MAPPINGS
from .stand_in import StandIn
from .wired import House


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - the name that it has
        """A line per call would bury what a failed test says."""


@pytest.fixture(scope="session")
def running_house(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[House]:
    sandbox = create_sandbox()
    server = make_server("127.0.0.1", 0, sandbox, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    path = tmp_path_factory.mktemp("house") / "connector.db"
    shutil.copyfile(sqlite_template, path)
    settings = Settings(
        cache_seconds=0,
        database_url=f"sqlite:///{path}",
        mappings=MAPPINGS,
        respond_within=30.0,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logs, "set_up", lambda *_, **__: None)  # the log is pytest's
        app = create_app(settings)
    try:
        yield House(app, sandbox.extensions["sandbox"], f"http://127.0.0.1:{server.server_port}")
    finally:
        app.extensions["connector"].close()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def house(running_house: House) -> House:
    running_house.sandbox.reset()
    return running_house


@pytest.fixture(scope="session")
def sources_database(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Database]:
    """One database for all refreshes that fail: each has a connection of its own in it, and must change nothing."""
    path = tmp_path_factory.mktemp("sources") / "connector.db"
    shutil.copyfile(sqlite_template, path)
    database = Database(f"sqlite:///{path}")
    yield database
    database.close()


@pytest.fixture(scope="session")
def stand_in() -> Iterator[StandIn]:
    with stand_ins.running() as running:
        yield running


@pytest.fixture
def command(sqlite_url: str, capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    with commands.installed(sqlite_url, capsys) as command:
        yield command
