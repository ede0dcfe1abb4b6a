"""The OAuth client's settings: both or none, with the public address, and never shown."""

from __future__ import annotations

import pytest

from connector.installation import oauth_client
from connector.settings import Settings, SettingsError

BOTH = {"CONNECTOR_OAUTH_CLIENT_ID": "id", "CONNECTOR_OAUTH_CLIENT_SECRET": "secret-canary"}
BASE = {"CONNECTOR_BASE_URL": "https://connector.example.com/"}


def test_with_both_and_the_address_there_is_a_client() -> None:
    settings = Settings.from_environment(BOTH | BASE)
    client = oauth_client(settings)
    assert client is not None
    url = client.authorize_url("eu", state="s", verifier="v")
    assert "redirect_uri=https%3A%2F%2Fconnector.example.com%2Fsetup%2Foauth%2Fcallback" in url
    assert "canary" not in f"{settings!r}{client!r}{url}"


def test_without_there_is_none() -> None:
    assert oauth_client(Settings.from_environment({})) is None


@pytest.mark.parametrize("missing", [*BOTH, *BASE])
def test_what_is_missing_is_named(missing: str) -> None:
    given = {name: value for name, value in (BOTH | BASE).items() if name != missing}
    with pytest.raises(SettingsError, match=missing) as raised:
        Settings.from_environment(given)
    assert "canary" not in str(raised.value)
