"""Compares what is so with what was said, queues what is new, and sends what is queued."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection as Tx

from connector.alerts.conditions import DAY, EXPIRING, Condition, conditions
from connector.alerts.sinks import Sink, SinkFailed
from connector.store import alerts
from connector.store.alerts import Message, Standing
from connector.store.database import Database

log = logging.getLogger(__name__)

EVERY = 30.0
"""Seconds between two looks."""

LEASE = 300.0
"""Seconds after which a message is taken again whose sender died: more than one sending can take."""

WAITS = (60.0, 300.0, 900.0, 3600.0)
"""Seconds before the second, third … attempt at a message; the last one repeats."""

GIVE_UP = 24 * 3600.0
"""Seconds after which a message is of no use any more."""


class Watch:
    """`run` is one look. `backlog` is how many seconds the oldest change may wait; `base_url` is ours."""

    def __init__(
        self,
        database: Database,
        sinks: Mapping[str, Sink],
        *,
        base_url: str,
        backlog: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._sinks = sinks
        self._base_url = base_url
        self._backlog = backlog
        self._clock = clock

    def run(self) -> None:
        """Raises `StoreUnavailable` only: a sink that fails is logged and tried again."""
        self._look()
        self._send()

    def _look(self) -> None:
        now = self._clock()
        with self._database.read() as tx:
            troubles = alerts.troubles(tx, expiring=now + EXPIRING[0] * DAY)
            oldest = alerts.oldest_wait(tx)
            told = {(alert.kind, alert.subject): alert for alert in alerts.standing(tx)}
        found = conditions(troubles, oldest_wait=oldest, backlog=self._backlog, now=now)
        so = {(condition.kind, condition.subject) for condition in found}
        fresh = [
            condition
            for condition in found
            if (before := told.get((condition.kind, condition.subject))) is None or condition.level > before.level
        ]
        solved = [alert for key, alert in told.items() if key not in so]
        if not fresh and not solved:
            return

        def write(tx: Tx) -> None:
            for condition in fresh:
                raised = Standing(condition.kind, condition.subject, condition.level, condition.summary, now)
                alerts.raise_(tx, raised)
                self._queue(tx, self._content("raised", raised, now, condition.detail, condition.next_step), now)
            for alert in solved:
                alerts.solve(tx, alert)
                self._queue(tx, self._content("solved", alert, now, "", "Nothing: it is over."), now)

        self._database.write(write)
        _log_all(fresh, solved)

    def _content(self, state: str, alert: Standing, now: float, detail: str, next_step: str) -> dict[str, Any]:
        return {
            "kind": alert.kind,
            "state": state,
            "connection": alert.subject or None,
            "level": alert.level or None,
            "summary": alert.summary,
            "detail": detail,
            "next_step": next_step,
            "at": datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds"),
            "raised_at": datetime.fromtimestamp(alert.raised_at, UTC).isoformat(timespec="seconds"),
            "connector": self._base_url,
        }

    def _queue(self, tx: Tx, content: Mapping[str, Any], now: float) -> None:
        for name in self._sinks:
            alerts.queue(tx, name, content, now=now)

    def _send(self) -> None:
        now = self._clock()
        with self._database.read() as tx:
            if not alerts.due(tx, now=now):
                return
        failed: set[str] = set()
        for message in self._database.write(lambda tx: alerts.take(tx, now=now, lease=LEASE)):
            if message.sink in failed:
                self._postpone(message, now)
            elif not self._sent(message):
                failed.add(message.sink)  # what else waits for it would wait for its time-outs now, one after the other
                self._postpone(message, now)

    def _sent(self, message: Message) -> bool:
        """Whether there is nothing left to do about it."""
        sink = self._sinks.get(message.sink)
        if sink is not None:  # else it is not configured any more
            try:
                sink.send(message.id, message.content, self._clock())
            except SinkFailed as error:
                fields = {"sink": message.sink, "kind": message.content.get("kind"), "attempt": message.attempts}
                if self._clock() - message.created_at < GIVE_UP:
                    log.warning("an alert could not be sent, it is tried again: %s", error, extra=fields)
                    return False
                log.error("an alert could not be sent and is given up: %s", error, extra=fields)  # noqa: TRY400
        self._database.write(lambda tx: alerts.sent(tx, message))
        return True

    def _postpone(self, message: Message, now: float) -> None:
        until = now + WAITS[min(message.attempts, len(WAITS)) - 1]
        self._database.write(lambda tx: alerts.postpone(tx, message, until=until))


def _log_all(fresh: list[Condition], solved: list[Standing]) -> None:
    for condition in fresh:
        fields = {"kind": condition.kind, "connection": condition.subject, "summary": condition.summary}
        log.warning("alert raised", extra=fields)
    for alert in solved:
        log.info("alert solved", extra={"kind": alert.kind, "connection": alert.subject})
