"""What compose and systemd start really starts, and does the main job: a signed webhook makes a metric."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import requests

from connector.settings import Settings
from connector.store.vault import generate_key
from tests.deploy import processes
from tests.deploy.places import own_database, own_queue
from tests.deploy.processes import Process
from tests.integration.web.conftest import Connector, Sandbox, free_port, over_http, running_sandbox  # noqa: F401
from tests.needs import lacking

REDIS = "CONNECTOR_TEST_REDIS_URL"
DEADLINE = 60.0


@pytest.fixture
def environment(postgres_server: str) -> Iterator[dict[str, str]]:
    """What the operator sets, on the machine's own servers."""
    if REDIS not in os.environ:
        lacking(f"Set {REDIS} (redis://…) to start what the deployment files start.")
    with own_database(postgres_server) as url, own_queue(os.environ[REDIS]) as queue:
        yield {
            "CONNECTOR_DATABASE_URL": url,
            "CONNECTOR_BROKER_URL": os.environ[REDIS],
            "CONNECTOR_BROKER_QUEUE": queue,
            "CONNECTOR_ENCRYPTION_KEYS": generate_key(),
            "CONNECTOR_ADMIN_TOKEN": "a-token-of-at-least-24-characters",
            "CONNECTOR_BASE_URL": "https://connector.example.com",
            "CONNECTOR_RESPOND_WITHIN": "25",  # whoever sends gives up after 30
        }


def test_what_compose_starts(environment: dict[str, str], running_sandbox: Sandbox, tmp_path: Path) -> None:  # noqa: F811
    services = processes.of_compose()
    for service in services.values():
        stated = {name: _interpolated(value, environment) for name, value in service.environment.items()}
        # The servers have other addresses here; each name must stand in the file all the same.
        assert stated.keys() <= environment.keys()
        assert Settings.from_environment(stated).broker_url == "redis://redis:6379/0"
    _run(services["upgrade"], environment, tmp_path)
    _does_the_main_job(services, environment, running_sandbox, tmp_path)


def test_what_systemd_starts(environment: dict[str, str], running_sandbox: Sandbox, tmp_path: Path) -> None:  # noqa: F811
    _run(processes.of_compose()["upgrade"], environment, tmp_path)
    _does_the_main_job(processes.of_systemd(), environment, running_sandbox, tmp_path)


@pytest.mark.parametrize("others", [processes.of_procfile, processes.of_kubernetes, processes.of_systemd])
def test_the_other_files_start_the_same(others: Callable[[], dict[str, Process]]) -> None:
    for role, process in others().items():
        assert _plain(process) == _plain(processes.of_compose()[role]), role


def test_cloud_run_starts_the_receiver_with_settings_that_there_are() -> None:
    container = processes.cloud_run()
    assert tuple(container["command"]) == processes.of_compose()["receiver"].command
    example = (processes.DEPLOY.parent / "example.env").read_text()
    assert all(f"#{each['name']}=" in example for each in container["env"])


def _does_the_main_job(
    services: Mapping[str, Process],
    environment: dict[str, str],
    sandbox: Sandbox,
    directory: Path,
) -> None:
    """Nothing is written beside what is in PostgreSQL: the file system is read-only there."""
    requests.post(f"{sandbox.url}/sandbox/reset", timeout=DEADLINE).raise_for_status()
    address = f"127.0.0.1:{free_port()}"
    with ExitStack() as stack:
        stack.enter_context(_started(services["receiver"], environment, directory, address))
        stack.enter_context(_started(services["worker"], environment, directory, address))
        _eventually(f"http://{address}/readyz")  # which says so once a worker was seen
        endpoint = Connector(over_http(f"http://{address}"), Settings.from_environment(environment), sandbox).endpoint()
        made = endpoint.send("event_type.defined", {"id": "evt_1", "key": "order_completed"})
        assert (made.status, made.body["changes"][0]["outcome"]) == (201, "created"), made.body
        assert list(sandbox.metrics()) == ["order-completed"]
    assert [path.name for path in directory.iterdir()] == []


@contextmanager
def _started(process: Process, environment: Mapping[str, str], directory: Path, address: str) -> Iterator[None]:
    command = [address if ":8000" in word else word for word in _here(process)]
    with subprocess.Popen(command, env=_clean() | environment, cwd=directory) as running:
        try:
            yield
        finally:
            running.send_signal(signal.SIGTERM)
            try:
                code = running.wait(DEADLINE)
            except subprocess.TimeoutExpired:
                running.kill()
                raise
    assert code == 0


def _run(process: Process, environment: Mapping[str, str], directory: Path) -> None:
    subprocess.run(_here(process), env=_clean() | environment, cwd=directory, check=True, timeout=DEADLINE)


def _here(process: Process) -> list[str]:
    program, *arguments = process.command
    assert Path(program).name == "connector"
    return [sys.executable, "-m", "connector", *arguments]


def _plain(process: Process) -> list[str]:
    return [Path(process.command[0]).name, *(re.sub(r".*:(8000|\$PORT)$", "ADDRESS", w) for w in process.command[1:])]


def _clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("CONNECTOR_", "LAUNCHDARKLY_"))}


def _interpolated(value: str, environment: Mapping[str, str]) -> str:
    return re.sub(r"\$\{(\w+):\?\}", lambda found: environment.get(found[1], "a-password"), value)


def _eventually(url: str) -> None:
    until = time.monotonic() + DEADLINE
    while True:
        try:
            if requests.get(url, timeout=5).ok:
                return
        except requests.RequestException:
            pass
        assert time.monotonic() < until, f"{url} did not answer 200"
        time.sleep(0.05)
