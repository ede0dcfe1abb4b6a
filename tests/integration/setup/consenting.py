"""A customer who connects by OAuth, step by step, and what came of it."""

from __future__ import annotations

import requests

from connector.store import grants, rekey
from connector.store.connections import Connection
from connector.store.grants import StoredGrant
from tests.integration.console.conftest import House
from tests.integration.console.visitor import Page, Visitor
from tests.integration.setup.test_setup_page import path_of

BASE = "http://127.0.0.1:8000"
SECRET = "oauth-demo-secret"
OAUTH = {
    "CONNECTOR_BASE_URL": BASE,
    "CONNECTOR_OAUTH_CLIENT_ID": "oauth-demo",
    "CONNECTOR_OAUTH_CLIENT_SECRET": SECRET,
}


def leave(visitor: Visitor, path: str) -> str:
    """Click on Connect; where the page leads to."""
    page = visitor.submit(visitor.get(path).form("/oauth"))
    assert page.status == 200
    url = page.links["Continue to LaunchDarkly"]
    assert ("meta", {"http-equiv": "refresh", "content": f"0; url={url}"}) in page.tags
    return url


def consent(url: str) -> str:
    """LaunchDarkly consents; the way back, without our host."""
    answer = requests.get(url, allow_redirects=False, timeout=60)
    assert answer.status_code == 302, answer.text
    back = str(answer.headers["Location"])
    assert back.startswith(f"{BASE}/setup/oauth/callback?")
    return back.removeprefix(BASE)


def connect(house: House, connection: Connection) -> Page:
    """The whole way, in a browser of its own; with a project to choose it ends before that."""
    visitor = house.visitor()
    return visitor.get(consent(leave(visitor, path_of(house, connection))))


def grant_of(house: House, connection: Connection) -> StoredGrant | None:
    with house.installation.database.read() as tx:
        return grants.get(tx, connection.id)


def refreshes(house: House) -> int:
    asked = requests.get(f"{house.sandbox.url}/sandbox/oauth", timeout=60).json()
    return int(asked.get("refresh_token", 0))


def end(house: House, what: str) -> None:
    requests.post(f"{house.sandbox.url}/sandbox/oauth/{what}", timeout=60).raise_for_status()


def age(house: House, connection: Connection, **times: float) -> None:
    """Let a stored grant be older than it is."""
    from connector.store.tables import oauth_grants  # noqa: PLC0415

    mine = oauth_grants.c.connection_id == connection.id
    house.installation.database.write(lambda tx: tx.execute(oauth_grants.update().where(mine).values(times)))


def secrets_of(house: House) -> set[str]:
    """All that is stored encrypted just now, in the clear, but for what the tests share."""
    with house.installation.database.read() as tx:
        opened = {house.installation.vault.decrypt(each) for each in rekey.sealed(tx)}
    return {each for each in opened if each.startswith(("oauth-", "refresh-", "{"))}
