"""LaunchDarkly's OAuth 2.0, seen from a client: where a person consents, how a code or a refresh token is paid in.

It must never store anything, retry, follow a redirect, or let a code, a token or the client's secret into an exception.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import quote_plus, urlencode

import requests
from requests.auth import AuthBase

from connector.launchdarkly.credentials import CredentialRefused, check_base_url, check_oauth_token
from connector.launchdarkly.errors import LaunchDarklyError, Unauthorized
from connector.launchdarkly.transport import pooled_session, read_object, send

# There are `reader` and `writer` only: https://launchdarkly.com/docs/api/o-auth-2-clients
SCOPE = "writer"
_AUTHORIZE, _TOKEN = "/trust/oauth/authorize", "/trust/oauth/token"

LIFETIME = 3600.0
"""Seconds that an access token is taken to live where LaunchDarkly does not say: a 401 before that renews it, too."""


class OAuthRevoked(Unauthorized):
    """A code or refresh token is no good (any more): the customer took the consent back, or it was used before."""

    code = "oauth_revoked"
    advice = "Let the customer connect again: send them a new set-up link."


class OAuthUnavailable(LaunchDarklyError):
    """There is no token at the moment: no answer, an error of the server, or another process is renewing it."""

    code = "oauth_unavailable"
    retryable = True
    advice = "Nothing: it is tried again."


class OAuthRefused(LaunchDarklyError):
    """LaunchDarkly refuses our OAuth client, or answers without a token: a matter of settings, not of the customer."""

    code = "oauth_refused"
    retryable = True
    advice = (
        "Check CONNECTOR_OAUTH_CLIENT_ID and CONNECTOR_OAUTH_CLIENT_SECRET, that the client is registered at this "
        "LaunchDarkly instance, and that its redirect URI is the one in the docs."
    )


@dataclass(frozen=True, slots=True)
class Grant:
    """What a consent gives. `expires_at` is when the access token ends, in unix seconds."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: float

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Grant:
        return cls(**json.loads(text))


class OAuthClient:
    """Our client, as it is registered at LaunchDarkly; may be shared by threads.

    Every method raises `CredentialRefused` for a base URL that may not be called; `exchange` and `refresh` raise
    `OAuthRevoked`, `OAuthUnavailable` or `OAuthRefused` as well. `timeout` is as for `LaunchDarkly`.
    Source: https://www.rfc-editor.org/rfc/rfc6749, https://www.rfc-editor.org/rfc/rfc7636
    """

    def __init__(
        self,
        client_id: str,
        client_secret: str,
        *,
        redirect_uri: str,
        user_agent: str,
        session: requests.Session | None = None,
        timeout: tuple[float, float] = (3.05, 10.0),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client_id = client_id
        self._authorization = _Client(client_id, client_secret)
        self._redirect_uri = redirect_uri
        self._headers = {"User-Agent": user_agent, "Accept": "application/json"}
        self._session = session or pooled_session(1)
        self._timeout = timeout
        self._clock = clock

    def __repr__(self) -> str:
        return "OAuthClient(…)"

    def authorize_url(self, base_url: str, *, state: str, verifier: str) -> str:
        """Where the customer's browser goes to consent; `verifier` stays here, only its digest goes along (S256)."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": self._redirect_uri,
            "scope": SCOPE,
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return f"{check_base_url(base_url)}{_AUTHORIZE}?{urlencode(asked)}"

    def exchange(self, base_url: str, *, code: str, verifier: str) -> Grant:
        """Pay in the code of a consent."""
        paid = {"code": code, "code_verifier": verifier, "redirect_uri": self._redirect_uri}
        return self._ask(base_url, {"grant_type": "authorization_code", **paid}, refresh_token=None)

    def refresh(self, base_url: str, refresh_token: str) -> Grant:
        """A fresh access token, and the refresh token to use next time: the one before may be void from now on."""
        paid = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return self._ask(base_url, paid, refresh_token=refresh_token)

    def _ask(self, base_url: str, form: dict[str, str], *, refresh_token: str | None) -> Grant:
        asked_at = self._clock()
        response = send(
            self._session,
            "POST",
            check_base_url(base_url) + _TOKEN,
            authorization=self._authorization,
            headers=self._headers,
            timeout=self._timeout,
            form=form,
        )
        if isinstance(response, LaunchDarklyError):
            raise OAuthUnavailable(f"LaunchDarkly gave no OAuth token ({type(response).__name__}).")
        status, answer = response.status_code, read_object(response)
        if not 200 <= status < 300:
            raise _refusal(status, answer or {})
        if answer is None:
            # It may have been cut off on the way; what a page of HTML means shows when it comes again.
            raise OAuthUnavailable("LaunchDarkly's answer is not a whole JSON object.")
        return _grant(answer, asked_at, refresh_token)


class _Client(AuthBase):
    """HTTP Basic with both parts form-encoded: https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1"""

    def __init__(self, client_id: str, client_secret: str) -> None:
        pair = f"{quote_plus(client_id)}:{quote_plus(client_secret)}"
        self._header = f"Basic {base64.b64encode(pair.encode()).decode()}"

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._header
        return request


def _refusal(status: int, answer: dict[str, Any]) -> LaunchDarklyError:
    # Of the answer only the name of the error is repeated: a description may quote what was sent.
    named = answer.get("error")
    word = named if isinstance(named, str) and re.fullmatch(r"[a-z_]{1,40}", named) else "no reason given"
    error: LaunchDarklyError
    if status in {400, 401} and named == "invalid_grant":
        error = OAuthRevoked("LaunchDarkly does not accept the consent (any more).")
    elif status == 429 or status >= 500:
        error = OAuthUnavailable(f"LaunchDarkly gave no OAuth token (HTTP {status}).")
    else:
        error = OAuthRefused(f"LaunchDarkly refused our OAuth client (HTTP {status}, {word}).")
    error.status = status
    return error


def _grant(answer: dict[str, Any], asked_at: float, refresh_token: str | None) -> Grant:
    access, refresh = answer.get("access_token"), answer.get("refresh_token", refresh_token)
    if not (isinstance(access, str) and isinstance(refresh, str) and refresh):
        raise OAuthRefused("LaunchDarkly's answer has no access token, or no refresh token.")
    try:
        check_oauth_token(access)
    except CredentialRefused:
        raise OAuthRefused("LaunchDarkly's access token is malformed.") from None
    lifetime = answer.get("expires_in")
    known = isinstance(lifetime, int | float) and not isinstance(lifetime, bool) and 0 < lifetime < 1e9
    return Grant(access, refresh, asked_at + (float(lifetime) if known else LIFETIME))  # type: ignore[arg-type]
