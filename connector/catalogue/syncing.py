"""Plan, look, apply: brings a connection's metrics to its source's catalogue, and tells what came of it.

A plan is applied through the inbox like everything else, so that it survives what a webhook survives. It must never
know who asks: a person, the API or the clock.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from sqlalchemy import Connection as Tx

from connector.catalogue.drift import Live
from connector.catalogue.fetching import SourceError, fetch
from connector.catalogue.looking import Looker
from connector.catalogue.planning import World, plan
from connector.catalogue.plans import Action, Plan, fingerprint
from connector.catalogue.reports import Report, changed, rows_of
from connector.catalogue.usefulness import usefulness
from connector.delivery.applying import REPAIR, Clients, rules_of, source_of
from connector.event_types import Catalogue, Outcome
from connector.partners import Partners
from connector.policy import Rules
from connector.store import connections, endpoints, event_types, inbox, leases, links, syncs
from connector.store.connections import Connection, ConnectionState
from connector.store.database import Database
from connector.store.inbox import Attempt, NewChange, Settled, Work
from connector.store.links import Link, LinkState
from connector.store.syncs import SYNC, Tally
from connector.store.vault import Vault

CHUNK = 250
"""Changes of a plan that go into the inbox in one transaction: webhooks must not wait for all of them."""


class SyncRefused(Exception):
    """Nothing was changed; the sentence says why and what to do."""

    code = "sync_refused"


class WorldMoved(SyncRefused):
    """Since the plan was made, its connection or its metrics were changed: what a person saw is not what is there."""

    code = "world_moved"


class TooManyArchives(SyncRefused):
    """The plan archives more than ten metrics that are also more than a tenth of those linked; `archives` is how many.

    A list that was cut short must not empty a project.
    """

    code = "too_many_archives"

    def __init__(self, archives: int, linked: int) -> None:
        super().__init__(
            f"The plan archives {archives} of {linked} metrics: the catalogue may have been cut short. Check it; if it "
            f"is right, allow it with --allow-archive {archives}."
        )
        self.archives = archives


@dataclass(frozen=True, slots=True)
class _Customer:
    connection: Connection
    partner: str
    credential: str = field(repr=False)


class Syncer:
    """Makes and applies plans. It may be used by many threads: it holds no state of its own."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        partners: Partners,
        *,
        clients: Clients,
        rules: Rules,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._database = database
        self._vault = vault
        self._partners = partners
        self._rules = rules
        self._looker = Looker(database, clients, clock=clock, sleep=sleep)
        self._clock = clock
        self._sleep = sleep

    def plan(
        self,
        connection_id: str,
        catalogue: Catalogue | None = None,
        *,
        adopt: bool = False,
        only: Sequence[str] = (),
        limit: int | None = None,
    ) -> Plan:
        """What it takes to bring LaunchDarkly to `catalogue`; without one, to what the partner's list API says now, or
        where there is none, to what the source has said so far.

        Changes nothing. `adopt` takes over metrics that somebody else made for the same event, `only` are globs of
        keys, names or ids, `limit` is how many event types are acted on at most.
        Raises `SyncRefused`, `SourceError`, `LaunchDarklyError`, `CredentialRefused`, `PolicyError` or
        `StoreUnavailable`.
        """
        began = self._clock()
        if catalogue is None:
            catalogue = self._listed(connection_id)
        elif catalogue.occurred_at is None:
            catalogue = replace(catalogue, occurred_at=datetime.fromtimestamp(began, UTC))
        customer = self._customer(connection_id)
        with self._database.read() as tx:
            held, version = syncs.held(tx, connection_id), syncs.version(tx, connection_id)
        title = self._partners.get(customer.partner).title
        nothing = not any(each.links for each in held) and (catalogue is None or not catalogue.event_types)
        world = World(
            connection_id=connection_id,
            source=source_of(customer.connection, customer.partner, title),
            rules=rules_of(customer.connection, self._rules),
            delete=customer.connection.options.on_delete == "delete",
            held=held,
            version=version,
            live={} if nothing else self._live(customer),
        )
        return plan(world, catalogue, made_at=began, adopt=adopt, only=only, limit=limit)

    def apply(self, plan: Plan, *, allow_archive: int = 0, check: bool = True) -> str:
        """Put the plan into the inbox, durably, and return its delivery. The same plan again is the same delivery.

        Without `check` nobody has looked at the plan and it was made just now: then it does not matter whether the
        world has moved since, as every change finds its own place behind what was said later.
        Raises `WorldMoved`, `TooManyArchives`, and what `plan` raises.
        """
        if plan.archives_too_many and plan.archives > allow_archive:
            raise TooManyArchives(plan.archives, plan.linked)
        body = json.dumps(plan.to_dict(), separators=(",", ":")).encode()
        message_id = f"sync-{hashlib.sha256(body).hexdigest()[:32]}"
        with self._database.read() as tx:
            endpoint_id = _usable(tx, plan.connection_id).endpoint_id
            earlier = syncs.carrying(tx, endpoint_id, message_id)
        if earlier is not None:
            return earlier
        if check:
            self._check(plan)
        accepted = self._database.write(
            lambda tx: inbox.accept(
                tx,
                endpoint_id=endpoint_id,
                message_id=message_id,
                body=body,
                headers={},
                new_changes=[NewChange("", SYNC, connection_id=plan.connection_id)],
                now=self._clock(),
            )
        )
        return accepted.delivery_id

    def unpack(self, work: Work) -> Settled:
        """Apply work of the kind `sync`: put the changes of its plan into the inbox, some at a time.

        Where it is cut off, the next attempt goes on behind what is there. Raises `StoreUnavailable` only.
        """
        started = self._clock()
        with self._database.read() as tx:
            plan = Plan.from_dict(json.loads(syncs.body(tx, work.delivery_id)))
        pending = plan.pending
        settled = Settled(Outcome.UPDATED if pending else Outcome.UNCHANGED, result={"changes": len(pending)})

        def write(tx: Tx) -> bool:
            now = self._clock()
            if not syncs.holds(tx, work):
                return True  # somebody else has taken it over
            done = syncs.unpacked(tx, work.delivery_id)
            chunk = pending[done : done + CHUNK]
            if not chunk:
                leases.settle(tx, work, Attempt(started, now - started, str(settled.outcome)), settled, now=now)
                return True
            for action in chunk:
                _adopt(tx, work.connection_id, action, now=now)
            new = [
                NewChange(
                    action.label, REPAIR if action.look else action.change.kind, action.change, work.connection_id
                )
                for action in chunk
                if action.change is not None
            ]
            inbox.append(tx, work, new, now=now)
            return False

        while not self._database.write(write):
            pass
        return settled

    def progress(self, delivery_id: str) -> Tally:
        """How far the plan of a delivery is; `total` grows until it is `unpacked`. Raises `StoreUnavailable`."""
        with self._database.read() as tx:
            return syncs.tally(tx, delivery_id)

    def report(self, delivery_id: str, *, look: bool = False) -> Report:
        """What became of the plan of a delivery so far. With `look`, also what the metrics are good for, which takes
        another call a page. Raises `StoreUnavailable`, and with `look` what `plan` raises.
        """
        with self._database.read() as tx:
            plan = Plan.from_dict(json.loads(syncs.body(tx, delivery_id)))
            rows = list(rows_of(plan, syncs.rows(tx, delivery_id)))
            linked = syncs.linked(tx, plan.connection_id)
        report = Report(delivery_id, plan.connection_id, rows, plan.unchanged)
        if not look:
            return report
        good_for = usefulness(self._live(self._customer(plan.connection_id)), linked)
        touched = changed(rows)
        in_use = None if good_for.in_use is None else tuple(key for key in good_for.in_use if key in touched)
        return replace(report, usefulness=replace(good_for, in_use=in_use))

    def listed(self, connection_id: str) -> Catalogue:
        """What the partner's list API says now. Raises `SyncRefused`, `SourceError` or `StoreUnavailable`."""
        found = self._listed(connection_id)
        if found is None:
            raise SyncRefused(
                "The partner's list API cannot be asked: it has none that we know, or the connection has no credential "
                "for it. Import a file, or give it one: connector connections set-source"
            )
        return found

    def unfinished(self, connection_id: str) -> str | None:
        """The delivery of an earlier plan of which something is still to be done."""
        with self._database.read() as tx:
            return syncs.unfinished(tx, connection_id)

    def _check(self, plan: Plan) -> None:
        with self._database.read() as tx:
            version, linked = syncs.version(tx, plan.connection_id), syncs.linked(tx, plan.connection_id)
        live = self._live(self._customer(plan.connection_id))
        if fingerprint(version, live, linked, plan.actions) != plan.fingerprint:
            raise WorldMoved(
                "Since the plan was made, something was received for this connection, or its metrics were changed in "
                "LaunchDarkly. Nothing was done: make the plan again and look at it."
            )

    def _customer(self, connection_id: str) -> _Customer:
        with self._database.read() as tx:
            connection = _usable(tx, connection_id)
            endpoint = endpoints.get(tx, connection.endpoint_id)
            if endpoint is None:
                raise SyncRefused(f"The endpoint of {connection.name!r} is gone; add the connection again.")
            credential = self._vault.decrypt(connections.stored_credential(tx, connection_id))
            return _Customer(connection, endpoint.partner, credential)

    def _live(self, customer: _Customer) -> Mapping[str, Live]:
        return self._looker.look(customer.connection, customer.partner, customer.credential)

    def _listed(self, connection_id: str) -> Catalogue | None:
        """What the partner's list API says, where it has one and the connection its credential."""
        with self._database.read() as tx:
            connection = _usable(tx, connection_id)
            endpoint = endpoints.get(tx, connection.endpoint_id)
            stored = connections.stored_source(tx, connection_id)
        list_api = None if endpoint is None else self._partners.get(endpoint.partner).list_api
        if list_api is None or stored is None:
            return None
        # It holds for the moment at which the reading began: whatever a webhook says of a later one is newer than it.
        began = datetime.fromtimestamp(self._clock(), UTC)
        found = fetch(list_api, json.loads(self._vault.decrypt(stored)), clock=self._clock, sleep=self._sleep)
        return found if found.occurred_at is not None else replace(found, occurred_at=began)


def without_archives(plan: Plan) -> Plan:
    """The plan without what a person has to allow."""
    return replace(plan, actions=tuple(action for action in plan.actions if not action.archives))


def _adopt(tx: Tx, connection_id: str, action: Action, *, now: float) -> None:
    """Say which metrics the change is about to take over. Where a webhook was faster, its metrics stand already."""
    bodies = [step for step in action.metrics if step.body is not None]
    if action.change is None or not bodies:
        return
    row = event_types.resolve(tx, connection_id, action.change, now=now)
    there = {link.measure for link in links.of_event_type(tx, row)}
    for step in bodies:
        if step.measure not in there:
            link = Link(step.measure, step.key, step.body or {}, LinkState.ADOPTING)
            links.reserve(tx, connection_id, row, link, now=now)


def _usable(tx: Tx, connection_id: str) -> Connection:
    connection = connections.get(tx, connection_id)
    if connection is None or connection.state is ConnectionState.REMOVED:
        raise SyncRefused(f"There is no connection {connection_id!r} any more. See: connector connections list")
    return connection


__all__ = ["SourceError", "SyncRefused", "Syncer", "TooManyArchives", "WorldMoved"]
