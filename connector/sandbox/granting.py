"""The codes and tokens of the sandbox's OAuth server: they end, rotate and are revoked. It must never know HTTP.

Source: https://www.rfc-editor.org/rfc/rfc6749, https://www.rfc-editor.org/rfc/rfc7636
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from connector.sandbox.config import ApiKey, OAuthApp

CODE_LIFETIME = 60.0
_MEMBER = "5f00000000000000000000aa"


class TokenRefused(Exception):
    """`error` is the standard's word: https://www.rfc-editor.org/rfc/rfc6749#section-5.2"""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


@dataclass(frozen=True, slots=True)
class _Code:
    challenge: str
    redirect_uri: str
    ends: float


class GrantBook:
    """The codes and tokens that were given; may be used by many threads."""

    def __init__(self, app: OAuthApp, clock: Callable[[], float]) -> None:
        self._app = app
        self._clock = clock
        self._lock = threading.Lock()
        self._codes: dict[str, _Code] = {}
        self._refresh: set[str] = set()
        self._access: dict[str, float] = {}
        self.asked: Counter[str] = Counter()
        """How often each kind of token was asked for, whatever the answer."""

    def code(self, challenge: str, redirect_uri: str) -> str:
        with self._lock:
            code = f"code-{secrets.token_urlsafe(24)}"
            self._codes[code] = _Code(challenge, redirect_uri, self._clock() + CODE_LIFETIME)
            return code

    def token(self, form: dict[str, str]) -> dict[str, Any]:
        """Raises `TokenRefused`."""
        with self._lock:
            kind = form.get("grant_type", "")
            self.asked[kind] += 1
            if kind == "authorization_code":
                self._pay_in(form)
            elif kind != "refresh_token":
                raise TokenRefused("unsupported_grant_type")
            elif form.get("refresh_token") not in self._refresh:
                raise TokenRefused("invalid_grant")
            self._refresh.discard(form.get("refresh_token", ""))
            access, refresh = f"oauth-{secrets.token_urlsafe(24)}", f"refresh-{secrets.token_urlsafe(24)}"
            self._refresh.add(refresh)
            self._access[access] = self._clock() + self._app.lifetime
            return {
                "access_token": access,
                "refresh_token": refresh,
                "token_type": "Bearer",
                "expires_in": self._app.lifetime,
                "scope": "writer",
            }

    def key(self, token: str) -> ApiKey | None:
        with self._lock:
            good = self._access.get(token, 0.0) > self._clock()
            return ApiKey(token, member_id=_MEMBER, oauth=True) if good else None

    def expire(self) -> None:
        """End every access token; the refresh tokens stay good."""
        with self._lock:
            self._access.clear()

    def revoke(self) -> None:
        """End everything, as a person who takes the consent back."""
        with self._lock:
            self._access.clear()
            self._refresh.clear()
            self._codes.clear()

    def _pay_in(self, form: dict[str, str]) -> None:
        code = self._codes.pop(form.get("code", ""), None)  # good once, whatever comes of it
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if code is None or code.ends <= self._clock() or code.redirect_uri != form.get("redirect_uri"):
            raise TokenRefused("invalid_grant")
        if code.challenge != challenge:
            raise TokenRefused("invalid_grant")
