"""The command line as a script calls it: arguments, environment and a pipe in; exit code and two streams out."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

from connector.cli import main
from connector.connections import Connections, NewConnection
from connector.partners import Partners
from connector.sandbox import SandboxConfig, create_sandbox
from connector.store.connections import Connection
from connector.store.database import Database
from connector.store.vault import Vault, generate_key


@dataclass(frozen=True)
class Said:
    """How a command ended and what it said."""

    exit_code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, sqlite_url: str) -> Iterator[str]:
    """An installation on SQLite with a key of its own, which it yields, whatever this machine's environment says."""
    for name in list(os.environ):
        if name.startswith(("CONNECTOR_", "LAUNCHDARKLY_")) and not name.startswith("CONNECTOR_TEST_"):
            monkeypatch.delenv(name)
    key = generate_key()
    monkeypatch.setenv("CONNECTOR_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("CONNECTOR_ENCRYPTION_KEYS", key)
    root, own = logging.getLogger(), logging.getLogger("connector")
    before = root.handlers[:], root.level, own.level
    yield key
    root.handlers[:], root.level, own.level = before


@pytest.fixture
def connector(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Runs `connector` with standard input as a pipe."""

    def run(*arguments: str, stdin: str = "") -> Said:
        monkeypatch.setattr(sys, "argv", ["connector", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return Said(int(ended.value.code or 0), out, err)

    return run


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    return sqlite_database


@pytest.fixture
def connect(database: Database, environment: str) -> Callable[..., Connection]:
    """Stores a connection as `connections add` does."""
    rooms = Connections(database, Vault([environment]), Partners())

    def add(name: str = "Acme", **fields: Any) -> Connection:
        new = NewConnection(name, **{"partner": "standard", "project_key": "demo", "credential": "api-demo", **fields})
        return rooms.add(new).connection

    return add


class _Silent(WSGIRequestHandler):
    def log_request(self, *_: object) -> None:
        """The streams are the command's."""


@pytest.fixture
def launchdarkly() -> Iterator[str]:
    """The address of a stand-in with the project `demo` and the key `api-demo`."""
    server = make_server("127.0.0.1", 0, create_sandbox(SandboxConfig()), request_handler=_Silent)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()
