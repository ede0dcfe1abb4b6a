"""Webhooks with a database, in a process that is frozen between two requests: nothing runs but what is asked for.

A request applies what it can while it waits; what it leaves is applied by a scheduled sweep. It must never know which
cloud it runs in.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from contextlib import suppress

from connector.app import web_app
from connector.delivery.runner import LEASE
from connector.installation import applying, open_installation
from connector.settings import Settings, SettingsError
from connector.store import history, inbox, leases
from connector.store.database import Database, StoreUnavailable
from connector.store.inbox import Begin, Work

log = logging.getLogger(__name__)

PAUSE = 60.0
"""Seconds that work rests which failed in a way that nobody foresaw."""


class InlineRunner:
    """Applies in the thread that waits, and never otherwise."""

    def __init__(self, database: Database, begin: Begin, *, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._begin = begin
        self._clock = clock
        self._owner = f"function:{secrets.token_hex(8)}"

    def start(self) -> None:
        """Nothing to start: there are no threads."""

    def seat(self, connection_id: str) -> None:
        """None: there are no threads."""

    def ring(self) -> None:
        """Nothing to wake: `wait` does the work."""

    def health(self) -> str:
        return "ok"

    def wait(self, delivery_id: str, seconds: float) -> bool:
        """Apply what is due until the delivery is finished; begins nothing after `seconds`."""
        deadline = time.monotonic() + seconds
        while (pending := self._pending(delivery_id)) and time.monotonic() < deadline and self.step():
            pass
        return not pending

    def stop(self) -> None:
        """Nothing to stop."""

    def step(self) -> bool:
        """Make one attempt at one due change; False where nothing is due. Raises `StoreUnavailable`."""
        claimed = self._database.write(
            lambda tx: leases.claim(tx, owner=self._owner, now=self._clock(), lease=LEASE, limit=1), durable=False
        )
        for work in claimed:
            try:
                self._apply(work)
            except StoreUnavailable:
                with suppress(StoreUnavailable):
                    self._give_back(work, due_at=self._clock())
                raise
            except Exception:
                log.exception("change %s failed unexpectedly", work.change_id)
                self._give_back(work, due_at=self._clock() + PAUSE)
        return bool(claimed)

    def _apply(self, work: Work) -> None:
        self._database.write(lambda tx: self._begin(tx, work), durable=False)()

    def _give_back(self, work: Work, *, due_at: float) -> None:
        self._database.write(lambda tx: leases.give_back(tx, work, due_at=due_at))

    def _pending(self, delivery_id: str) -> bool:
        with self._database.read() as tx:
            return any(change.state == "pending" for change in history.changes_of(tx, [delivery_id])[delivery_id])


class Durable:
    """An installation as functions see it: `app` for requests, `sweep` for the schedule. Close it when done."""

    def __init__(self, settings: Settings) -> None:
        """Raises `SettingsError`, and what `open_installation` raises."""
        problems = []
        if settings.sqlite:
            problems.append(
                "CONNECTOR_DATABASE_URL names SQLite, whose file goes with the function: name a PostgreSQL, or unset "
                "it to keep nothing but what LaunchDarkly has."
            )
        if not settings.encryption_keys:
            problems.append(
                "CONNECTOR_ENCRYPTION_KEYS is missing: functions share no disk for a key. Make one with: "
                "connector keys generate"
            )
        if problems:
            raise SettingsError(problems)
        self._installation = open_installation(settings)
        try:
            self._installation.connections.put_environment(settings.environment_connection)
            self._runner = InlineRunner(self._installation.database, applying(self._installation))
            self.app = web_app(self._installation, self._runner)
            self.app.extensions["connector"] = self
        except Exception:
            self.close()
            raise

    def sweep(self, left: Callable[[], float], *, reserve: float) -> int:
        """Apply what is due until nothing is, or `left()` is under `reserve` seconds; how many attempts that were.

        Raises `StoreUnavailable`.
        """
        attempts = 0
        while left() > reserve and self._runner.step():
            attempts += 1
        if left() > reserve:
            self._installation.database.write(lambda tx: inbox.purge(tx, now=time.time()))
        return attempts

    def close(self) -> None:
        self._installation.close()
