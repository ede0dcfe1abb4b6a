"""Set-up links: a customer finishes a connection by entering a LaunchDarkly key of their own.

A link is signed, expires, and works until it has been used once. It must never know how a page looks or how a key is
tried.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy import Connection as Tx

from connector.connections import ConnectionRefused, check_project
from connector.launchdarkly import Grant, check_api_key, check_base_url, check_oauth_token
from connector.store import connections, endpoints, grants, setup_links
from connector.store.connections import Connection, ConnectionState
from connector.store.database import Database
from connector.store.rows import new_id
from connector.store.setup_links import SetupLink
from connector.store.vault import Vault

EXPIRES = 7 * 24 * 3600.0
LONGEST = 90 * 24 * 3600.0
"""Seconds that a link works: by default, and at most."""


class SetupLinkRefused(Exception):
    """The link does not work (any more). `code` is stable, the sentence is for the customer."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, slots=True)
class Setup:
    """What a link that works leads to. `credential` is the key or consent that was tried, till a project is chosen."""

    link_id: str
    connection: Connection
    partner: str
    expires_at: float
    base_url: str
    credential: str | Grant | None = field(default=None, repr=False)

    @property
    def chooses_project(self) -> bool:
        """Whether the customer chooses the project: once metrics stand in one, it stays."""
        return not self.connection.project_key


class SetupLinks:
    """Makes links and opens them again. `base_url` is the public address of this service."""

    def __init__(
        self, database: Database, vault: Vault, *, base_url: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._vault = vault
        self._base_url = base_url
        self._clock = clock
        self._serializer = URLSafeSerializer(
            vault.derive("set-up link"),
            salt="set-up link",
            signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"},
        )

    def make(self, connection: Connection, *, expires: float = EXPIRES) -> str:
        """The address of a new link for `connection`, good for `expires` seconds; the one before stops working.

        Raises `ConnectionRefused`.
        """
        if connection.state is ConnectionState.REMOVED:
            raise ConnectionRefused(f"The connection {connection.name!r} is removed; add it again.")
        if not 60 <= expires <= LONGEST:
            raise ConnectionRefused(f"A set-up link works for 60 to {LONGEST:.0f} seconds, not {expires:g}.")
        now = self._clock()
        link = SetupLink(new_id("set", now), connection.id, created_at=now, expires_at=now + expires)

        def write(tx: Tx) -> None:
            endpoint = endpoints.get(tx, connection.endpoint_id)
            if endpoint is None or endpoint.origin == "environment":
                raise ConnectionRefused("The key of `default` is LAUNCHDARKLY_API_KEY: change it there and restart.")
            setup_links.forget_held(tx, now=now)
            setup_links.add(tx, link)

        self._database.write(write)
        return f"{self._base_url}/setup/{self.token(link.id)}"

    def token(self, link_id: str) -> str:
        """What stands for the link in its address."""
        return str(self._serializer.dumps(link_id))

    def open(self, token: str) -> Setup:
        """What the link leads to. Raises `SetupLinkRefused`."""
        try:
            link_id = self._serializer.loads(token)
        except BadData:
            link_id = None
        with self._database.read() as tx:
            link = setup_links.get(tx, link_id) if isinstance(link_id, str) else None
            connection = None if link is None else connections.get(tx, link.connection_id)
            endpoint = None if connection is None else endpoints.get(tx, connection.endpoint_id)
        if link is None or connection is None or endpoint is None:
            raise SetupLinkRefused(
                "setup_link_unknown", "This link is not whole, or a newer one took its place. Ask for a new one."
            )
        if link.used_at is not None:
            raise SetupLinkRefused(
                "setup_link_used", "This link was used already. Ask for a new one to change the key."
            )
        if link.expires_at <= self._clock():
            raise SetupLinkRefused("setup_link_expired", "This link has expired. Ask for a new one.")
        if connection.state is ConnectionState.REMOVED:
            raise SetupLinkRefused("setup_link_unknown", "The connection that this link was for is gone.")
        return Setup(
            link_id=link.id,
            connection=connection,
            partner=endpoint.partner,
            expires_at=link.expires_at,
            base_url=link.base_url or connection.base_url,
            credential=None if link.credential is None else _held(self._vault.decrypt(link.credential)),
        )

    def hold(self, setup: Setup, *, base_url: str, credential: str | Grant) -> None:
        """Keep what was tried, encrypted, until the project is chosen. Raises `CredentialRefused`."""
        if isinstance(credential, Grant):
            check_oauth_token(credential.access_token)
            text = credential.to_json()
        else:
            check_api_key(credential)
            text = credential
        address, sealed = check_base_url(base_url), self._vault.encrypt(text)
        self._database.write(lambda tx: setup_links.hold(tx, setup.link_id, base_url=address, credential=sealed))

    def release(self, setup: Setup) -> None:
        """Forget the key that is held."""
        self._database.write(lambda tx: setup_links.release(tx, setup.link_id))

    def finish(
        self,
        setup: Setup,
        *,
        project_key: str,
        base_url: str,
        credential: str | Grant,
        expires_at: float | None = None,
    ) -> None:
        """Store key or consent, and project, use the link up, and resume the connection: all of it or nothing.

        `expires_at` (unix seconds) is when a key ends, where that is known; a consent is renewed by itself.
        Raises `SetupLinkRefused`, `ConnectionRefused` or `CredentialRefused`.
        """
        grant = credential if isinstance(credential, Grant) else None
        key = credential.access_token if isinstance(credential, Grant) else credential
        (check_api_key if grant is None else check_oauth_token)(key)
        check_project(project_key)
        address, now = check_base_url(base_url), self._clock()

        def write(tx: Tx) -> None:
            connection_id = setup.connection.id
            standing = connections.get(tx, connection_id)
            if standing is None or standing.state is ConnectionState.REMOVED:
                raise SetupLinkRefused("setup_link_unknown", "The connection that this link was for is gone.")
            if not setup_links.use(tx, setup.link_id, now=now):
                raise SetupLinkRefused("setup_link_used", "This link was used already, or has expired meanwhile.")
            options = replace(standing.options, oauth=grant is not None)
            connections.save(tx, replace(standing, project_key=project_key, base_url=address, options=options))
            expiry = expires_at if grant is None else None
            connections.set_credential(tx, self._vault, connection_id, key, expires_at=expiry)
            if grant is not None:
                grants.put(tx, self._vault, connection_id, grant.refresh_token, expires_at=grant.expires_at, now=now)
            connections.set_state(tx, connection_id, ConnectionState.ACTIVE)

        self._database.write(write)


def _held(text: str) -> str | Grant:
    # No API key begins like a JSON object: `check_api_key`.
    return Grant.from_json(text) if text.startswith("{") else text
