"""What the pages of the console work with, wired once. It must never know a page."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from connector.delivery import Runner
from connector.delivery.applying import Clients
from connector.installation import Installation
from connector.partners import UnknownPartner
from connector.setup_links import SetupLinks
from connector.store import connections, endpoints
from connector.store.connections import Connection, ConnectionState
from connector.store.endpoints import Endpoint
from connector.web.problems import Problem
from connector.web.webhooks import Webhooks


@dataclass(frozen=True, slots=True)
class Desk:
    """One installation, and what acts on it."""

    installation: Installation
    runner: Runner
    webhooks: Webhooks
    setup_links: SetupLinks
    clients: Clients = field(repr=False)
    clock: Callable[[], float] = time.time

    def connection(self, connection_id: str) -> Connection:
        """Raises `Problem` where there is none."""
        with self.installation.database.read() as tx:
            found = connections.get(tx, connection_id)
        if found is None or found.state is ConnectionState.REMOVED:
            raise Problem(404, "connection_unknown", "There is no such connection.")
        return found

    def endpoint(self, connection: Connection) -> Endpoint:
        with self.installation.database.read() as tx:
            found = endpoints.get(tx, connection.endpoint_id)
        if found is None:
            raise Problem(404, "endpoint_unknown", "The connection's endpoint is gone.")
        return found

    def title(self, partner: str) -> str:
        """What people call a partner; its name where an installation no longer knows it."""
        try:
            return self.installation.partners.get(partner).title
        except UnknownPartner:
            return partner

    def webhook_url(self, connection: Connection) -> str:
        return f"{self.installation.settings.base_url}/webhooks/{connection.endpoint_id}"
