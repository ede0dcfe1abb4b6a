"""Gives an OAuth connection an access token that works: renewed ahead, or when it is needed, by one process at a time.

It must never let a token into a log or an exception. Where the customer took the consent back, the connection pauses.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import Connection as Tx

from connector.launchdarkly import CredentialRefused, Grant, LaunchDarklyError, OAuthClient, OAuthRevoked
from connector.launchdarkly import OAuthUnavailable as Unavailable
from connector.store import connections, grants
from connector.store.connections import ConnectionState
from connector.store.database import Database, StoreUnavailable
from connector.store.grants import StoredGrant
from connector.store.vault import Vault, VaultError

log = logging.getLogger(__name__)

EVERY = 60.0
"""Seconds between two looks for tokens to renew."""

LEASE = 45.0
"""Seconds in which nobody else uses a refresh token: longer than a call takes, and the wait after one that failed."""

SPARE = 30.0
"""Seconds before its end at which an access token is no longer used."""

FRESH = 60.0
"""Seconds in which a renewed token that LaunchDarkly rejects is not renewed once more: that would go on without end."""

PATIENCE = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds to wait for a store that does not take what LaunchDarkly gave: the token before may be void already."""


class Tokens:
    """The access tokens of all connections. `oauth` is None where the installation has no OAuth client (any more)."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        oauth: OAuthClient | None,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._database = database
        self._vault = vault
        self._oauth = oauth
        self._clock = clock
        self._sleep = sleep

    def bearer(self, connection_id: str) -> ConnectionBearer:
        return ConnectionBearer(self, connection_id)

    def usable(self, connection_id: str) -> str:
        """Raises a `LaunchDarklyError`, `CredentialRefused` or `VaultError`."""
        token, grant = self._stored(connection_id)
        if grant is None or self._oauth is None or self._clock() < grant.expires_at - SPARE:
            return token
        return self._renew(self._oauth, grant)

    def renewed(self, connection_id: str, rejected: str) -> str | None:
        """Raises what `usable` raises."""
        token, grant = self._stored(connection_id)
        if token != rejected:
            return token or None  # somebody was faster
        if grant is None or self._oauth is None or self._clock() < grant.renewed_at + FRESH:
            return None
        return self._renew(self._oauth, grant)

    def renew_due(self) -> None:
        """Renew what ends soon. Raises `StoreUnavailable` only."""
        if self._oauth is None:
            return
        with self._database.read() as tx:
            due = grants.due(tx, now=self._clock())
        for grant in due:
            try:
                self._renew(self._oauth, grant)
            except (LaunchDarklyError, CredentialRefused, VaultError) as error:
                log.warning("an OAuth token was not renewed: %s", error.code, extra={"connection": grant.connection_id})

    def _stored(self, connection_id: str) -> tuple[str, StoredGrant | None]:
        with self._database.read() as tx:
            return self._vault.decrypt(connections.stored_credential(tx, connection_id)), grants.get(tx, connection_id)

    def _renew(self, oauth: OAuthClient, grant: StoredGrant) -> str:
        refresh_token = self._vault.decrypt(grant.refresh_token)  # before the claim: what fails here would fail again
        with self._database.read() as tx:
            connection = connections.get(tx, grant.connection_id)
        now = self._clock()
        claimed = self._database.write(lambda tx: grants.claim(tx, grant, now=now, lease=LEASE))
        if connection is None or not claimed:
            token, other = self._stored(grant.connection_id)
            if other is not None and other.serial != grant.serial:
                return token  # somebody was faster
            raise Unavailable("Another process is renewing the connection's OAuth token, or has just failed to.")
        try:
            fresh = oauth.refresh(connection.base_url, refresh_token)
        except OAuthRevoked as revoked:
            self._revoke(grant, revoked)
            raise
        return self._keep(grant, fresh)

    def _keep(self, grant: StoredGrant, fresh: Grant) -> str:
        def write(tx: Tx) -> None:
            if not grants.stands(tx, grant):
                return  # removed, or connected anew, meanwhile
            connections.renew_credential(tx, self._vault, grant.connection_id, fresh.access_token)
            grants.put(
                tx,
                self._vault,
                grant.connection_id,
                fresh.refresh_token,
                expires_at=fresh.expires_at,
                now=self._clock(),
            )

        for wait in PATIENCE:
            try:
                self._database.write(write)
            except StoreUnavailable:
                self._sleep(wait)
            else:
                return fresh.access_token
        self._database.write(write)
        return fresh.access_token

    def _revoke(self, grant: StoredGrant, revoked: OAuthRevoked) -> None:
        """Forget what no longer opens anything, so that nobody goes on before the customer has connected again."""

        def write(tx: Tx) -> None:
            connection = connections.get(tx, grant.connection_id)
            if connection is None or not grants.stands(tx, grant):
                return
            connections.set_credential(tx, self._vault, connection.id, "")
            connections.save(tx, replace(connection, options=replace(connection.options, oauth=False)))
            connections.set_state(tx, connection.id, ConnectionState.PAUSED, code=revoked.code, reason=str(revoked))

        self._database.write(write)


class ConnectionBearer:
    """The token of one connection, as its client asks for it."""

    def __init__(self, tokens: Tokens, connection_id: str) -> None:
        self._tokens = tokens
        self._connection_id = connection_id

    def usable(self) -> str:
        return self._tokens.usable(self._connection_id)

    def renewed(self, rejected: str) -> str | None:
        return self._tokens.renewed(self._connection_id, rejected)
