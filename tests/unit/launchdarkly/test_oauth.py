"""What our OAuth client makes of LaunchDarkly's answers: a grant, or one declared error that repeats no secret."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import parse_qs

import pytest
import responses
from requests import ConnectionError as NoConnection

from connector.launchdarkly import CredentialRefused, LaunchDarklyError, OAuthClient
from connector.launchdarkly.oauth import LIFETIME, Grant, OAuthRefused, OAuthRevoked, OAuthUnavailable

BASE = "https://app.launchdarkly.com"
TOKEN = f"{BASE}/trust/oauth/token"
GOOD = {"access_token": "access-canary", "refresh_token": "refresh-canary-2", "expires_in": 600, "token_type": "bearer"}


@pytest.fixture
def client() -> OAuthClient:
    return OAuthClient(
        "id:1",
        "secret-canary%",
        redirect_uri="https://connector.example.com/setup/oauth/callback",
        user_agent="metrics-oauth-int/1",
        clock=lambda: 1000.0,
    )


@responses.activate
def test_a_code_is_paid_in_with_its_verifier(client: OAuthClient) -> None:
    asked = responses.post(TOKEN, json=GOOD)
    grant = client.exchange(BASE, code="code-canary", verifier="verifier-canary")
    assert grant == Grant("access-canary", "refresh-canary-2", 1600.0)
    assert Grant.from_json(grant.to_json()) == grant
    assert "canary" not in repr(grant)
    request: Any = asked.calls[0].request
    assert parse_qs(request.body) == {
        "grant_type": ["authorization_code"],
        "code": ["code-canary"],
        "code_verifier": ["verifier-canary"],
        "redirect_uri": ["https://connector.example.com/setup/oauth/callback"],
    }
    sent = base64.b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode()
    assert sent == "id%3A1:secret-canary%25"


@responses.activate
@pytest.mark.parametrize("lifetime", [None, 0, -1, True, "600", 1e12])
def test_a_lifetime_that_is_not_said_is_an_hour(client: OAuthClient, lifetime: object) -> None:
    responses.post(TOKEN, json=GOOD | {"expires_in": lifetime})
    assert client.refresh(BASE, "refresh-canary").expires_at == 1000.0 + LIFETIME


@responses.activate
def test_a_refresh_token_that_does_not_rotate_stays(client: OAuthClient) -> None:
    responses.post(TOKEN, json={"access_token": "access-canary"})
    assert client.refresh(BASE, "refresh-canary").refresh_token == "refresh-canary"


@responses.activate
@pytest.mark.parametrize(
    ("status", "answer", "error"),
    [
        (400, {"error": "invalid_grant", "error_description": "refresh-canary"}, OAuthRevoked),
        (401, {"error": "invalid_grant"}, OAuthRevoked),
        (401, {"error": "invalid_client", "error_description": "secret-canary%"}, OAuthRefused),
        (400, {"error": "refresh-canary"}, OAuthRefused),
        (400, {"error": {"canary": 1}}, OAuthRefused),
        (404, {}, OAuthRefused),
        (302, {}, OAuthRefused),
        (429, {}, OAuthUnavailable),
        (503, {"error": "invalid_grant"}, OAuthUnavailable),
        (200, {}, OAuthRefused),
        (200, {"access_token": "access canary", "refresh_token": "x"}, OAuthRefused),
        (200, {"access_token": "access-canary", "refresh_token": 5}, OAuthRefused),
    ],
)
def test_each_refusal_is_declared_and_quiet(
    client: OAuthClient, status: int, answer: dict[str, object], error: type[LaunchDarklyError]
) -> None:
    responses.post(TOKEN, json=answer, status=status, headers={"Location": "https://evil.example.com/"})
    with pytest.raises(error) as raised:
        client.refresh(BASE, "refresh-canary")
    assert "canary" not in str(raised.value)
    assert raised.value.__context__ is None or "canary" not in repr(raised.value.__context__)
    assert len(responses.calls) == 1, "no redirect is followed"


@responses.activate
@pytest.mark.parametrize("body", [NoConnection("refresh-canary"), "<html>", '{"access_token": "acc'])
def test_no_whole_answer_is_no_verdict(client: OAuthClient, body: Any) -> None:
    responses.post(TOKEN, body=body)
    with pytest.raises(OAuthUnavailable) as raised:
        client.refresh(BASE, "refresh-canary")
    assert raised.value.retryable
    assert "canary" not in str(raised.value)


@pytest.mark.parametrize("base_url", ["http://app.launchdarkly.com", "https://x@evil.example.com", "ftp://x", ""])
def test_a_secret_goes_nowhere_in_the_clear(client: OAuthClient, base_url: str) -> None:
    with pytest.raises(CredentialRefused):
        client.refresh(base_url, "refresh-canary")
    with pytest.raises(CredentialRefused):
        client.authorize_url(base_url, state="s", verifier="v")


def test_the_verifier_stays_here(client: OAuthClient) -> None:
    # The example of https://www.rfc-editor.org/rfc/rfc7636#appendix-B
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    url = client.authorize_url("us", state="s", verifier=verifier)
    assert "code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" in url
    assert verifier not in url
    assert url.startswith(f"{BASE}/trust/oauth/authorize?")
    assert "canary" not in url
