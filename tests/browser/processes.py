"""`connector …` as processes of their own, from when they answer until the end of the block that started them."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import requests

DEADLINE = 60.0
"""Seconds for whatever has to happen; each wait ends as soon as it has."""


@contextmanager
def process(environment: Mapping[str, str], url: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "connector", *arguments], env=dict(environment), stdout=log, stderr=log
        )
        try:
            deadline = time.monotonic() + DEADLINE
            while not _answers(url):
                assert process.poll() is None, _said(log)
                assert time.monotonic() < deadline, f"{url} did not come up: {_said(log)}"
                time.sleep(0.05)
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(DEADLINE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False


def _said(log: Any) -> str:
    log.seek(0)
    return str(log.read().decode(errors="replace"))


def free_ports(number: int) -> list[int]:
    sockets = [socket.socket() for _ in range(number)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
