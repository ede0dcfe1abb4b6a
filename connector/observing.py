"""What is seen of a webhook, an attempt at a change and a call to LaunchDarkly: counted, logged and traced.

One place for each, so that the three never tell different stories. It must never see a secret, a body or a header.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial

from werkzeug.exceptions import HTTPException

from connector import instruments, tracing
from connector.launchdarkly import Call
from connector.store.database import StoreUnavailable
from connector.store.inbox import Begin, Settled, Work

log = logging.getLogger(__name__)

UNKNOWN = "unknown"
"""The partner of a request that no endpoint claims."""

_attempt: ContextVar[Mapping[str, str | int] | None] = ContextVar("attempt", default=None)


class Webhook:
    """One request as far as it came. Whoever handles it sets what it learns."""

    __slots__ = ("delivery", "duplicate", "endpoint", "partner", "started", "status")

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.partner = UNKNOWN
        self.delivery: str | None = None
        self.duplicate = False
        self.status = 0
        self.started = time.perf_counter()

    def stored(self, delivery: str, *, duplicate: bool) -> None:
        """It is durable from this moment on."""
        self.delivery = delivery
        self.duplicate = duplicate
        instruments.ACCEPT_SECONDS.labels(self.partner).observe(time.perf_counter() - self.started)


@contextmanager
def webhook(endpoint: str) -> Iterator[Webhook]:
    """Around the handling of a request; an exception that has a `status` is an answer too."""
    seen = Webhook(endpoint)
    code: str | None = None
    with tracing.span("webhook") as span:
        try:
            yield seen
        except Exception as error:
            seen.status, code = _answered(error)
            raise
        finally:
            instruments.WEBHOOKS.labels(seen.partner, seen.status).inc()
            fields: dict[str, str | int | float] = {
                "delivery": seen.delivery or "",
                "endpoint": seen.endpoint if seen.partner != UNKNOWN else UNKNOWN,
                "partner": seen.partner,
                "duplicate": seen.duplicate,
                "status": seen.status,
                "milliseconds": round((time.perf_counter() - seen.started) * 1000, 1),
            }
            if seen.delivery is not None:
                log.info("delivery accepted", extra=fields)
            elif code is not None and seen.status in _SIGNED:
                log.warning("delivery refused", extra=fields | {"code": code})
            tracing.say(span, fields, failed=code)


_SIGNED = frozenset({400, 409, 422, 500, 503})
"""Refusals that a stranger cannot cause at will. The others are counted and not logged: they could fill the disk."""


def _answered(error: Exception) -> tuple[int, str]:
    """The status and code with which an exception is answered: see `web.problems`."""
    match error:
        case HTTPException():
            return error.code or 500, f"http_{error.code}"
        case StoreUnavailable():
            return 503, error.code
        case _:
            return getattr(error, "status", 500), getattr(error, "code", "internal_error")


def attempts(begin: Begin, partner_of: Callable[[str], str]) -> Begin:
    """`begin`, whose attempts are seen. `partner_of` names the partner of a connection."""

    def seen(work: Work, attempt: Callable[[], Settled]) -> Settled:
        partner = partner_of(work.connection_id)
        ids: dict[str, str | int] = {
            "delivery": work.delivery_id,
            "change": work.change_id,
            "connection": work.connection_id,
        }
        bound = _attempt.set(ids)
        started = time.perf_counter()
        try:
            with tracing.span("apply") as span:
                settled = attempt()
                result = str(settled.outcome or settled.result.get("code", "held"))
                seconds = time.perf_counter() - started
                fields = {**ids, "partner": partner, "kind": work.kind, "attempt": work.attempts, "result": result}
                failed = result if settled.outcome is None or result == "parked" else None
                tracing.say(span, fields, failed=failed)
        finally:
            _attempt.reset(bound)
        instruments.ATTEMPTS.labels(partner, result).inc()
        instruments.APPLY_SECONDS.labels(partner).observe(seconds)
        if settled.outcome is not None:
            instruments.CHANGES.labels(partner, result).inc()
            instruments.CHANGE_SECONDS.labels(partner).observe(max(0.0, time.time() - work.queued_at))
        extra: dict[str, str | int | float] = {**fields, "milliseconds": round(seconds * 1000, 1)}
        if code := settled.result.get("code"):
            extra["code"] = str(code)
        log.log(logging.WARNING if failed else logging.INFO, "change attempted", extra=extra)
        return settled

    return lambda tx, work: partial(seen, work, begin(tx, work))


def calls(partner: str, observe: Callable[[Call], None] | None) -> Callable[[Call], None]:
    """An observer of LaunchDarkly calls for `partner`, with `observe` behind it."""

    def seen(call: Call) -> None:
        status = str(call.status or "none")
        instruments.CALLS.labels(partner, call.method, status).inc()
        instruments.CALL_SECONDS.labels(partner, call.method).observe(call.seconds)
        fields: dict[str, str | int | float] = {
            **(_attempt.get() or {}),
            "partner": partner,
            "method": call.method,
            "path": call.path,
            "status": status,
        }
        if call.error is not None:
            fields["error"] = call.error
        if call.request_id is not None:
            fields["request"] = call.request_id
        log.info("launchdarkly called", extra=fields | {"milliseconds": round(call.seconds * 1000, 1)})
        tracing.past("launchdarkly", fields, started=call.started, seconds=call.seconds, failed=call.error)
        if observe is not None:
            observe(call)

    return seen
