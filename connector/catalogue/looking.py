"""Looks at LaunchDarkly's metrics of a connection: one call a page, within the limits that all processes share.

It must never know what is looked for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from connector.catalogue.drift import Live, slim
from connector.delivery.applying import Clients
from connector.delivery.pacing import Pace, Paced
from connector.delivery.retrying import due_after, opens_at
from connector.launchdarkly import LaunchDarklyError, RateLimited
from connector.store import budgets
from connector.store.connections import Connection
from connector.store.database import Database

PATIENCE = 120.0
"""Seconds that the waits of one look may take together: much less than the lease of work that looks."""

_LOOKS = 4


class Looker:
    """`look` is LaunchDarkly's list, or one declared error: never half of it."""

    def __init__(
        self,
        database: Database,
        clients: Clients,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._database = database
        self._clients = clients
        self._clock = clock
        self._sleep = sleep

    def look(self, connection: Connection, partner: str, credential: str) -> Mapping[str, Live]:
        """Every metric of the project by its key. Raises `LaunchDarklyError`, `CredentialRefused` or
        `StoreUnavailable`.
        """
        with self._database.read() as tx:
            known = budgets.known(tx, connection.id)
        pace = Pace(self._database, connection, known=known, clock=self._clock)
        deadline = self._clock() + PATIENCE

        def gate(method: str, path: str) -> None:
            while True:
                try:
                    return pace.gate(method, path)
                except Paced as paced:
                    self._wait(paced.not_before, deadline, paced)

        client = self._clients(connection, partner, credential, observe=pace.observe, gate=gate)
        for looks in range(1, _LOOKS + 1):
            try:
                return {metric["key"]: slim(metric) for metric in client.list_metrics(connection.project_key)}
            except LaunchDarklyError as error:
                if not error.retryable or isinstance(error, Paced) or looks == _LOOKS:
                    raise
                opens = opens_at(error.limits) if isinstance(error, RateLimited) else None
                again = due_after(attempts=looks, now=self._clock(), chance=0.0, not_before=opens)
                self._wait(again, deadline, error)
        raise AssertionError  # the last look returned or raised

    def _wait(self, until: float, deadline: float, error: LaunchDarklyError) -> None:
        if until > deadline:
            raise error
        self._sleep(max(0.0, until - self._clock()))
