"""Asks LaunchDarkly once a day whether it still knows each key: one that was revoked shows before it is needed.

It must never change anything but the state of a connection.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from sqlalchemy import Connection as Tx

from connector.delivery.applying import Clients
from connector.delivery.pacing import Pace
from connector.launchdarkly import CredentialRefused, LaunchDarklyError, Unauthorized
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
            limited = budgets.known(tx, budgets.scopes_of(connection))
        pace = Pace(self._database, connection, known=limited, clock=self._clock)
        try:
            client = self._clients(
                connection, partner, self._vault.decrypt(stored), observe=pace.observe, gate=pace.gate
            )
            client.caller_identity()
        except Unauthorized as error:
            self._pause(connection, stored, error)
        except (CredentialRefused, LaunchDarklyError, VaultError) as error:
            log.info("a key could not be checked: %s", error.code, extra={"connection": connection.id})

    def _pause(self, connection: Connection, stored: bytes, error: Unauthorized) -> None:
        def write(tx: Tx) -> None:
            # A person may have set another key meanwhile, of which this says nothing.
            if connections.stored_credential(tx, connection.id) == stored:
                connections.set_state(tx, connection.id, ConnectionState.PAUSED, code=error.code, reason=str(error))

        self._database.write(write)
