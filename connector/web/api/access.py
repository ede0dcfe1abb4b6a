"""Who may use the management API: whoever has the operator's token. One place for it, before any route is entered.

It must never know what a request asks for, and never log or repeat a token.
"""

from __future__ import annotations

import hmac
import logging
import math
import time
from collections.abc import Callable

from werkzeug.wrappers import Request

from connector.web.flooding import Flooding
from connector.web.problems import Problem

log = logging.getLogger(__name__)

FAILURES = 2.0
"""Refusals per second that get an answer of their own, and a line in the log; a guesser gets 429 beyond them."""

_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="connector"'}


class Access:
    """Judges the `Authorization` header (RFC 6750, section 2.1). Only failures count: nobody locks the operator out."""

    def __init__(self, token: str | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._token = None if token is None else token.encode()
        self._failures = Flooding(FAILURES, clock)

    def check(self, incoming: Request) -> None:
        """Raises `Problem` for everybody else."""
        if self._token is None:
            raise Problem(
                503,
                "admin_token_missing",
                "The management API is off: set CONNECTOR_ADMIN_TOKEN to at least 24 characters, and restart.",
            )
        scheme, _, given = incoming.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), self._token):
            return
        if wait := self._failures.admit(""):
            raise Problem(
                429,
                "too_many_failures",
                "Too many requests came with a wrong token. Send it again after Retry-After, with the right one.",
                headers={"Retry-After": str(math.ceil(wait))},
            )
        log.warning("management API: a request without the right token was refused", extra={"path": incoming.path})
        raise Problem(
            401,
            "admin_token_refused",
            "Send the header Authorization: Bearer … with the value of CONNECTOR_ADMIN_TOKEN.",
            headers=_CHALLENGE,
        )
