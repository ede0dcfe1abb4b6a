"""The customer's consent by OAuth, as the set-up page asks for it: the way there, the cookie, and the way back.

It must never store a token, or lead a browser anywhere but to LaunchDarkly and to our own pages.
"""

from __future__ import annotations

from werkzeug.wrappers import Request, Response

from connector.launchdarkly import CredentialRefused, Grant, LaunchDarklyError, OAuthClient, OAuthRevoked
from connector.oauth_flows import WITHIN, Departure, OAuthFlows, Return
from connector.setup_links import Setup
from connector.web.pages.forms import cookie_name, set_cookie
from connector.web.setup.trying import KeyNotUsable

LONGEST = 4096
"""Characters of what LaunchDarkly sends back."""


class Consent:
    """`secure` is as for `Forms`."""

    def __init__(self, oauth: OAuthClient, flows: OAuthFlows, *, secure: bool) -> None:
        self._oauth = oauth
        self._flows = flows
        self._secure = secure
        self._cookie = cookie_name("oauth", secure=secure)

    def begin(self, setup: Setup, base_url: str) -> tuple[str, Departure]:
        departure = self._flows.begin(setup, base_url)
        url = self._oauth.authorize_url(departure.base_url, state=departure.state, verifier=departure.verifier)
        return url, departure

    def remember(self, response: Response, departure: Departure) -> None:
        # A browser that comes back from LaunchDarkly brings no cookie that is for this site's own links alone (Strict).
        set_cookie(response, self._cookie, departure.visitor, secure=self._secure, samesite="Lax", max_age=WITHIN)

    def forget(self, response: Response) -> None:
        set_cookie(response, self._cookie, "", secure=self._secure, samesite="Lax", max_age=0)

    def returned(self, incoming: Request) -> Return:
        """Raises `SetupLinkRefused`."""
        return self._flows.finish(incoming.args.get("state", "")[:LONGEST], incoming.cookies.get(self._cookie, ""))

    def pay_in(self, returned: Return, incoming: Request) -> Grant:
        """Raises `KeyNotUsable`."""
        code = incoming.args.get("code", "")
        if not code or len(code) > LONGEST or "error" in incoming.args:
            raise KeyNotUsable(
                "oauth_denied",
                "LaunchDarkly sent you back without a consent, so nothing was connected. Connect once more, or paste "
                "an API key.",
            )
        try:
            return self._oauth.exchange(returned.base_url, code=code, verifier=returned.verifier)
        except OAuthRevoked as error:
            raise KeyNotUsable(
                error.code, "The consent was used already or came too late. Connect once more."
            ) from None
        except (CredentialRefused, LaunchDarklyError) as error:
            raise KeyNotUsable(error.code, str(error)) from None
