"""The sandbox's OAuth server keeps the rules that the connector relies on."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from werkzeug.test import TestResponse

from tests.unit.sandbox.conftest import Caller, Time

BACK = "http://127.0.0.1:8000/setup/oauth/callback"
SECRET = "oauth-demo-secret"
VERIFIER = "v" * 43
ASK = {
    "response_type": "code",
    "client_id": "oauth-demo",
    "redirect_uri": BACK,
    "scope": "writer",
    "state": "s",
    "code_challenge": base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode(),
    "code_challenge_method": "S256",
}


def consent(call: Caller, **changes: str) -> dict[str, list[str]]:
    answer = call.client.get("/trust/oauth/authorize", query_string={**ASK, **changes})
    assert answer.status_code == 302, answer.text
    assert answer.headers["Location"].startswith(f"{BACK}?")
    return parse_qs(urlsplit(answer.headers["Location"]).query)


def pay_in(call: Caller, secret: str = SECRET, **form: str) -> TestResponse:
    return call.client.post("/trust/oauth/token", data=form, auth=("oauth-demo", secret))


def code_form(call: Caller) -> dict[str, str]:
    code = consent(call)["code"][0]
    return {"grant_type": "authorization_code", "code": code, "code_verifier": VERIFIER, "redirect_uri": BACK}


def granted(call: Caller) -> Any:
    return pay_in(call, **code_form(call)).get_json()


def works(call: Caller, token: str) -> bool:
    return call("GET", "/api/v2/caller-identity", token=f"Bearer {token}").status_code == 200


def test_a_code_is_good_once(call: Caller) -> None:
    form = code_form(call)
    given = pay_in(call, **form)
    assert given.headers["Cache-Control"] == "no-store"
    assert works(call, given.get_json()["access_token"])
    assert not works(call, given.get_json()["refresh_token"])
    assert pay_in(call, **form).get_json() == {"error": "invalid_grant"}


@pytest.mark.parametrize("wrong", [{"code_verifier": "w" * 43}, {"redirect_uri": BACK + "/"}, {"code": "code-x"}])
def test_a_code_needs_what_it_was_asked_for_with(call: Caller, wrong: dict[str, str]) -> None:
    form = code_form(call)
    assert pay_in(call, **(form | wrong)).status_code == 400
    if "code" not in wrong:
        assert pay_in(call, **form).status_code == 400, "and is void after a wrong try"


def test_another_client_gets_nothing(call: Caller) -> None:
    answer = pay_in(call, secret="wrong", **code_form(call))
    assert (answer.status_code, answer.get_json()) == (401, {"error": "invalid_client"})


def test_a_refresh_token_rotates(call: Caller) -> None:
    first = granted(call)
    second = pay_in(call, grant_type="refresh_token", refresh_token=first["refresh_token"]).get_json()
    assert works(call, second["access_token"])
    again = pay_in(call, grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert again.get_json() == {"error": "invalid_grant"}


def test_access_ends_with_time_on_demand_or_with_the_consent(start: Callable[..., Caller], time: Time) -> None:
    call = start()
    given = granted(call)
    time.now += 3600
    assert not works(call, given["access_token"])
    refresh = {"grant_type": "refresh_token", "refresh_token": given["refresh_token"]}
    given = pay_in(call, **refresh).get_json()
    assert call("POST", "/sandbox/oauth/expire").status_code == 204
    assert not works(call, given["access_token"])
    given = pay_in(call, grant_type="refresh_token", refresh_token=given["refresh_token"]).get_json()
    assert call("POST", "/sandbox/oauth/revoke").status_code == 204
    assert not works(call, given["access_token"])
    assert pay_in(call, grant_type="refresh_token", refresh_token=given["refresh_token"]).status_code == 400
    assert call("GET", "/sandbox/oauth").get_json() == {"authorization_code": 1, "refresh_token": 3}


@pytest.mark.parametrize(
    "wrong",
    [{"redirect_uri": "https://evil.example.com/"}, {"redirect_uri": BACK + "?x=1"}, {"client_id": "nobody"}],
)
def test_nobody_is_sent_elsewhere(call: Caller, wrong: dict[str, str]) -> None:
    assert call.client.get("/trust/oauth/authorize", query_string={**ASK, **wrong}).status_code == 400


@pytest.mark.parametrize("wrong", [{"scope": "admin"}, {"code_challenge_method": "plain"}, {"response_type": "token"}])
def test_what_is_asked_wrongly_is_no_consent(call: Caller, wrong: dict[str, str]) -> None:
    assert consent(call, **wrong) == {"state": ["s"], "error": ["invalid_request"]}
