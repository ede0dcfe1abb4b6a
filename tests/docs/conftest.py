"""One stand-in for LaunchDarkly and one warm process for all pages; each page has a directory and a shell."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from tests.deploy.places import own_database, own_queue
from tests.docs.blocks import ROOT
from tests.docs.shell import DEADLINE, Shell, shim
from tests.integration.web.conftest import free_port, running
from tests.needs import lacking

REDIS = "CONNECTOR_TEST_REDIS_URL"


@pytest.fixture(scope="session")
def sandbox_port() -> Iterator[int]:
    port = free_port()
    with running({}, f"http://127.0.0.1:{port}/sandbox/", "sandbox", "--port", str(port)):
        yield port


@pytest.fixture(scope="session")
def commands_directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the pages' shells find `connector`."""
    directory = tmp_path_factory.mktemp("bin")
    socket = directory / "warm"
    command = [sys.executable, str(Path(__file__).with_name("warm.py")), str(socket)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE) as warm:
        try:
            until = time.monotonic() + DEADLINE
            while not socket.exists():
                assert warm.poll() is None
                assert time.monotonic() < until
                time.sleep(0.02)
            shim(directory, socket)
            yield directory
        finally:
            warm.terminate()


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def other_port() -> int:
    return free_port()


@pytest.fixture
def environment(commands_directory: Path, tmp_path: Path, port: int) -> dict[str, str]:
    path = f"{commands_directory}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    # The page's own address has another port here; where a page sets the variable, its word counts.
    base = f"http://127.0.0.1:{port}"
    return {
        "PATH": path,
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "CONNECTOR_BASE_URL": base,
        "CONNECTOR_RESPOND_WITHIN": "20",  # a busy machine may need longer than the default
    }


@pytest.fixture
def open_shell(
    environment: dict[str, str], sandbox_port: int, port: int, other_port: int, tmp_path: Path
) -> Iterator[Callable[..., Shell]]:
    requests.post(f"http://127.0.0.1:{sandbox_port}/sandbox/reset", timeout=DEADLINE).raise_for_status()
    (tmp_path / "config").symlink_to(ROOT / "config")
    shells: list[Shell] = []

    def open_one(**standing: str) -> Shell:
        always = {
            "127.0.0.1:8000": f"127.0.0.1:{port}",
            "/etc/metric-connector": str(tmp_path / "etc"),
            "127.0.0.1:8080": f"127.0.0.1:{other_port}",
            "--port 8080": f"--host 127.0.0.1 --port {other_port}",
            "127.0.0.1:9100": f"127.0.0.1:{sandbox_port}",
            "connector serve &": f"connector serve --bind 127.0.0.1:{port} &",
            "connector sandbox &": "true",
        }
        shells.append(Shell(tmp_path, environment, always | standing))
        return shells[-1]

    yield open_one
    for shell in shells:
        shell.close()


@pytest.fixture
def services(postgres_server: str) -> Iterator[dict[str, str]]:
    """What stands in the pages for PostgreSQL and Redis: a database and a queue that are this test's own."""
    if REDIS not in os.environ:
        lacking(f"Set {REDIS} (redis://…) to run the pages that need a broker.")
    broker = os.environ[REDIS]
    with own_database(postgres_server) as url, own_queue(broker) as queue:
        yield {
            "connector:a-password@127.0.0.1:5432/connector": url.partition("://")[2],
            "redis://127.0.0.1:6379/0": f"{broker}\nCONNECTOR_BROKER_QUEUE={queue}",
        }
