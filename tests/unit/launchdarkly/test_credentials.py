from __future__ import annotations

import json
from contextlib import nullcontext as does_not_raise

import pytest

from connector.launchdarkly.credentials import (
    BASE_URLS,
    CredentialRefused,
    check_api_key,
    check_base_url,
    check_oauth_token,
    least_privilege_policy,
)


def test_an_api_token_is_accepted() -> None:
    with does_not_raise():
        check_api_key("api-7b2e90c1-1234")


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("sdk-7b2e90c1", "sdk_key"),
        ("mob-7b2e90c1", "mobile_key"),
        ("Bearer api-7b2e90c1", "bearer"),
        ("bearer\tx", "bearer"),
        ("api-7b2e\n90c1", "white_space"),
        (" api-7b2e90c1", "white_space"),
        ("api-7b2e\N{NO-BREAK SPACE}90c1", "white_space"),
        ("api-7b2e90c\N{LATIN SMALL LETTER E WITH ACUTE}", "not_ascii"),
        ("api-7b2e\N{ZERO WIDTH SPACE}90c1", "not_ascii"),
        ("api-7b2e\x0090c1", "not_ascii"),
        ("507f1f77bcf86cd799439011", "not_an_api_key"),
        ("api-", "not_an_api_key"),
    ],
)
def test_what_is_no_api_token_is_refused_without_being_repeated(token: str, code: str) -> None:
    with pytest.raises(CredentialRefused) as refused:
        check_api_key(token)
    assert refused.value.code == code
    assert str(refused.value) == refused.value.sentence
    assert "7b2e" not in repr(refused.value)


@pytest.mark.parametrize("token", ["sdk-1", "507f1f77bcf86cd799439011"])
def test_the_refusal_of_another_key_says_how_a_right_one_starts(token: str) -> None:
    with pytest.raises(CredentialRefused, match="it starts with api-"):
        check_api_key(token)


def test_an_oauth_token_has_no_prefix() -> None:
    with does_not_raise():
        check_oauth_token("eyJhbGciOi.J9")


@pytest.mark.parametrize(
    ("given", "normalised"),
    [
        ("eu", BASE_URLS["eu"]),
        (" Federal ", BASE_URLS["federal"]),
        ("https://app.launchdarkly.com", BASE_URLS["us"]),
        ("HTTPS://App.LaunchDarkly.com//", BASE_URLS["us"]),
        ("https://app.launchdarkly.com/api/v2/", BASE_URLS["us"]),
        ("https://proxy.example/launchdarkly/", "https://proxy.example/launchdarkly"),
        ("http://localhost:9100/", "http://localhost:9100"),
        ("http://127.8.0.1:9100", "http://127.8.0.1:9100"),
        ("http://[::1]:9100", "http://[::1]:9100"),
    ],
)
def test_a_base_url_or_its_name_is_normalised(given: str, normalised: str) -> None:
    assert check_base_url(given) == normalised


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", "base_url_invalid"),
        ("asia", "base_url_invalid"),
        ("app.launchdarkly.com", "base_url_invalid"),
        ("ftp://app.launchdarkly.com", "base_url_invalid"),
        ("https://", "base_url_invalid"),
        ("https://[::1", "base_url_invalid"),
        ("https://host:port", "base_url_invalid"),
        ("https://a b", "base_url_invalid"),
        ("https://good.example\\@evil.example", "base_url_invalid"),
        ("https://b\N{LATIN SMALL LETTER U WITH DIAERESIS}cher.example", "base_url_invalid"),
        ("http://app.launchdarkly.com", "base_url_insecure"),
        ("http://127.0.0.1.evil.example", "base_url_insecure"),
        ("http://localhost.evil.example", "base_url_insecure"),
        ("http://10.0.0.1", "base_url_insecure"),
        ("https://user:hunter2@app.launchdarkly.com", "base_url_extra"),
        ("https://app.launchdarkly.com?x=hunter2", "base_url_extra"),
        ("https://app.launchdarkly.com/#", "base_url_extra"),
    ],
)
def test_a_base_url_that_could_leak_the_token_or_cannot_work_is_refused(url: str, code: str) -> None:
    with pytest.raises(CredentialRefused) as refused:
        check_base_url(url)
    assert refused.value.code == code
    assert "hunter2" not in str(refused.value)


def test_the_least_privilege_is_seeing_the_project_and_changing_its_metrics() -> None:
    assert json.loads(least_privilege_policy("shop")) == [
        {"effect": "allow", "resources": ["proj/shop"], "actions": ["viewProject"]},
        {"effect": "allow", "resources": ["proj/shop:metric/*"], "actions": ["*"]},
    ]
