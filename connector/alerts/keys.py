"""Asks LaunchDarkly once a day whether it still knows each key, and when it ends.

One that was revoked, or is about to expire, shows before it is needed.

It must never change anything but the state of a connection.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from sqlalchemy import Connection as Tx

from connector.delivery.applying import Clients
from connector.delivery.pacing import Pace
from connector.launchdarkly import CredentialRefused, LaunchDarklyError, Unauthorized, expiry_of
from connector.store import budgets, connections, endpoints
from connector.store.connections import Connection, ConnectionState
from connector.store.database import Database
from connector.store.vault import Vault, VaultError

log = logging.getLogger(__name__)

EVERY = 86400.0
"""Seconds between two rounds: one call a day and connection."""


class KeyCheck:
    """`run` is one round over all active connections."""

    def __init__(
        self, database: Database, vault: Vault, clients: Clients, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._vault = vault
        self._clients = clients
        self._clock = clock

    def run(self) -> None:
        """Raises `StoreUnavailable` only: a LaunchDarkly that does not answer says nothing about a key."""
        with self._database.read() as tx:
            active = [each for each in connections.listing(tx) if each.state is ConnectionState.ACTIVE]
        for connection in active:
            self._check(connection)

    def _check(self, connection: Connection) -> None:
        with self._database.read() as tx:
            stored = connections.stored_credential(tx, connection.id)
            partner = endpoints.partner_of(tx, connection.id)
            limited = budgets.known(tx, connection.id)
        pace = Pace(self._database, connection, known=limited, clock=self._clock)
        try:
            client = self._clients(
                connection, partner, self._vault.decrypt(stored), observe=pace.observe, gate=pace.gate
            )
            identity = client.caller_identity()
        except Unauthorized as refused:
            code, reason = refused.code, str(refused)
            self._note(
                connection,
                stored,
                lambda tx: connections.set_state(tx, connection.id, ConnectionState.PAUSED, code=code, reason=reason),
            )
        except (CredentialRefused, LaunchDarklyError, VaultError) as error:
            log.info("a key could not be checked: %s", error.code, extra={"connection": connection.id})
        else:
            # An OAuth token ends within hours, and is renewed by itself.
            expires_at = None if connection.options.oauth else expiry_of(identity, now=self._clock())
            if expires_at != connection.key_expires_at:
                self._note(connection, stored, lambda tx: connections.set_expiry(tx, connection.id, expires_at))

    def _note(self, connection: Connection, stored: bytes, note: Callable[[Tx], None]) -> None:
        def write(tx: Tx) -> None:
            # A person may have set another key meanwhile, of which this says nothing.
            if connections.stored_credential(tx, connection.id) == stored:
                note(tx)

        self._database.write(write)
