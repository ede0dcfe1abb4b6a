"""Tries a key on LaunchDarkly for a person who waits: what it can do, or a sentence about what to change.

It must never store or show the key.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from connector.connections import ConnectionRefused, check_project
from connector.delivery.applying import Clients
from connector.launchdarkly import (
    CredentialRefused,
    Forbidden,
    Grant,
    LaunchDarkly,
    LaunchDarklyError,
    NotFound,
    Unauthorized,
    least_privilege_policy,
)
from connector.launchdarkly.trial import Holder, Project, projects, whose, write_a_metric
from connector.store.connections import Connection


class KeyNotUsable(Exception):
    """The key cannot do what the connection needs. `policy` is the inline policy that would let it."""

    def __init__(self, code: str, sentence: str, policy: str | None = None) -> None:
        super().__init__(sentence)
        self.code = code
        self.policy = policy


@dataclass(frozen=True, slots=True)
class Tried:
    """A key that LaunchDarkly knows. `projects` is empty where the key may not list them."""

    holder: Holder
    projects: list[Project]


def try_key(clients: Clients, connection: Connection, partner: str, base_url: str, key: str | Grant) -> Tried:
    """Whose the key (or the consent) is, and what it sees. Raises `KeyNotUsable`."""
    try:
        client = _client(clients, connection, partner, base_url, key)
        return Tried(whose(client), projects(client))
    except Unauthorized as error:
        host = urlsplit(base_url).hostname
        if isinstance(key, Grant):
            raise KeyNotUsable(error.code, f"LaunchDarkly ({host}) ended the consent. Connect once more.") from None
        raise KeyNotUsable(
            error.code,
            f"LaunchDarkly ({host}) does not know this key. Check that it was copied whole, that it was not deleted, "
            "and that your LaunchDarkly is the one chosen above.",
        ) from None
    except (CredentialRefused, LaunchDarklyError) as error:
        raise KeyNotUsable(error.code, str(error)) from None


def try_project(
    clients: Clients, connection: Connection, partner: str, base_url: str, key: str | Grant, project: str
) -> str | None:
    """Whether the key may write metrics in the project; the key of a test metric that it could not delete again.

    Raises `KeyNotUsable`.
    """
    try:
        check_project(project)
        return write_a_metric(_client(clients, connection, partner, base_url, key), project)
    except NotFound as error:
        sentence = (
            f'The key does not see a project with the key "{project}". Check the project key (it is not its name)'
        )
        raise KeyNotUsable(
            error.code, f"{sentence}, or give the key this policy.", least_privilege_policy(project)
        ) from None
    except Forbidden as error:
        if isinstance(key, Grant):
            raise KeyNotUsable(
                error.code,
                f'You may not write metrics in the project "{project}", so neither may the connection. Let a member '
                "who may connect, or use an API key.",
            ) from None
        sentence = (
            f'The key may not write metrics in the project "{project}". Give its token this policy, and try again.'
        )
        raise KeyNotUsable(error.code, sentence, least_privilege_policy(project)) from None
    except (ConnectionRefused, CredentialRefused, LaunchDarklyError) as error:
        raise KeyNotUsable(error.code, str(error)) from None


def _client(clients: Clients, connection: Connection, partner: str, base_url: str, key: str | Grant) -> LaunchDarkly:
    token, oauth = (key.access_token, True) if isinstance(key, Grant) else (key, False)
    tried = replace(connection, base_url=base_url, options=replace(connection.options, oauth=oauth))
    return clients(tried, partner, token)
