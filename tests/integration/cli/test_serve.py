"""`connector serve`: what is wrong is said in a sentence, then gunicorn runs, in this process where it can."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connector.store import connections
from connector.store.database import Database
from tests.integration.web.conftest import free_port, running

Run = Callable[..., Any]


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The arguments with which gunicorn ran in this process."""
    ran: list[list[str]] = []
    monkeypatch.setattr("gunicorn.app.wsgiapp.run", lambda prog: ran.append([prog, *sys.argv[1:]]))
    monkeypatch.setattr("gc.freeze", lambda: None)
    return ran


@pytest.fixture
def became(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that took the place of this process."""
    became: list[list[str]] = []

    def become(_path: str, arguments: list[str]) -> None:
        became.append(arguments)
        raise SystemExit(0)

    monkeypatch.setattr("os.execv", become)
    return became


def test_the_installation_is_opened_first_and_gunicorn_runs_in_the_same_process(
    connector: Run, ran: list[list[str]], became: list[list[str]], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONNECTOR_WEBHOOK_SECRET", "whsec_Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5")
    monkeypatch.setenv("LAUNCHDARKLY_API_KEY", "api-demo")
    monkeypatch.setenv("LAUNCHDARKLY_PROJECT_KEY", "demo")

    assert connector("serve", "--bind", "127.0.0.1:0").exit_code == 0
    settings = ["--config", "python:connector.web.gunicorn_settings"]
    assert ran == [["gunicorn", *settings, "--bind", "127.0.0.1:0", "connector.app:create_app()"]]
    assert became == []
    with database.read() as tx:
        assert connections.get(tx, "default") is not None
    assert gc.isenabled()


def test_what_is_wrong_is_said_before_gunicorn_runs(
    connector: Run, ran: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONNECTOR_WEBHOOK_SECRET", "whsec_Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5")
    monkeypatch.setenv("LAUNCHDARKLY_API_KEY", "sdk-canary")
    monkeypatch.setenv("LAUNCHDARKLY_PROJECT_KEY", "demo")

    refused = connector("serve")
    assert (refused.exit_code, ran) == (2, [])
    assert "This is an SDK key" in refused.err
    assert gc.isenabled()


def test_a_configuration_of_ones_own_finds_a_fresh_interpreter(
    connector: Run, ran: list[list[str]], became: list[list[str]], tmp_path: Path
) -> None:
    (tmp_path / "own.py").write_text("")
    assert connector("serve", "--config", str(tmp_path / "own.py")).exit_code == 0
    command = [sys.executable, "-m", "gunicorn", "--config", str(tmp_path / "own.py")]
    assert (became, ran) == ([[*command, "--bind", "127.0.0.1:8000", "connector.app:create_app()"]], [])


def test_so_do_several_processes_that_count_together(
    connector: Run, ran: list[list[str]], became: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONNECTOR_WORKERS", "2")
    assert connector("serve").exit_code == 0
    assert (len(became), ran) == (1, [])


def test_it_serves_until_sigterm_and_leaves_nothing_open_across_the_fork(sqlite_url: str) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with running(
        {"CONNECTOR_DATABASE_URL": sqlite_url}, url + "/readyz", "serve", "--bind", url.removeprefix("http://")
    ) as master:
        opened = {path.readlink().name for path in Path(f"/proc/{master.pid}/fd").iterdir()}
        assert len(list(Path(f"/proc/{master.pid}/task").iterdir())) == 1
        assert not [name for name in opened if name.startswith(Path(sqlite_url).name)]
    assert master.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (("-m", "connector", "serve"), "connector serve"),
        (("-m", "gunicorn", "--config", "config/gunicorn.conf.py"), "gunicorn with the connector's file"),
    ],
)
def test_an_address_in_use_ends_it(arguments: tuple[str, ...], command: str, sqlite_url: str) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    bind = ("--bind", url.removeprefix("http://"))
    with running({"CONNECTOR_DATABASE_URL": sqlite_url}, url + "/readyz", "serve", *bind):
        ended = subprocess.run(
            [sys.executable, *arguments, *bind],
            env={"CONNECTOR_DATABASE_URL": sqlite_url, "GUNICORN_CMD_ARGS": "--timeout 5"},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert ended.returncode == 1, command
    assert "Connection in use" in ended.stderr
