"""What the import page asks of a partner works: its commands, against a stand-in for the partner's list API."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.docs.blocks import ROOT, blocks, commands
from tests.docs.shell import Shell

PAGE = ROOT / "docs/how-to/import-a-catalogue.md"
LISTED = ROOT / "tests/fixtures/partners/posthog/list.json"
PARTNER = "https://eu.posthog.com"


class _PostHog(BaseHTTPRequestHandler):
    """One page of event definitions, for who has the key."""

    def do_GET(self) -> None:
        good = self.path.startswith("/api/projects/1/event_definitions/")
        allowed = self.headers["Authorization"] == "Bearer phx_example"
        body = json.dumps(json.loads(LISTED.read_text()) | {"next": None}).encode()
        self.send_response(200 if good and allowed else 403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def partner() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _PostHog) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_the_commands_that_ask_the_partner_work(
    partner: str, open_shell: Callable[..., Shell], environment: dict[str, str]
) -> None:
    environment |= {"POSTHOG_KEY": "phx_example", "LAUNCHDARKLY_API_KEY": "api-demo"}
    shell = open_shell(**{PARTNER: partner})
    (block,) = blocks(PAGE, "shell")
    for command in commands(block):
        shell.run(command)
