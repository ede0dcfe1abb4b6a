"""Judges what a person enters to reach LaunchDarkly: a token and a base URL.

Pure, and must never call LaunchDarkly or repeat a secret: a refusal does not contain what was refused.
"""

from __future__ import annotations

import ipaddress
import json
import re
from functools import lru_cache
from urllib.parse import urlsplit

BASE_URLS = {
    "us": "https://app.launchdarkly.com",
    "eu": "https://app.eu.launchdarkly.com",
    "federal": "https://app.launchdarkly.us",
}
DEFAULT_BASE_URL = BASE_URLS["us"]

_OTHER_KEYS = {
    "sdk-": ("sdk_key", "This is an SDK key, which the REST API does not accept."),
    "mob-": ("mobile_key", "This is a mobile key, which the REST API does not accept."),
}
_CREATE_ONE = (
    "Create a service token under Authorization in LaunchDarkly's organisation settings, and paste it whole: it starts "
    "with api-."
)


class CredentialRefused(ValueError):
    """A token or a base URL that cannot work. `code` is stable; `sentence` is for the person who entered it."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(code, sentence)
        self.code = code
        self.sentence = sentence

    def __str__(self) -> str:
        return self.sentence


def check_api_key(token: str) -> None:
    """Refuse what cannot be a REST API access token.

    Raises `CredentialRefused` with the code of `check_oauth_token`, or `sdk_key`, `mobile_key` or
    `not_an_api_key`. Source: https://launchdarkly.com/docs/api#authentication
    """
    check_oauth_token(token)
    for prefix, (code, sentence) in _OTHER_KEYS.items():
        if token.startswith(prefix):
            raise CredentialRefused(code, f"{sentence} {_CREATE_ONE}")
    if re.fullmatch(r"[0-9a-f]{24}", token):
        sentence = "This is a client-side ID, which the REST API does not accept."
        raise CredentialRefused("not_an_api_key", f"{sentence} {_CREATE_ONE}")
    if not token.removeprefix("api-") or not token.startswith("api-"):
        raise CredentialRefused("not_an_api_key", f"This is not a LaunchDarkly API access token. {_CREATE_ONE}")


def check_oauth_token(token: str) -> None:
    """Refuse what cannot stand in an `Authorization` header.

    Raises `CredentialRefused` with the code `empty`, `bearer`, `white_space` or `not_ascii`.
    """
    if not token.strip():
        raise CredentialRefused("empty", f"The LaunchDarkly API key is empty. {_CREATE_ONE}")
    if token.split(maxsplit=1)[0].lower() == "bearer":
        raise CredentialRefused("bearer", 'Leave out the word "Bearer": enter only the token itself.')
    if any(character.isspace() for character in token):
        raise CredentialRefused("white_space", "The token contains white space: copy it again, without any.")
    if not (token.isascii() and token.isprintable()):
        raise CredentialRefused("not_ascii", "The token contains characters that no token has: copy it again.")


@lru_cache(maxsize=64)
def check_base_url(url: str) -> str:
    """The base URL that `url` (or a name of `BASE_URLS`, such as `eu`) stands for, without `/api/v2` or a slash behind.

    Plain http is for a stand-in on this very machine: elsewhere the token would travel in the clear.

    Raises `CredentialRefused` with the code `base_url_invalid`, `base_url_insecure` or `base_url_extra`.
    """
    url = BASE_URLS.get(url.strip().lower(), url.strip())
    known = ", ".join(f"{name} ({base})" for name, base in BASE_URLS.items())
    # Parsers disagree about back slashes, control characters and letters outside ASCII; none has a place here.
    if not re.fullmatch(r"[!-\[\]-~]+", url):
        raise CredentialRefused("base_url_invalid", f"This is not a URL. Enter one of {known}.")
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        host = ""
    if not host or parts.scheme not in {"http", "https"} or not re.fullmatch(r"[a-z0-9._-]+|[0-9a-f:.]+", host):
        raise CredentialRefused("base_url_invalid", f"This is not an https:// URL. Enter one of {known}.")
    if parts.scheme == "http" and not _is_loopback(host):
        raise CredentialRefused(
            "base_url_insecure", "The token would travel in the clear. Enter the URL with https:// in place of http://."
        )
    if "@" in parts.netloc or "?" in url or "#" in url:
        raise CredentialRefused(
            "base_url_extra",
            "Take the user name, password, query or fragment out of the base URL: only the host counts.",
        )
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path}".rstrip("/").removesuffix("/api/v2")


def least_privilege_policy(project: str) -> str:
    """The inline policy, as JSON, of a service token that may see the project and do anything with its metrics.

    Sources: https://launchdarkly.com/docs/home/account/roles/role-policies,
    https://launchdarkly.com/docs/home/account/private-projects
    """
    return json.dumps(
        [
            {"effect": "allow", "resources": [f"proj/{project}"], "actions": ["viewProject"]},
            {"effect": "allow", "resources": [f"proj/{project}:metric/*"], "actions": ["*"]},
        ]
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
