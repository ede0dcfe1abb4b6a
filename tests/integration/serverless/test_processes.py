"""A process of its own: Google's functions framework serves the function, and a cold start loads little."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.integration.serverless.conftest import Function, payload, signed

SOURCE = Path(__file__).parents[3] / "config" / "deploy" / "google-cloud-functions" / "main.py"
BODY = payload("defined", {"id": "evt_1", "key": "order_completed", "name": "Order Completed"})


@pytest.fixture
def google(function: Function) -> Iterator[str]:
    """The address of the webhook function, as functions-framework serves it with the environment of the test."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = ["--source", str(SOURCE), "--target", "webhook", "--host", "127.0.0.1", "--port", str(port)]
    program = "from functions_framework._cli import _cli; _cli()"
    process = subprocess.Popen([sys.executable, "-c", program, *arguments], env=dict(os.environ))
    try:
        deadline = time.monotonic() + 20
        while True:
            assert process.poll() is None, "functions-framework ended"
            assert time.monotonic() < deadline, "functions-framework did not come up"
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def test_googles_functions_framework_serves_a_signed_webhook(google: str, function: Function) -> None:
    made = requests.post(google, data=BODY, headers=signed(BODY), timeout=20)
    assert (made.status_code, made.json()["changes"][0]["outcome"]) == (201, "created")
    again = requests.post(f"{google}/webhooks/default", data=BODY, headers=signed(BODY), timeout=20)
    assert (again.status_code, again.json()["changes"][0]["outcome"]) == (200, "unchanged")
    forged = requests.post(google, data=BODY + b" ", headers=signed(BODY), timeout=20)
    assert (forged.status_code, forged.headers["content-type"]) == (401, "application/problem+json")
    assert list(function.metrics()) == ["order-completed"]


@pytest.mark.parametrize("database", ["", "postgresql+psycopg://nobody@127.0.0.1:9/none"])
def test_a_cold_start_loads_nothing_that_a_function_does_not_use(function: Function, database: str) -> None:
    program = (
        "import sys, contextlib, connector.serverless as serverless\n"
        "with contextlib.suppress(Exception): serverless.function()\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    environment = {**os.environ, "CONNECTOR_DATABASE_URL": database}
    loaded = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=30, check=True
    ).stdout.split()
    assert "apig_wsgi" in loaded
    assert not {"gunicorn", "rich", "alembic", "celery", "jmespath", "functions_framework"} & set(loaded)
