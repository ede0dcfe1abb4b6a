"""How often something may be tried: a guesser of tokens or keys has to wait. Counted in this process."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

_MOST_REMEMBERED = 10_000


class Tries:
    """At most `most` tries within `seconds`, for each subject."""

    def __init__(self, most: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._made: dict[str, deque[float]] = {}

    def wait(self, subject: str) -> float:
        """0 where one more try is allowed, else the seconds until it is."""
        with self._lock:
            made = self._recent(subject)
            return made[0] + self._seconds - self._clock() if len(made) >= self._most else 0.0

    def count(self, subject: str) -> None:
        """One more try was made."""
        with self._lock:
            if len(self._made) >= _MOST_REMEMBERED:
                self._made = {each: made for each in list(self._made) if (made := self._recent(each))}
            self._made.setdefault(subject, self._recent(subject)).append(self._clock())

    def forget(self, subject: str) -> None:
        """It succeeded: the tries before it count no more."""
        with self._lock:
            self._made.pop(subject, None)

    def _recent(self, subject: str) -> deque[float]:
        made = self._made.get(subject, deque())
        while made and made[0] <= self._clock() - self._seconds:
            made.popleft()
        return made
