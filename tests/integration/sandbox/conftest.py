"""A sandbox as its command serves it: a process of its own, on a free port of this machine."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import requests

SERVE = [sys.executable, "-c", "from connector.cli.sandbox import sandbox; sandbox()", "--port", "0"]


@dataclass
class Served:
    """A running sandbox and how to call it."""

    process: subprocess.Popen[str]
    url: str
    session: requests.Session

    def __call__(self, method: str, path: str, **options: object) -> requests.Response:
        return self.session.request(method, self.url + path, **options)

    def create(self, key: str, **options: object) -> requests.Response:
        body = {"key": key, "kind": "custom", "isNumeric": False, "eventKey": key}
        return self("POST", "/api/v2/metrics/demo", json=body, **options)

    def play(self, *faults: dict[str, object]) -> None:
        assert self("PUT", "/sandbox/faults", json=list(faults)).ok

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(5)


@contextlib.contextmanager
def serving(*flags: str) -> Iterator[Served]:
    process = subprocess.Popen([*SERVE, *flags], stdout=subprocess.PIPE, text=True)
    try:
        ready = re.fullmatch(r"sandbox ready at (http://\S+)\n", process.stdout.readline())
        with requests.Session() as session:
            session.headers["Authorization"] = "api-demo"
            yield Served(process, ready.group(1), session)
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


@pytest.fixture
def serve() -> Callable[..., contextlib.AbstractContextManager[Served]]:
    return serving


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with serving("--reader-key", "api-reader") as served:
        yield served


@pytest.fixture
def sandbox(server: Served) -> Served:
    """The module's sandbox, as fresh as when it was started."""
    assert server("POST", "/sandbox/reset").ok
    return server
