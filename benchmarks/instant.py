"""A LaunchDarkly that answers at once: what is measured against it is the connector, or a peer, and not the sandbox.

    python -m benchmarks.instant

It answers every POST with 201 and the body, after `--latency` seconds, and prints the address that it serves. With
`GET /arrivals` it says when each POST came: a list of [metric key, unix seconds].
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time

arrivals: list[tuple[str, float]] = []


class _Exchange(asyncio.Protocol):
    """A keep-alive connection, read as far as these clients make it necessary."""

    def __init__(self, latency: float) -> None:
        self._latency = latency
        self._received = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while True:
            head, found, rest = self._received.partition(b"\r\n\r\n")
            if not found:
                return
            fields = head.lower()
            at = fields.find(b"content-length:")
            length = 0 if at < 0 else int(fields[at + 15 :].split(b"\r\n", 1)[0])
            if b"100-continue" in fields:  # curl asks before it sends more than a kilobyte
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                self._received = self._received.replace(b"100-continue", b"going-on", 1)
                continue
            if len(rest) < length:
                return
            self._received = rest[length:]
            self._answer(bytes(head), bytes(rest[:length]))

    def _answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"POST"):
            at = body.find(b'"key"')
            arrivals.append((body[at + 5 : at + 205].split(b'"', 2)[1].decode() if at >= 0 else "", time.time()))
            status = b"201 Created"
        else:
            status, body = b"200 OK", json.dumps(arrivals).encode() if b"/arrivals" in head else b"{}"
        answer = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
        if self._latency:
            asyncio.get_running_loop().call_later(self._latency, self._transport.write, answer + body)
        else:
            self._transport.write(answer + body)


async def serve(latency: float) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: _Exchange(latency), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    sys.stdout.write(f"http://{host}:{port}\n")
    sys.stdout.flush()
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    asyncio.run(serve(parser.parse_args().latency))


if __name__ == "__main__":
    main()
