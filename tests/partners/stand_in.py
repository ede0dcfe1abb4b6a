"""A partner's list API on a loopback socket: it answers as a test says, and can be made to fail as APIs do.

It must never know a particular partner.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it arrived. `root` is the stand-in's own address, header names are in lower case."""

    root: str
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def demand(self, **headers: str) -> None:
        """Raises `Unauthorised` where a header (`_` for `-`) has not this value."""
        wanted = {name.lower().replace("_", "-"): value for name, value in headers.items()}
        if any(self.headers.get(name) != value for name, value in wanted.items()):
            raise Unauthorised


@dataclass(frozen=True, slots=True)
class Answer:
    """`cut` hangs up before the last byte that was promised."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False

    @classmethod
    def json(cls, value: Any) -> Answer:
        return cls(body=json.dumps(value).encode(), headers={"Content-Type": "application/json"})


class Unauthorised(Exception):
    pass


Api = Callable[[Asked], Any]
"""What a documented API answers: a JSON value, or an `Answer`. Raises `Unauthorised` for another's credential."""


class StandIn:
    """One socket for many tests: `serve` says what it is from now on."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.asked: list[Asked] = []
        self._api: Api = lambda _: Answer(status=404)
        self._faults: dict[int, Callable[[Answer], Answer]] = {}

    def serve(self, api: Api) -> None:
        self._api = api
        self.asked.clear()
        self._faults.clear()

    def fail(self, number: int, fault: Callable[[Answer], Answer]) -> None:
        """Answer the call of this number, counted from 1 from now on, with what `fault` makes of the right answer."""
        self.asked.clear()
        self._faults = {number: fault}

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        try:
            value = self._api(asked)
        except Unauthorised:
            return replace(Answer.json({"error": "unauthorised"}), status=401)
        answer = value if isinstance(value, Answer) else Answer.json(value)
        fault = self._faults.get(len(self.asked))
        return answer if fault is None else fault(answer)


@contextmanager
def running() -> Iterator[StandIn]:
    class Handler(BaseHTTPRequestHandler):
        """HTTP/1.0: a connection per call, so that nothing waits for a next one."""

        def _answer(self) -> None:
            url = urlsplit(self.path)
            asked = Asked(
                root=stand_in.root,
                method=self.command,
                path=url.path,
                query={name: values[0] for name, values in parse_qs(url.query, strict_parsing=bool(url.query)).items()},
                headers={name.lower(): value for name, value in self.headers.items()},
                body=self.rfile.read(int(self.headers.get("Content-Length", "0"))),
            )
            answer = stand_in.answer(asked)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body) + answer.cut))
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST = _answer  # noqa: N815 - the names by which they are called

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the name that it has
            """A line per call would bury what a failed test says."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    stand_in = StandIn(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
