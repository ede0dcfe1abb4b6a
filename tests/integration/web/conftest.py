"""The connector as its callers meet it: over Flask's test client and over HTTP from a running gunicorn, alike."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from connector.app import create_app
from connector.connections import NewConnection
from connector.installation import open_installation
from connector.settings import Settings
from connector.signatures import STANDARD_WEBHOOKS

MAX_BODY = 4096
ENVIRONMENT = {
    "CONNECTOR_RESPOND_WITHIN": "5",
    "CONNECTOR_MAX_BODY": str(MAX_BODY),
    "CONNECTOR_ENDPOINT_RATE": "4",
    "CONNECTOR_CACHE_SECONDS": "0",
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(environment: Mapping[str, str], url: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """`connector …` as a process of its own, from when `url` answers until the end of the block."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CONNECTOR_", "LAUNCHDARKLY_"))}
    process = subprocess.Popen([sys.executable, "-m", "connector", *arguments], env={**kept, **environment})
    try:
        deadline = time.monotonic() + 20
        while True:
            assert process.poll() is None, f"connector {arguments[0]} ended with {process.returncode}"
            assert time.monotonic() < deadline, f"{url} did not come up"
            try:
                if requests.get(url, timeout=2).ok:
                    break
            except (requests.ConnectionError, requests.Timeout):
                time.sleep(0.05)
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(20)


@dataclass
class Sandbox:
    url: str

    def calls(self, *methods: str) -> list[dict[str, Any]]:
        seen = requests.get(f"{self.url}/sandbox/requests", timeout=5).json()
        return [call for call in seen if not methods or call["method"] in methods]

    def metrics(self, project: str = "demo") -> dict[str, Any]:
        found = requests.get(f"{self.url}/sandbox/metrics/{project}", timeout=5).json()
        return {metric["key"]: metric for metric in found}

    def play(self, *faults: Mapping[str, Any]) -> None:
        requests.put(f"{self.url}/sandbox/faults", json=list(faults), timeout=5).raise_for_status()

    def end_keys(self, **moments: float) -> None:
        """When keys end: `api_demo` and the like, in unix seconds; those that are not named have no end."""
        ends = {name.replace("_", "-"): int(moment * 1000) for name, moment in moments.items()}
        requests.put(f"{self.url}/sandbox/expiries", json=ends, timeout=5).raise_for_status()


@pytest.fixture(scope="session")
def running_sandbox() -> Iterator[Sandbox]:
    url = f"http://127.0.0.1:{free_port()}"
    with running({}, url + "/sandbox/", "sandbox", "--port", url.rpartition(":")[2]):
        yield Sandbox(url)


@pytest.fixture
def sandbox(running_sandbox: Sandbox) -> Sandbox:
    requests.post(f"{running_sandbox.url}/sandbox/reset", timeout=5).raise_for_status()
    return running_sandbox


@dataclass
class Answer:
    status: int
    body: dict[str, Any]
    headers: Mapping[str, str]


Send = Callable[[str, str, bytes | None, Mapping[str, str]], Answer]


@dataclass
class Connector:
    """A running connector; `request` calls it, `endpoint` makes a new one of its webhook URLs."""

    request: Send
    settings: Settings
    sandbox: Sandbox

    def endpoint(self, **options: Any) -> Endpoint:
        new = NewConnection(
            **{
                "name": f"acme-{secrets.token_hex(4)}",
                "partner": "standard",
                "project_key": "demo",
                "credential": "api-demo",
                "base_url": self.sandbox.url,
                **options,
            }
        )
        installation = open_installation(self.settings)
        try:
            added = installation.connections.add(new)
        finally:
            installation.close()
        return Endpoint(self, added.connection.endpoint_id, added.secret or "", added.connection)


@dataclass
class Endpoint:
    connector: Connector
    id: str
    secret: str
    connection: Any = field(repr=False)

    @property
    def path(self) -> str:
        return f"/webhooks/{self.id}"

    def post(self, body: bytes, headers: Mapping[str, str] | None = None) -> Answer:
        return self.connector.request("POST", self.path, body, {"Content-Type": "application/json", **(headers or {})})

    def sign(self, body: bytes, message_id: str | None = None) -> dict[str, str]:
        return STANDARD_WEBHOOKS.sign(body, self.secret, message_id or f"msg_{secrets.token_hex(8)}", time.time())

    def send(
        self, type_: str, data: Mapping[str, Any], *, message_id: str | None = None, timestamp: str | None = None
    ) -> Answer:
        payload = {"type": type_, "data": data} | ({"timestamp": timestamp} if timestamp else {})
        body = json.dumps(payload).encode()
        return self.post(body, self.sign(body, message_id))


@pytest.fixture(scope="session")
def gunicorn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Settings]]:
    environment = ENVIRONMENT | {
        "CONNECTOR_DATABASE_URL": f"sqlite:///{tmp_path_factory.mktemp('served')}/connector.db"
    }
    url = f"http://127.0.0.1:{free_port()}"
    with running(environment, url + "/readyz", "serve", "--bind", url.removeprefix("http://")):
        yield url, Settings.from_environment(environment)


def over_http(url: str) -> Send:
    def request(method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        response = requests.request(method, url + path, data=body, headers=headers, timeout=30, allow_redirects=False)
        return Answer(response.status_code, response.json() if response.content else {}, response.headers)

    return request


@pytest.fixture(params=["test client", "gunicorn"])
def connector(request: pytest.FixtureRequest, tmp_path: Path, sandbox: Sandbox) -> Iterator[Connector]:
    if request.param == "gunicorn":
        url, settings = request.getfixturevalue("gunicorn")
        yield Connector(over_http(url), settings, sandbox)
        return
    settings = Settings.from_environment(ENVIRONMENT | {"CONNECTOR_DATABASE_URL": f"sqlite:///{tmp_path}/connector.db"})
    app = create_app(settings)
    client = app.test_client()

    def through_client(method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        response = client.open(path, method=method, data=body, headers=dict(headers))
        return Answer(response.status_code, response.get_json(silent=True) or {}, response.headers)

    yield Connector(through_client, settings, sandbox)
    app.extensions["connector"].close()


@pytest.fixture
def endpoint(connector: Connector) -> Endpoint:
    return connector.endpoint()
