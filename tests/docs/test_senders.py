"""The senders of the docs, as they stand there: what they send is accepted, and they keep on as they promise."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from connector.signatures import STANDARD_WEBHOOKS
from tests.docs.blocks import ROOT, blocks
from tests.integration.web.conftest import Connector, Sandbox, over_http, running, running_sandbox, sandbox  # noqa: F401
from tests.integration.web.conftest import gunicorn as gunicorn  # noqa: PLC0414 - pytest finds them here
from tests.needs import lacking

PAGE = ROOT / "docs/reference/native-protocol.md"
RUN = {"python": ("send.py", ["python3", "-I"]), "javascript": ("send.mjs", ["node"]), "go": ("send.go", ["go", "run"])}
DEADLINE = 120.0
"""Seconds: Go compiles its library first."""


@dataclass
class Sender:
    command: list[str]
    environment: dict[str, str]

    def send(self, url: str, secret: str, key: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.command, key],
            env=self.environment | {"CONNECTOR_URL": url, "CONNECTOR_SECRET": secret},
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )


@pytest.fixture(params=RUN)
def sender(request: pytest.FixtureRequest, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Sender:
    file, command = RUN[request.param]
    if shutil.which(command[0]) is None:
        sentence = f"There is no {command[0]} on this machine to run the docs' {file}."
        if request.param == "go":
            pytest.skip(sentence)
        lacking(sentence)
    (text,) = [block.text for block in blocks(PAGE, request.param) if len(block.text) > 1000]
    path = tmp_path / file
    path.write_text(text)
    cache = str(tmp_path_factory.getbasetemp() / "go")  # compiled once for all three tests
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GOCACHE": cache, "GO111MODULE": "off"}
    return Sender([*command, str(path)], environment)


@dataclass
class Answers:
    """A server that gives these answers one after the other and keeps what it was sent."""

    statuses: list[int]
    sent: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def answers() -> Iterator[Answers]:
    kept = Answers([])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.sent.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(kept.statuses[len(kept.sent) - 1])
            self.send_header("Retry-After", "0")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: Any) -> None:
            """The test says what is wrong."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    kept.url = f"http://127.0.0.1:{server.server_port}"
    yield kept
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_it_sends_is_accepted(sender: Sender, gunicorn: Any, sandbox: Sandbox) -> None:  # noqa: F811
    url, settings = gunicorn
    endpoint = Connector(over_http(url), settings, sandbox).endpoint()
    sent = sender.send(f"{url}{endpoint.path}", endpoint.secret, "order_completed")
    assert sent.returncode == 0, sent.stderr
    assert json.loads(sent.stdout)["changes"][0]["outcome"] == "created"
    assert sandbox.metrics()["order-completed"]["eventKey"] == "order_completed"


def test_it_sends_the_same_message_again_until_it_is_accepted(sender: Sender, answers: Answers) -> None:
    answers.statuses = [503, 429, 500, 202]
    secret = STANDARD_WEBHOOKS.generate_secret()
    sent = sender.send(answers.url, secret, "order_completed")
    assert sent.returncode == 0, sent.stderr
    assert len(answers.sent) == 4
    assert len({(headers["webhook-id"], body) for headers, body in answers.sent}) == 1
    for headers, body in answers.sent:
        STANDARD_WEBHOOKS.verify(body, headers, [secret], now=float(headers["webhook-timestamp"]))


def test_it_gives_up_at_a_refusal_and_shows_it(sender: Sender, answers: Answers) -> None:
    answers.statuses = [401]
    sent = sender.send(answers.url, STANDARD_WEBHOOKS.generate_secret(), "order_completed")
    assert sent.returncode != 0
    assert "401" in sent.stderr
    assert len(answers.sent) == 1
