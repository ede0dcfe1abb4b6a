"""Forms that only their own page can send (against CSRF), by a token that is bound to the visitor's cookie.

It must never know what a form is for.
Source: https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from flask import g, request
from werkzeug.wrappers import Request, Response

from connector.store.vault import Vault
from connector.web.problems import Problem

FIELD = "form_token"


class Forms:
    """`secure` says whether this service is reached by https: only then can a cookie be bound to its host."""

    def __init__(self, vault: Vault, *, secure: bool) -> None:
        self._key = vault.derive("form token")[-1]
        self._secure = secure
        self._cookie = cookie_name("form", secure=secure)

    def token(self) -> str:
        """The token for the forms of the page that is being made."""
        return self._token(self._visitor())

    def check(self, incoming: Request) -> None:
        """Raises `Problem` unless the form comes from a page of ours that this very browser was shown."""
        # A browser says where a request comes from; one that does not is judged by the token alone.
        site = incoming.headers.get("Sec-Fetch-Site", "same-origin")
        visitor = incoming.cookies.get(self._cookie, "")
        good = bool(visitor) and hmac.compare_digest(
            incoming.form.get(FIELD, "").encode(), self._token(visitor).encode()
        )
        if site not in {"same-origin", "none"} or not good:
            raise Problem(
                403,
                "form_refused",
                "This form is out of date, or does not come from this site; nothing was done. "
                "Go back, load the page again, and send it once more.",
            )

    def remember(self, response: Response) -> None:
        """Give a new visitor the cookie that the forms of this answer are bound to."""
        if "form_visitor" in g and g.form_visitor != request.cookies.get(self._cookie):
            set_cookie(response, self._cookie, g.form_visitor, secure=self._secure)

    def _visitor(self) -> str:
        if "form_visitor" not in g:
            g.form_visitor = request.cookies.get(self._cookie) or secrets.token_urlsafe(18)
        return str(g.form_visitor)

    def _token(self, visitor: str) -> str:
        # The console's session is part of it, so that a token ends with the session.
        bound = f"{visitor} {g.get('session_id', '')}"
        return hmac.new(self._key, bound.encode(), hashlib.sha256).hexdigest()


def cookie_name(what: str, *, secure: bool) -> str:
    """A browser takes `__Host-` cookies from this very host alone, and over https only."""
    return f"__Host-connector-{what}" if secure else f"connector-{what}"


def set_cookie(
    response: Response, name: str, value: str, *, secure: bool, samesite: str = "Strict", max_age: float | None = None
) -> None:
    """`max_age` is in seconds; without one the cookie ends with the browser."""
    age = None if max_age is None else int(max_age)
    response.set_cookie(name, value, max_age=age, path="/", secure=secure, httponly=True, samesite=samesite)
