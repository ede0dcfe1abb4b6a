"""A customer connects by OAuth in a real browser, which keeps cookies and policies as no test client does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.conftest import required
from tests.browser.stage import Stage, stage


@pytest.fixture
def across_sites() -> Iterator[Stage]:
    """To the browser `localhost` and `127.0.0.1` are two sites, as the connector and LaunchDarkly are."""
    required()
    client = {"CONNECTOR_OAUTH_CLIENT_ID": "oauth-demo", "CONNECTOR_OAUTH_CLIENT_SECRET": "oauth-demo-secret"}
    with stage("localhost", **client) as on:
        yield on


def test_the_way_to_launchdarkly_and_back(across_sites: Stage) -> None:
    on = across_sites
    made = on.api("/connections", {"name": "First Customer", "partner": "standard", "base_url": on.sandbox})
    on.open(on.api(f"/connections/{made['id']}/setup-link", {})["url"])
    on.sees("Or paste an API key")
    assert on.barriers() == []

    # Nobody has to click on: the page leads on by itself, LaunchDarkly consents at once and sends the browser back.
    on.press("Connect with LaunchDarkly")
    on.sees("LaunchDarkly gave its consent")
    assert on.browser.current_url.startswith(f"{on.url}/setup/")
    assert "code=" not in on.browser.current_url
    assert on.barriers() == []
    on.press("Connect")
    on.sees("now keeps the metrics of your LaunchDarkly project demo")
    assert on.complaints() == []

    answer = on.send(made["webhook_url"], made["secret"], "event_type.defined", {"id": "e1", "key": "consented"})
    assert [change["outcome"] for change in answer["changes"]] == ["created"]
    assert "consented" in on.metrics()
