"""Rate limits as LaunchDarkly models them: ten-second windows per account, route, token and address.

https://launchdarkly.com/docs/api#rate-limiting. It must never sleep or know a request: it counts, and says which
headers an answer carries. The windows of all families start together, as global and route share one reset header.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from connector.sandbox.errors import InvalidRequestError, RateLimitedError

WINDOW_SECONDS = 10

RESET_HEADER = {
    "global": "X-Ratelimit-Reset",
    "route": "X-Ratelimit-Reset",
    "token": "X-Ratelimit-Auth-Token-Reset",
}
HEADER_PREFIX = {
    "global": "X-Ratelimit-Global",
    "route": "X-Ratelimit-Route",
    "token": "X-Ratelimit-Auth-Token",
}


def limit_headers(family: str, limit: int, remaining: int, resets_at: float) -> dict[str, str]:
    """The headers of one family; `resets_at` is in epoch seconds, the header in epoch milliseconds."""
    prefix = HEADER_PREFIX[family]
    return {
        f"{prefix}-Limit": str(limit),
        f"{prefix}-Remaining": str(remaining),
        RESET_HEADER[family]: str(int(resets_at * 1000)),
    }


@dataclass(frozen=True, slots=True)
class Limits:
    """Calls per ten-second window; `None` is no limit, and then the family's headers are absent.

    `global_` and `route` are per account, `token` per token, `ip` per client address.
    """

    global_: int | None = None
    route: int | None = None
    token: int | None = None
    ip: int | None = None

    @classmethod
    def from_dict(cls, stated: object) -> Limits:
        """`{"global", "route", "token", "ip"}`; a missing one is no limit. Raises `InvalidRequestError`."""
        if not isinstance(stated, dict) or stated.keys() - {"global", "route", "token", "ip"}:
            raise InvalidRequestError('limits are an object of "global", "route", "token" and "ip"')
        for name, limit in stated.items():
            if limit is not None and (type(limit) is not int or limit < 0):
                raise InvalidRequestError(f'the limit "{name}" is a number of calls per ten seconds, or null')
        return cls(stated.get("global"), stated.get("route"), stated.get("token"), stated.get("ip"))

    def to_dict(self) -> dict[str, Any]:
        return {name.rstrip("_"): limit for name, limit in asdict(self).items()}


class RateLimiter:
    """Counts calls against the limits: none at first. Setting limits starts the count afresh."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._window = -1
        self._spent: Counter[tuple[str, str]] = Counter()
        self.limits = Limits()

    def set(self, limits: Limits) -> None:
        with self._lock:
            self.limits = limits
            self._spent.clear()

    def spend_address(self, address: str) -> None:
        """Count a call of an address. Raises `RateLimitedError` with `Retry-After` as its only header."""
        limit = self.limits.ip
        if limit is None:
            return
        with self._lock:
            resets_at = self._turn_window()
            if self._spent["ip", address] >= limit:
                wait = max(1, math.ceil(resets_at - self._clock()))
                raise RateLimitedError("Too many requests from this address", {"Retry-After": str(wait)})
            self._spent["ip", address] += 1

    def spend(self, account: str, route: str, token: str) -> Mapping[str, str]:
        """Count a call and return its answer's headers. Raises `RateLimitedError`; a refused call costs nothing."""
        limits = self.limits
        counted = [
            (family, limit, owner)
            for family, limit, owner in (
                ("global", limits.global_, account),
                ("route", limits.route, f"{account} {route}"),
                ("token", limits.token, token),
            )
            if limit is not None
        ]
        if not counted:
            return {}
        with self._lock:
            resets_at = self._turn_window()
            exhausted = [family for family, limit, owner in counted if self._spent[family, owner] >= limit]
            headers: dict[str, str] = {}
            for family, limit, owner in counted:
                if not exhausted:
                    self._spent[family, owner] += 1
                headers |= limit_headers(family, limit, max(0, limit - self._spent[family, owner]), resets_at)
        if exhausted:
            raise RateLimitedError(f"You've exceeded the {' and '.join(exhausted)} rate limit", headers)
        return headers

    def _turn_window(self) -> float:
        window = int(self._clock() // WINDOW_SECONDS)
        if window != self._window:
            self._window = window
            self._spent.clear()
        return float((window + 1) * WINDOW_SECONDS)
