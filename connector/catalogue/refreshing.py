"""A refresh: a thin webhook said that something changed, the partner's list API says what.

It goes through the inbox like any change, so it survives what a change survives; what it finds joins its delivery.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable

from sqlalchemy import Connection as Tx

from connector.catalogue.fetching import SourceError, fetch
from connector.catalogue.known import new_changes
from connector.delivery.applying import needs_new_key, window_opens_at
from connector.delivery.retrying import due_after, given_up
from connector.event_types import Catalogue, Outcome
from connector.partners import Partners
from connector.store import connections, endpoints, inbox, leases
from connector.store.database import Database
from connector.store.inbox import Attempt, NewChange, Settled, Work
from connector.store.vault import Vault


class Refresher:
    """Applies work of the kind `refresh`. It may be used by many threads."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        partners: Partners,
        *,
        clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._vault = vault
        self._partners = partners
        self._clock = clock
        self._chance = chance

    def apply(self, work: Work) -> Settled:
        """Make one attempt and write down what came of it. Raises `StoreUnavailable` only."""
        started = self._clock()
        found: Catalogue | None = None
        message = None
        try:
            found = self._fetch(work)
        except SourceError as error:
            message = str(error)
            settled = failed(work, error, now=self._clock(), chance=self._chance())
        else:
            settled = Settled(Outcome.UNCHANGED)
        now = self._clock()

        def write(tx: Tx) -> Settled:
            changes: list[NewChange] = []
            last = settled
            if found is not None:
                changes = list(new_changes(tx, work.connection_id, found))
                last = Settled(
                    Outcome.UPDATED if changes else Outcome.UNCHANGED, result={"event_types": len(found.event_types)}
                )
            attempt = Attempt(started, now - started, str(last.outcome or "source_retry"), message)
            if leases.settle(tx, work, attempt, last, now=now):
                inbox.append(tx, work, changes, now=now)
            return last

        return self._database.write(write)

    def _fetch(self, work: Work) -> Catalogue:
        with self._database.read() as tx:
            connection = connections.get(tx, work.connection_id)
            endpoint = None if connection is None else endpoints.get(tx, connection.endpoint_id)
            stored = connections.stored_source(tx, work.connection_id)
        list_api = None if endpoint is None else self._partners.get(endpoint.partner).list_api
        if list_api is None or stored is None:
            raise SourceError("The connection has no credential for the partner's list API.")
        return fetch(list_api, json.loads(self._vault.decrypt(stored)), clock=self._clock)


def failed(work: Work, error: Exception, *, now: float, chance: float) -> Settled:
    """How an attempt ends that got no answer of the partner or LaunchDarkly: tried again, held, or parked."""
    result = {"code": getattr(error, "code", "failed"), "reason": str(error)}
    if needs_new_key(error):
        return Settled(None, due_at=now, result=result)
    if getattr(error, "retryable", False) and not given_up(attempts=work.attempts, waited=now - work.queued_at):
        not_before = getattr(error, "not_before", None) or window_opens_at(error)
        due_at = due_after(attempts=work.attempts, now=now, chance=chance, not_before=not_before)
        return Settled(None, due_at=due_at, result=result)
    if isinstance(error, SourceError):
        result["next_step"] = "Check the credential of the list API, then replay the delivery."
    else:
        result["next_step"] = getattr(error, "advice", "") or "Mend it, then replay the delivery."
    return Settled(Outcome.PARKED, result=result)
