"""A second app behind the first, made when its first request comes: no webhook waits until it is there.

It must never know what either of them serves.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING

from flask import Flask

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class Late:
    """Requests whose path begins with one of `names` are for `first`, all others for what `make` makes, once."""

    def __init__(
        self,
        first: Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]],
        names: Collection[str],
        make: Callable[[], Flask],
    ) -> None:
        self._first = first
        self._names = frozenset(names)
        self._make = make
        self._made: Flask | None = None
        self._lock = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        name = environ.get("PATH_INFO", "").lstrip("/").partition("/")[0]
        app = self._first if name in self._names else self.app()
        return app(environ, start_response)

    def app(self) -> Flask:
        """The second app."""
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made
