"""Reads LaunchDarkly's rate-limit headers into moments of the local clock.

Pure: must never know a connection or a socket, and never waits; who waits, and how long, is decided elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

# LaunchDarkly's windows are ten seconds. A header that asks for more than this is a fault, not a wish.
LONGEST_WAIT = 3600.0


@dataclass(frozen=True, slots=True)
class Limit:
    """One family's budget. `reset_at` is in local unix seconds; what the answer did not state is `None`."""

    limit: int | None = None
    remaining: int | None = None
    reset_at: float | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What one answer said about rate limits; a family that it did not mention is `None`.

    `account` is LaunchDarkly's "global" limit, shared by all tokens of the account, as is `route` (URL pattern and
    verb); `token` is this token's own. `not_before` (local unix seconds) is the `Retry-After` of the limit per IP
    address. Source: https://launchdarkly.com/docs/api#rate-limiting
    """

    account: Limit | None = None
    route: Limit | None = None
    token: Limit | None = None
    not_before: float | None = None


def parse_limits(headers: Mapping[str, str], now: float) -> Limits:
    """The limits in an answer's `headers`, which arrived at `now` (local unix seconds).

    Server times are taken relative to the answer's `Date`, so a local clock that is minutes off does not matter.
    `Date` is cut to whole seconds (RFC 9110, section 5.6.7), that is, at most one second behind the server's clock: a
    moment found this way is up to a second late and never early. Without a `Date` the local clock must do. A header
    that makes no sense is ignored by itself; waits are bounded to an hour. Raises nothing.
    """
    stated = {name.lower(): value for name, value in headers.items()}
    server_now = _date(stated.get("date"))
    if server_now is None:
        server_now = now

    def local(server_time: float | None) -> float | None:
        return None if server_time is None else now + _bounded(server_time - server_now)

    def family(name: str, reset_at: float | None) -> Limit | None:
        limit = _count(stated.get(f"x-ratelimit-{name}-limit"))
        remaining = _count(stated.get(f"x-ratelimit-{name}-remaining"))
        return None if limit is None and remaining is None else Limit(limit, remaining, reset_at)

    shared_reset = local(_epoch_milliseconds(stated.get("x-ratelimit-reset")))
    token_reset = local(_epoch_milliseconds(stated.get("x-ratelimit-auth-token-reset")))
    account, route = family("global", shared_reset), family("route", shared_reset)
    if account is None and route is None and shared_reset is not None:
        # A reset of an unnamed family: the widest one is the safe reading.
        account = Limit(reset_at=shared_reset)
    token = family("auth-token", token_reset)
    if token is None and token_reset is not None:
        token = Limit(reset_at=token_reset)

    retry_after = stated.get("retry-after")
    seconds = _seconds(retry_after)
    not_before = local(_date(retry_after)) if seconds is None else now + _bounded(seconds)
    return Limits(account, route, token, not_before)


def _bounded(wait: float) -> float:
    return min(max(wait, 0.0), LONGEST_WAIT)


def _count(text: str | None) -> int | None:
    number = re.fullmatch(r"\s*(-?[0-9]{1,15})\s*", text or "")
    return None if number is None else max(0, int(number[1]))


def _seconds(text: str | None) -> float | None:
    number = re.fullmatch(r"\s*(-?[0-9]{1,15}(?:\.[0-9]{1,9})?)\s*", text or "")
    return None if number is None else float(number[1])


def _epoch_milliseconds(text: str | None) -> float | None:
    milliseconds = _seconds(text)
    return None if milliseconds is None else milliseconds / 1000


def _date(text: str | None) -> float | None:
    try:
        date = parsedate_to_datetime(text) if text else None
        return None if date is None else (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
