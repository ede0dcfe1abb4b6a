"""What happens to a call between the network and the API: it is recorded, and a fault may befall it.

A WSGI layer, because a fault must strike where the API cannot see it. It must never know metrics or tokens.
"""

from __future__ import annotations

import json
import math
import socket
import struct
from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import TYPE_CHECKING, NoReturn

from werkzeug.wrappers import Response
from werkzeug.wsgi import get_input_stream

from connector.sandbox.errors import error_body
from connector.sandbox.faults import RATE_LIMIT_FAMILY, FaultKind, Strike
from connector.sandbox.limits import limit_headers
from connector.sandbox.state import SandboxState

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_API = "/api/"
_RST_ON_CLOSE = struct.pack("ii", 1, 0)
_ERRORS = {
    FaultKind.CONFLICT: (409, "conflict", "The resource was changed by a concurrent request, retry"),
    FaultKind.ERROR_500: (500, "internal_error", "Internal server error"),
    FaultKind.ERROR_503: (503, "service_unavailable", "Service unavailable"),
}


class Wire:
    """Records each call of the API and plays the faults that strike it.

    A reset closes the server's own socket, so that the client sees one, and raises `ConnectionResetError`: all that a
    caller without a socket, such as Flask's test client, gets to see.
    """

    def __init__(self, api: WSGIApplication, state: SandboxState) -> None:
        self._api = api
        self._state = state

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if not path.startswith(_API):
            return self._api(environ, start_response)
        body = get_input_stream(environ).read()
        environ["wsgi.input"] = BytesIO(body)
        seen = self._state.requests.open(environ, body)

        def start(status: str, headers: list[tuple[str, str]], *rest: object) -> object:
            seen.status = int(status[:3])
            return start_response(status, headers, *rest)  # type: ignore[arg-type]

        for strike in self._state.faults.strike(seen.method, path):
            if strike.kind is FaultKind.LATENCY:
                self._state.config.sleep(strike.seconds)
            else:
                return self._play(strike, environ, start)  # type: ignore[arg-type]
        return self._api(environ, start)  # type: ignore[arg-type]

    def _play(self, strike: Strike, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        match strike.kind:
            case FaultKind.RESET:
                _reset(environ)
            case FaultKind.ANSWER_LOST:
                Response.from_app(self._api, environ)(environ, start)
                _reset(environ)
            case FaultKind.HOLD | FaultKind.SLOW_BODY | FaultKind.GARBAGE | FaultKind.CONTENT_TYPE:
                answer = self._spoil(strike, Response.from_app(self._api, environ))
            case _:
                answer = self._refusal(strike)
        return answer(environ, start)

    def _spoil(self, strike: Strike, answer: Response) -> Response:
        match strike.kind:
            case FaultKind.HOLD | FaultKind.SLOW_BODY:
                body = answer.get_data()
                at_once = len(body) // 2 if strike.kind is FaultKind.SLOW_BODY else 0
                answer.response = self._dripped(body[:at_once], body[at_once:], strike.seconds)
                answer.content_length = len(body)
            case FaultKind.GARBAGE:
                answer.set_data('{"_id": "5f')
            case _:
                answer.content_type = "text/html; charset=utf-8"
        return answer

    def _dripped(self, at_once: bytes, later: bytes, seconds: float) -> Iterator[bytes]:
        # A server sends the headers with the first piece of the body, so that no piece holds them back as well.
        if at_once:
            yield at_once
        self._state.config.sleep(seconds)
        yield later

    def _refusal(self, strike: Strike) -> Response:
        if strike.kind in _ERRORS:
            status, code, message = _ERRORS[strike.kind]
            headers = {}
        else:
            status, code, message = 429, "rate_limited", "You've exceeded the API rate limit"
            headers = self._rate_limit_headers(strike)
        body = json.dumps(error_body(code, message))
        return Response(body, status, headers, content_type="application/json")

    def _rate_limit_headers(self, strike: Strike) -> dict[str, str]:
        if strike.kind is FaultKind.RATE_LIMIT_IP:
            return {"Retry-After": str(math.ceil(strike.seconds))}
        family = RATE_LIMIT_FAMILY[strike.kind]
        limit = self._state.limiter.limits.to_dict()[family] or 1
        return limit_headers(family, limit, 0, self._state.config.clock() + strike.seconds)


def _reset(environ: WSGIEnvironment) -> NoReturn:
    connection: socket.socket | None = environ.get("gunicorn.socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST_ON_CLOSE)
        connection.close()
    raise ConnectionResetError(104, "the sandbox reset this connection")
