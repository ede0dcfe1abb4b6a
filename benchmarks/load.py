"""The sender of webhooks: a process of its own, so that it never shares an interpreter with what it measures.

    python -m benchmarks.load < plan.json > answers.json

Closed loop: every connection sends its next webhook as soon as its last one is answered. Open loop: webhooks are due at
fixed times whatever the receiver does, and their latency counts from when they were due, not from when a connection was
free to send them; a receiver that stalls is charged for all that it kept waiting (no coordinated omission).
"""

from __future__ import annotations

import base64
import gc
import hashlib
import hmac
import json
import math
import secrets
import select
import socket
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

BODY = 1024
"""Bytes of a webhook, which is padded by its description."""

FRESH = 60.0
"""Seconds for which a webhook may be signed ahead: receivers take none that is over five minutes old."""

STALLED = 30.0
"""Seconds without any answer after which a run is given up."""


@dataclass(frozen=True, slots=True)
class Load:
    """`rate` is webhooks per second; None is the closed loop. The first `warm_up` seconds do not count."""

    url: str
    secret: str
    connections: int
    seconds: float
    rate: float | None = None
    warm_up: float = 1.0


@dataclass(frozen=True, slots=True)
class Answers:
    """What came back. Latencies are seconds, sorted; `rate` is answers per second."""

    rate: float
    statuses: dict[str, int]
    latencies: Sequence[float] = field(repr=False)

    def quantile(self, share: float) -> float:
        """Seconds; a number that is not, where nothing was answered."""
        if not self.latencies:
            return math.nan
        return self.latencies[min(len(self.latencies) - 1, int(share * len(self.latencies)))]

    def check(self, *expected: str) -> Answers:
        """These answers, where all of them have an expected status. Raises `SystemExit`: such figures mean nothing."""
        if unexpected := self.statuses.keys() - set(expected):
            raise SystemExit(f"expected {' or '.join(expected)}, but was answered {self.statuses} ({unexpected})")
        return self


def requests_of(load: Load) -> Iterator[bytes]:
    """Webhooks of new event types, signed as Standard Webhooks says and by a plain HMAC, for simpler receivers."""
    host, _, path = load.url.removeprefix("http://").partition("/")
    key = base64.b64decode(load.secret.removeprefix("whsec_"))
    run = secrets.token_hex(4)
    number = 0
    while True:
        number += 1
        name = f"{run}_{number}"
        data = {"id": name, "key": f"bench_{name}", "name": f"Bench {name}", "description": ""}
        stamp = str(int(time.time()))
        empty = json.dumps({"type": "event_type.defined", "data": data})
        data["description"] = "x" * (BODY - len(empty))
        body = json.dumps({"type": "event_type.defined", "data": data}).encode()
        signed = base64.b64encode(hmac.digest(key, f"msg_{name}.{stamp}.".encode() + body, hashlib.sha256)).decode()
        plain = hmac.digest(load.secret.encode(), body, hashlib.sha256).hex()
        yield (
            f"POST /{path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
            f"webhook-id: msg_{name}\r\nwebhook-timestamp: {stamp}\r\nwebhook-signature: v1,{signed}\r\n"
            f"X-Signature: sha256={plain}\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body


class _Line:
    """One keep-alive connection; `due` is when the webhook under way was to be sent."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self.due = 0.0
        self.received = bytearray()
        self.connect()

    def connect(self) -> None:
        self.socket = socket.create_connection(self.address, timeout=STALLED)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def status(self) -> str | None:
        """The status of a whole answer; None where more of it is to come."""
        self.received += (chunk := self.socket.recv(65536))
        if not chunk:
            raise ConnectionResetError("the receiver closed the connection before its answer")
        head, found, rest = self.received.partition(b"\r\n\r\n")
        if not found:
            return None
        fields = head.lower()
        at = fields.find(b"content-length:")
        if at >= 0:
            if len(rest) < int(fields[at + 15 :].split(b"\r\n", 1)[0]):
                return None
        elif b"transfer-encoding: chunked" in fields and not rest.endswith(b"0\r\n\r\n"):
            return None
        self.received.clear()
        if b"connection: close" in fields:
            self.socket.close()
            self.connect()
        return head[9:12].decode()


def run(load: Load) -> Answers:  # noqa: C901 - one loop, whose branches all are about when to send
    """Send, and wait for what is under way at the end."""
    host, _, port = load.url.removeprefix("http://").partition("/")[0].partition(":")
    source = requests_of(load)
    length = load.warm_up + load.seconds
    # Signed before it counts; what is sent later is signed when it is due, or its signature would be too old by then.
    stock = deque(next(source) for _ in range(int(min(20_000, (load.rate or 3000) * min(length, FRESH)))))
    lines = [_Line((host, int(port))) for _ in range(load.connections)]
    gc.freeze()
    poll = select.epoll()
    for line in lines:
        poll.register(line.socket, select.EPOLLIN)
    by_descriptor = {line.socket.fileno(): line for line in lines}
    idle = deque(lines)
    statuses: Counter[str] = Counter()
    latencies: list[float] = []
    now = heard = started = time.perf_counter()
    counted, ends = started + load.warm_up, started + length
    total = math.inf if load.rate is None else int(load.rate * length)
    sent = 0
    while sent < total or len(idle) < len(lines):
        if load.rate is None and now >= ends:
            total = sent
        due = now if load.rate is None else started + sent / load.rate
        while idle and sent < total and due <= now:
            line = idle.popleft()
            line.due = due
            line.socket.sendall(stock.popleft() if stock else next(source))
            sent += 1
            due = now if load.rate is None else started + sent / load.rate
        for descriptor, _ in poll.poll(max(0.0, min(0.05, due - now)) if idle and sent < total else 0.05):
            line = by_descriptor[descriptor]
            before = line.socket
            if (status := line.status()) is None:
                continue
            heard = time.perf_counter()
            if line.socket is not before:  # the receiver wanted a new connection
                by_descriptor[line.socket.fileno()] = line
                poll.register(line.socket, select.EPOLLIN)
            if (line.due if load.rate is not None else heard) >= counted:
                statuses[status] += 1
                latencies.append(heard - line.due)
            idle.append(line)
        now = time.perf_counter()
        if now - heard > STALLED and len(idle) < len(lines):
            raise SystemExit(f"no answer for {STALLED:g} seconds")
    for line in lines:
        line.socket.close()
    return Answers(len(latencies) / (max(heard, counted + 1e-9) - counted), dict(statuses), sorted(latencies))


def main() -> None:
    plan: dict[str, Any] = json.load(sys.stdin)
    json.dump(asdict(run(Load(**plan))), sys.stdout)


if __name__ == "__main__":
    main()
