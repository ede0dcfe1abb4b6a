"""A client under test, the calls it reported, and a real server on loopback for what only a socket can show."""

from __future__ import annotations

import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import pytest

from connector.launchdarkly.client import Call, LaunchDarkly

TOKEN = "api-7b2e90c1-secret"
AGENT = "metrics-acme-int/1.0"


@pytest.fixture
def calls() -> list[Call]:
    return []


@pytest.fixture
def client(calls: list[Call]) -> LaunchDarkly:
    return LaunchDarkly(TOKEN, user_agent=AGENT, observe=calls.append)


class Peer:
    """Reads one request per connection and answers it with raw bytes; `None` resets, `b""` stays silent."""

    def __init__(self, *answers: bytes | None) -> None:
        self.requests: list[bytes] = []
        self._answers = answers
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes a thread that still waits for a connection
        self._listener.close()
        self._thread.join(5)

    def _serve(self) -> None:
        for answer in self._answers:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                self.requests.append(_request(connection))
                if answer is None:
                    # A zero linger turns the close into a reset.
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                elif answer == b"":
                    connection.recv(1)
                else:
                    connection.sendall(answer)


def _request(connection: socket.socket) -> bytes:
    request = b""
    while chunk := connection.recv(65536):
        request += chunk
        head, _, body = request.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        if not head.isascii() or (b"\r\n\r\n" in request and len(body) >= int(length[1] if length else 0)):
            break
    return request


@pytest.fixture
def peer() -> Iterator[Callable[..., Peer]]:
    with ExitStack() as opened:

        def start(*answers: bytes | None) -> Peer:
            started = Peer(*answers)
            opened.callback(started.close)
            return started

        yield start
