"""Keeps within LaunchDarkly's rate limits before it has to refuse: the budget is the account's, not ours alone.

Limits are keyed by account and shared by all processes through the store. Where LaunchDarkly has never sent a limit
nothing is counted, and it costs nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import ClassVar

from connector.launchdarkly import Call, LaunchDarklyError, Limit
from connector.store import budgets
from connector.store.budgets import Budget
from connector.store.connections import Connection
from connector.store.database import Database, StoreUnavailable

log = logging.getLogger(__name__)

RESERVE = 0.2
"""The share of every window that is left to the customer's own tools, which use the same limits."""


class Paced(LaunchDarklyError):
    """Our share of LaunchDarkly's window is used: the call was not made; `not_before` (unix seconds) it cannot be."""

    code: ClassVar[str] = "launchdarkly_paced"
    advice = "Nothing: the call is made when LaunchDarkly's window opens again."
    retryable = True
    not_before: float = 0.0


class Pace:
    """The limits of one connection: `gate` stands before each call, `observe` learns from each answer."""

    def __init__(
        self, database: Database, connection: Connection, *, known: bool, clock: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._account, self._token = budgets.scopes_of(connection)
        self._known = known
        self._clock = clock

    @property
    def limited(self) -> bool:
        """Whether LaunchDarkly has told any limit."""
        return self._known

    def gate(self, method: str, path: str) -> None:
        """Raises `Paced` where the call has to wait."""
        if not self._known:
            return
        now = self._clock()
        scopes = self._scopes(method, path)
        not_before = self._database.write(lambda tx: budgets.take(tx, scopes, reserve=RESERVE, now=now), durable=False)
        if not_before is not None:
            paced = Paced("Our share of LaunchDarkly's rate limit is used up for now.")
            paced.not_before = not_before
            raise paced

    def observe(self, call: Call) -> None:
        if call.limits is None:
            return
        account, token, route = self._scopes(call.method, call.path)
        told = {
            scope: budget
            for scope, limit in ((account, call.limits.account), (route, call.limits.route), (token, call.limits.token))
            if (budget := _budget(limit)) is not None
        }
        now = self._clock()
        try:
            if told:
                self._known = True
                self._database.write(lambda tx: budgets.learn(tx, told, now=now), durable=False)
            elif self._known and call.status is not None and call.status < 400:
                # LaunchDarkly no longer tells a limit: one that it told once must not slow the account for ever.
                self._known = False
                self._database.write(lambda tx: budgets.forget(tx, (account, token, route)), durable=False)
        except StoreUnavailable as error:
            log.warning("what is left of a rate limit cannot be noted: %s", error)

    def _scopes(self, method: str, path: str) -> tuple[str, str, str]:
        # LaunchDarkly's routes are a verb and a URL pattern: /api/v2/metrics/{project}, …/{project}/{metric}.
        resource, *keys = path.removeprefix("/api/v2/").split("/")
        return self._account, self._token, f"{self._account} {method} {'/'.join([resource, *('*' for _ in keys)])}"


def _budget(limit: Limit | None) -> Budget | None:
    if limit is None or limit.remaining is None or limit.reset_at is None:
        return None
    return Budget(max(limit.limit or 0, limit.remaining), limit.remaining, limit.reset_at)
