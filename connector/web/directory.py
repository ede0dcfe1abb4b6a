"""Endpoints as requests find them, remembered for a moment: a forger must not cost us a database read each.

What another process changes (a rotated secret, a removed connection) is seen when the moment is over.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from connector.partners import Partners
from connector.store import connections, endpoints
from connector.store.connections import Connection
from connector.store.database import Database
from connector.store.endpoints import Endpoint
from connector.store.vault import Vault
from connector.web.problems import Problem
from connector.web.receiving import Sender

_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Target:
    """An endpoint, who sends to it, and whom it feeds."""

    endpoint: Endpoint
    sender: Sender
    connections: Sequence[Connection]


class Directory:
    """`fresh` is how many seconds an endpoint is remembered; 0 reads it every time."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        partners: Partners,
        *,
        fresh: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._vault = vault
        self._partners = partners
        self._fresh = fresh
        self._clock = clock
        self._remembered: dict[str, tuple[float, Target]] = {}

    def find(self, endpoint_id: str) -> Target:
        """Raises `Problem` where there is no such endpoint (any more), or `StoreUnavailable`."""
        until, target = self._remembered.get(endpoint_id, (0.0, None))
        if target is None or until <= time.monotonic():
            target = self._read(endpoint_id)
            if len(self._remembered) >= _MOST:
                self._remembered.clear()
            self._remembered[endpoint_id] = (time.monotonic() + self._fresh, target)
        return target

    def _read(self, endpoint_id: str) -> Target:
        with self._database.read() as tx:
            endpoint = endpoints.get(tx, endpoint_id)
            if endpoint is None:
                raise Problem(404, "endpoint_unknown", "There is no such endpoint. Check the webhook URL.")
            if endpoint.removed:
                raise Problem(410, "endpoint_removed", "This endpoint was removed. Stop sending to it.")
            partner = self._partners.get(endpoint.partner)
            if partner.webhook is None:
                raise Problem(
                    404, "endpoint_unknown", f"{partner.title} sends no webhooks: there is nothing to receive."
                )
            secrets = endpoints.secrets(tx, self._vault, endpoint_id, now=self._clock())
            return Target(
                endpoint=endpoint,
                sender=Sender(endpoint_id, partner, partner.webhook, secrets),
                connections=connections.of_endpoint(tx, endpoint_id),
            )
