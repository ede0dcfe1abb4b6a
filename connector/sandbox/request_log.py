"""The calls a sandbox saw, oldest first, within a bound. Tokens never enter it.

It keeps what arrived as it arrived and makes JSON of it only when it is read: recording must not slow a benchmark.
"""

from __future__ import annotations

import json
import sys
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import quote


@dataclass(slots=True)
class SeenRequest:
    """A call. `status` is set when it is answered and stays `None` where there was no answer at all."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes
    status: int | None = None

    def to_dict(self) -> dict[str, Any]:
        try:
            body = json.loads(self.body)
        except ValueError:
            body = None
        return {
            "method": self.method,
            "path": self.path,
            "headers": {name.replace("_", "-").title(): value for name, value in self.headers},
            "body": body,
            "status": self.status,
        }


class RequestLog:
    """The last `limit` calls. They are numbered from 0 since the last clearing."""

    def __init__(self, limit: int) -> None:
        self._lock = threading.Lock()
        self._seen: deque[SeenRequest] = deque(maxlen=limit)
        self._count = 0

    def open(self, environ: Mapping[str, Any], body: bytes) -> SeenRequest:
        """Note a call on its arrival, from its WSGI environment. The caller sets `status` later."""
        seen = SeenRequest(environ["REQUEST_METHOD"], _path(environ), _headers(environ), body)
        with self._lock:
            self._seen.append(seen)
            self._count += 1
        return seen

    def since(self, number: int) -> tuple[list[SeenRequest], int]:
        """The calls from this number on, and the number of the next call to come."""
        with self._lock:
            dropped = self._count - len(self._seen)
            return list(islice(self._seen, max(0, number - dropped), None)), self._count

    def clear(self) -> None:
        with self._lock:
            self._seen.clear()
            self._count = 0


def _path(environ: Mapping[str, Any]) -> str:
    path = quote(environ["PATH_INFO"].encode("latin-1"))
    query = environ.get("QUERY_STRING")
    return f"{path}?{query}" if query else path


def _headers(environ: Mapping[str, Any]) -> list[tuple[str, str]]:
    headers = [(sys.intern(name[5:]), value) for name, value in environ.items() if name.startswith("HTTP_")]
    for position, (name, value) in enumerate(headers):
        if name == "AUTHORIZATION":
            headers[position] = (name, f"***{value[-4:]}")
    return headers + [(name, environ[name]) for name in ("CONTENT_TYPE", "CONTENT_LENGTH") if environ.get(name)]
