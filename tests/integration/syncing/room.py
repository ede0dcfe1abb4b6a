"""A world in which plans are made and applied by hand, one claimed change after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from connector.catalogue import syncing
from connector.catalogue.plans import Plan
from connector.catalogue.reconciling import Reconciler
from connector.catalogue.reports import Report
from connector.catalogue.syncing import Syncer
from connector.event_types import Catalogue, EventType
from connector.launchdarkly import LaunchDarkly
from connector.partners import ListApi, Page, Partners, Request
from connector.policy import Rules
from connector.store import connections
from connector.store.connections import Connection
from connector.store.inbox import Work
from connector.store.reconciles import RECONCILE
from connector.store.syncs import SYNC
from tests.integration.delivery.world import World


def event_types(number: int, **fields: Any) -> tuple[EventType, ...]:
    return tuple(
        EventType(id=f"evt_{each}", key=f"event_{each}", name=f"Event {each}", **fields) for each in range(number)
    )


def complete(*stated: EventType) -> Catalogue:
    return Catalogue(stated, complete=True)


_STANDARD = Partners().get("standard")
_LIST_API = ListApi(
    credential=(),
    first=lambda _: Request("https://api.example.com"),
    parse=lambda *_: Page(()),
    verified="",
)


class Room:
    def __init__(self, world: World, partners: Partners | None = None) -> None:
        self.world = world
        self.waits: list[float] = []
        self.syncer = Syncer(
            world.database,
            world.vault,
            partners or Partners(),
            clients=self._client,
            rules=Rules(),
            clock=world.time.read,
            sleep=self._sleep,
        )
        self.reconciler = Reconciler(world.database, self.syncer, clock=world.time.read, chance=lambda: 0.0)

    @property
    def id(self) -> str:
        return self.world.connection.id

    def plan(self, catalogue: Catalogue | None, **options: Any) -> Plan:
        """A plan, a second after whatever was before it."""
        self.world.time.now += 1
        return self.syncer.plan(self.id, catalogue, **options)

    def sync(self, catalogue: Catalogue | None, *, allow_archive: int = 0, **options: Any) -> Report:
        """Plan, apply, and do all that is due."""
        delivery_id = self.syncer.apply(self.plan(catalogue, **options), allow_archive=allow_archive, check=False)
        self.work()
        return self.syncer.report(delivery_id)

    def calls(self) -> list[str]:
        """The calls since this was asked last, without what they ask for."""
        return [call.partition("?")[0] for call in self.world.calls()]

    def work(self) -> None:
        appliers: dict[str, Callable[[Work], object]] = {SYNC: self.syncer.unpack, RECONCILE: self.reconciler.apply}
        while claimed := self.world.claim():
            for work in claimed:
                appliers.get(work.kind, self.world.applier.apply)(work)

    def ask_for_lists(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], tuple[EventType, ...]]], None]:
        """Gives the connection's partner a list API; what is returned says what that lists, when it is asked."""
        answers: list[Callable[[], tuple[EventType, ...]]] = []

        def listed(*_: Any, **__: Any) -> Catalogue:
            return complete(*answers[-1]())

        monkeypatch.setattr(syncing, "fetch", listed)
        monkeypatch.setattr(self.syncer, "_partners", Partners([replace(_STANDARD, list_api=_LIST_API)]))
        write = self.world.database.write
        write(lambda tx: connections.set_source(tx, self.world.vault, self.id, {"token": "t-1"}))
        return answers.append

    def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.world.time.now += seconds

    def _client(self, connection: Connection, partner: str, credential: str, **watched: Any) -> LaunchDarkly:
        return LaunchDarkly(
            credential,
            base_url=connection.base_url,
            user_agent=f"metrics-{partner}-int/0",
            session=self.world.session,
            **watched,
        )
