"""Who may call the sandbox, and how it refuses the others."""

from __future__ import annotations

import pytest

from connector.sandbox import ApiKey, create_sandbox


@pytest.mark.parametrize(
    "token",
    [None, "", "api-unknown", "sdk-1234", "mob-1234", "Bearer api-demo", "oauth-token", "Basic oauth-token"],
)
def test_a_token_that_is_not_one_is_unauthorised(call, token):
    answer = call("GET", "/api/v2/caller-identity", token=token)
    assert answer.status_code == 401
    assert {**answer.json, "id": ""} == {"code": "unauthorized", "message": "Invalid access token", "id": ""}


def test_an_oauth_token_goes_as_bearer(call):
    assert call("GET", "/api/v2/caller-identity", token="Bearer oauth-token").json["authKind"] == "oauth"


@pytest.mark.parametrize("token", ["sdk-1234", "mob-1234"])
def test_a_sandbox_cannot_be_given_an_sdk_or_mobile_key(token):
    with pytest.raises(ValueError, match="takes no SDK or mobile key"):
        ApiKey(token)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v2/metrics/demo"),
        ("PATCH", "/api/v2/metrics/demo/orders"),
        ("DELETE", "/api/v2/metrics/demo/orders"),
    ],
)
def test_a_reader_cannot_write(call, method, path):
    answer = call(method, path, {}, token="api-reader")
    assert (answer.status_code, answer.json["code"]) == (403, "forbidden")


def test_a_reader_reads(call):
    assert call("GET", "/api/v2/metrics/demo", token="api-reader").json["totalCount"] == 0


@pytest.mark.parametrize(
    ("path", "token"),
    [
        ("/api/v2/metrics/nowhere", "api-demo"),
        ("/api/v2/projects/nowhere", "api-demo"),
        ("/api/v2/metrics/demo", "api-other"),
        ("/api/v2/projects/demo", "api-other"),
    ],
)
def test_an_unknown_project_and_another_accounts_are_not_found(call, path, token):
    answer = call("GET", path, token=token)
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")


def test_a_token_lists_the_projects_of_its_account(call):
    assert [item["key"] for item in call("GET", "/api/v2/projects").json["items"]] == ["demo", "other"]
    assert [item["key"] for item in call("GET", "/api/v2/projects", token="api-other").json["items"]] == ["other"]


def test_the_caller_learns_who_it_is(call):
    service = call("GET", "/api/v2/caller-identity").json
    assert (service["serviceToken"], service["scopes"]) == (True, ["writer"])
    person = call("GET", "/api/v2/caller-identity", token="api-person").json
    assert (person["serviceToken"], person["memberId"]) == (False, "5f00000000000000000000aa")
    other = call("GET", "/api/v2/caller-identity", token="api-other").json
    assert other["accountId"] != service["accountId"] == person["accountId"]


def test_a_path_or_method_that_does_not_exist_is_refused_in_the_same_shape(call):
    missing = call("GET", "/api/v2/flags/demo")
    assert (missing.status_code, missing.json["code"]) == (404, "not_found")
    wrong = call("PUT", "/api/v2/metrics/demo/orders", {})
    assert (wrong.status_code, wrong.json["code"]) == (405, "method_not_allowed")
    assert "PATCH" in wrong.headers["Allow"]


def test_a_sandbox_without_settings_has_the_project_and_the_token_of_the_demo():
    answer = create_sandbox().test_client().get("/api/v2/projects/demo", headers={"Authorization": "api-demo"})
    assert answer.json["key"] == "demo"


def test_a_token_tells_its_end_and_is_refused_from_then_on(start, time):
    call = start(key_lifetime=60)
    identity = call("GET", "/api/v2/caller-identity").json
    assert identity["expiresAt"] == (time.now + 60) * 1000
    time.now += 60
    assert call("GET", "/api/v2/caller-identity").status_code == 401


def test_a_token_has_no_end_where_none_is_set(call):
    assert "expiresAt" not in call("GET", "/api/v2/caller-identity").json
