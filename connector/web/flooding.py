"""How much one endpoint may send: a token bucket each, counted only for requests whose signature is good."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

BURST = 5.0
"""Seconds' worth of requests that may come at once."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class Flooding:
    """`rate` is requests per second and endpoint, in this process."""

    def __init__(self, rate: float, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[str, _Bucket] = {}

    def admit(self, endpoint_id: str) -> float:
        """0 where one more request is welcome, else the seconds until it is."""
        now = self._clock()
        full = max(1.0, self._rate * BURST)
        with self._lock:
            bucket = self._buckets.setdefault(endpoint_id, _Bucket(full, now))
            bucket.tokens = min(full, bucket.tokens + max(0.0, now - bucket.filled_at) * self._rate)
            bucket.filled_at = now
            if bucket.tokens >= 1:
                bucket.tokens -= 1
                return 0.0
            return (1 - bucket.tokens) / self._rate
