"""LaunchDarkly's OAuth 2.0 server over HTTP: a consent that is given at once, and tokens for its code.

It must never send a browser, or a code, anywhere but to this very machine.
"""

from __future__ import annotations

import secrets
from urllib.parse import unquote_plus, urlencode, urlsplit

from flask import Blueprint, Response, redirect, request

from connector.sandbox.errors import InvalidRequestError
from connector.sandbox.exchange import answer, sandbox
from connector.sandbox.granting import TokenRefused

oauth = Blueprint("oauth", __name__, url_prefix="/trust/oauth")


@oauth.get("/authorize")
def authorize() -> Response:
    """Consents at once, for a browser of this machine."""
    asked = request.args
    redirect_uri = asked.get("redirect_uri", "")
    parts = urlsplit(redirect_uri)
    if parts.hostname not in {"127.0.0.1", "localhost", "::1"} or parts.query or parts.fragment:
        raise InvalidRequestError("the redirect URI must be on this very machine, without a query")
    if asked.get("client_id") != sandbox().config.oauth.client_id:
        raise InvalidRequestError("there is no such OAuth client")
    said = {"state": asked.get("state", "")}
    challenge = asked.get("code_challenge", "") if asked.get("code_challenge_method") == "S256" else ""
    if asked.get("response_type") == "code" and asked.get("scope") in {"reader", "writer"} and challenge:
        said["code"] = sandbox().grants.code(challenge, redirect_uri)
    else:
        said["error"] = "invalid_request"
    return redirect(f"{redirect_uri}?{urlencode(said)}", 302)  # type: ignore[return-value]


@oauth.post("/token")
def token() -> Response:
    app, given = sandbox().config.oauth, request.authorization
    sent = "" if given is None else f"{unquote_plus(given.username or '')}:{unquote_plus(given.password or '')}"
    if not secrets.compare_digest(sent.encode(), f"{app.client_id}:{app.client_secret}".encode()):
        return answer({"error": "invalid_client"}, 401)
    try:
        response = answer(sandbox().grants.token(request.form.to_dict()))
    except TokenRefused as refused:
        response = answer({"error": refused.error}, 400)
    response.headers["Cache-Control"] = "no-store"
    return response
