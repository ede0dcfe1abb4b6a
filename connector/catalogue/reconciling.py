"""A reconcile: what webhooks did not tell and what became of the metrics in LaunchDarkly is found by comparing.

It is queued when it is due, goes through the inbox like any change, and hands what it finds on as a plan. It must
never know how a plan is made or applied.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection as Tx

from connector.catalogue.fetching import SourceError
from connector.catalogue.plans import Plan
from connector.catalogue.refreshing import failed
from connector.catalogue.syncing import Syncer, SyncRefused, TooManyArchives, without_archives
from connector.delivery.applying import needs_new_key
from connector.event_types import Outcome
from connector.launchdarkly import CredentialRefused, LaunchDarklyError
from connector.policy import PolicyError
from connector.store import connections, leases, reconciles
from connector.store.connections import ConnectionState
from connector.store.database import Database
from connector.store.inbox import Attempt, Settled, Work

LOOK = 60.0
"""Seconds between two looks for connections whose time has come."""

BUSY = 300.0
"""Seconds after which a connection is compared on which an earlier plan is still at work."""


class Reconciler:
    """Queues and applies work of the kind `reconcile`. It may be used by many threads."""

    def __init__(
        self,
        database: Database,
        syncer: Syncer,
        *,
        clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._syncer = syncer
        self._clock = clock
        self._chance = chance

    def queue_due(self) -> None:
        """Raises `StoreUnavailable`."""
        now = self._clock()
        self._database.write(lambda tx: reconciles.queue_due(tx, now=now))

    def apply(self, work: Work) -> Settled:
        """Make one attempt and write down what came of it. Raises `StoreUnavailable` only."""
        started = self._clock()
        failure: Exception | None = None
        with self._database.read() as tx:
            credential = connections.stored_credential(tx, work.connection_id)
        try:
            settled = self._reconcile(work.connection_id)
        except (SourceError, SyncRefused, LaunchDarklyError, CredentialRefused, PolicyError) as error:
            failure = error
            settled = failed(work, error, now=self._clock(), chance=self._chance())
        now = self._clock()
        code = str(settled.outcome) if settled.outcome else getattr(failure, "code", "busy")
        attempt = Attempt(started, now - started, code, None if failure is None else str(failure))

        def write(tx: Tx) -> None:
            if not leases.settle(tx, work, attempt, settled, now=now) or failure is None or not needs_new_key(failure):
                return
            # A person may have been faster and set another key, which this failure says nothing about.
            if connections.stored_credential(tx, work.connection_id) == credential:
                connections.set_state(tx, work.connection_id, ConnectionState.PAUSED, code=code, reason=str(failure))

        self._database.write(write)
        return settled

    def _reconcile(self, connection_id: str) -> Settled:
        if self._syncer.unfinished(connection_id) is not None:
            return Settled(None, due_at=self._clock() + BUSY)
        plan = self._syncer.plan(connection_id)
        found: dict[str, Any] = {"counts": dict(plan.counts)}
        if not plan.pending:
            return Settled(Outcome.UNCHANGED, result=found)
        try:
            return Settled(Outcome.UPDATED, result=found | {"delivery": self._syncer.apply(plan, check=False)})
        except TooManyArchives as refused:
            return Settled(Outcome.PARKED, result=self._without_archives(plan, refused) | found)

    def _without_archives(self, plan: Plan, refused: TooManyArchives) -> dict[str, Any]:
        rest = without_archives(plan)
        delivery = {"delivery": self._syncer.apply(rest, check=False)} if rest.pending else {}
        next_step = f"Check the source, then: connector sync CONNECTION --apply --allow-archive {refused.archives}"
        return {"code": refused.code, "reason": str(refused), "next_step": next_step, **delivery}
