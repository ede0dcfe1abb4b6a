"""The operator's session: begun with the admin token, ended by signing out, by idleness, or after a working day.

The cookie is signed and says when it began and was last used; the store knows those that were signed out. A session
ends with the admin token that began it. It must never know what a page shows.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from itsdangerous import BadData, URLSafeSerializer
from werkzeug.wrappers import Request, Response

from connector.store import sessions
from connector.store.database import Database
from connector.store.vault import Vault
from connector.web.pages.forms import cookie_name, set_cookie
from connector.web.pages.tries import Tries
from connector.web.problems import Problem

IDLE = 30 * 60.0
LONGEST = 12 * 3600.0
"""Seconds after which a session ends: without a request, and in any case."""

REFRESH = 60.0
"""Seconds between two notes of when a session was last used."""

MOST_TRIES = 5
TRIES_WITHIN = 300.0
"""Wrong tokens from one address within so many seconds, in each process."""


@dataclass(frozen=True, slots=True)
class Session:
    """Times are unix seconds."""

    id: str
    began_at: float
    used_at: float


class Sessions:
    """Begins, finds and ends sessions. Without `admin_token` there are none."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        admin_token: str | None,
        *,
        secure: bool,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._admin_token = admin_token
        self._secure = secure
        self._clock = clock
        self._cookie = cookie_name("session", secure=secure)
        self._tries = Tries(MOST_TRIES, TRIES_WITHIN, clock)
        # The token is part of the key, so that a session ends when the token is changed.
        keys = [hmac.new(key, (admin_token or "").encode(), hashlib.sha256).digest() for key in vault.derive("session")]
        self._serializer = URLSafeSerializer(
            keys, salt="session", signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"}
        )

    @property
    def possible(self) -> bool:
        return self._admin_token is not None

    def begin(self, token: str, address: str) -> Session:
        """Raises `Problem` for a wrong token, and where `address` has tried too often."""
        if wait := self._tries.wait(address):
            raise Problem(
                429,
                "sign_in_limited",
                f"Too many wrong tokens. Try again in {wait / 60:.0f} minutes."
                if wait > 90
                else f"Too many wrong tokens. Try again in {wait:.0f} seconds.",
                headers={"Retry-After": str(int(wait) + 1)},
            )
        if self._admin_token is None or not hmac.compare_digest(token.encode(), self._admin_token.encode()):
            self._tries.count(address)
            raise Problem(401, "sign_in_refused", "This is not the admin token (CONNECTOR_ADMIN_TOKEN).")
        self._tries.forget(address)
        now = self._clock()
        return Session(secrets.token_urlsafe(18), now, now)

    def find(self, request: Request) -> Session | None:
        """The session of a request, where it has one that stands."""
        if self._admin_token is None:
            return None
        try:
            session = Session(*self._serializer.loads(request.cookies.get(self._cookie, "")))
        except (BadData, TypeError):
            return None
        now = self._clock()
        if now - session.used_at > IDLE or now - session.began_at > LONGEST:
            return None
        with self._database.read() as tx:
            return None if sessions.ended(tx, session.id) else session

    def keep(self, response: Response, session: Session) -> None:
        """Note in the cookie that the session was used, where that is worth it."""
        now = self._clock()
        if now - session.used_at >= REFRESH or session.used_at == session.began_at:
            value = self._serializer.dumps([session.id, session.began_at, now])
            set_cookie(response, self._cookie, str(value), secure=self._secure)

    def end(self, response: Response, session: Session) -> None:
        self._database.write(lambda tx: sessions.end(tx, session.id, now=self._clock(), keep=LONGEST))
        response.delete_cookie(self._cookie, path="/", secure=self._secure, httponly=True, samesite="Strict")
