"""The faults a sandbox can play, and the dice that decide which call they strike.

It must never touch a request or a socket: `wire` acts out what is decided here.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from connector.sandbox.errors import InvalidRequestError


class FaultKind(StrEnum):
    """What goes wrong. From `ANSWER_LOST` on, the call takes effect and only its answer is spoilt."""

    LATENCY = "latency"
    """The call waits `seconds` before it is processed; adds up with every other fault."""
    RATE_LIMIT_GLOBAL = "rate-limit-global"
    """429 with the account's headers; the window resets in `seconds`."""
    RATE_LIMIT_ROUTE = "rate-limit-route"
    RATE_LIMIT_TOKEN = "rate-limit-token"  # noqa: S105 - the name of a fault, not a secret
    RATE_LIMIT_IP = "rate-limit-ip"
    """429 with `Retry-After: seconds` only."""
    CONFLICT = "conflict"
    """409 of a concurrent update, which is to be retried (as opposed to `key_exists`)."""
    ERROR_500 = "error-500"
    ERROR_503 = "error-503"
    RESET = "reset"
    """The connection is reset before the call is processed."""
    ANSWER_LOST = "answer-lost"
    """The connection is reset after the call took effect."""
    HOLD = "hold"
    """The answer is held back for `seconds`."""
    SLOW_BODY = "slow-body"
    """Headers and half of the body come at once, the rest after `seconds`."""
    GARBAGE = "garbage"
    """The body is no JSON, though its content type says so."""
    CONTENT_TYPE = "content-type"
    """The body is intact but labelled `text/html`."""


RATE_LIMIT_FAMILY = {
    FaultKind.RATE_LIMIT_GLOBAL: "global",
    FaultKind.RATE_LIMIT_ROUTE: "route",
    FaultKind.RATE_LIMIT_TOKEN: "token",
}


_JSON_TYPES: dict[str, type | tuple[type, ...]] = {
    "kind": str,
    "probability": (int, float),
    "method": str,
    "path": str,
    "count": int,
    "seconds": (int, float),
    "jitter": (int, float),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault and the calls it strikes.

    `probability` is 0 to 1 per matching call; `method` a verb and `path` a glob of the path without its query, both
    any when `None`. `count` ends the fault after it struck that often. `seconds` is what the kind makes of it, and up
    to `jitter` more are added. Wrong values raise `ValueError`.
    """

    kind: FaultKind
    probability: float = 1.0
    method: str | None = None
    path: str | None = None
    count: int | None = None
    seconds: float = 1.0
    jitter: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise ValueError("a fault's probability is between 0 and 1")
        if self.seconds < 0 or self.jitter < 0:
            raise ValueError("a fault's seconds and jitter are not negative")
        if self.count is not None and self.count < 0:
            raise ValueError("a fault's count is not negative")

    def matches(self, method: str, path: str) -> bool:
        return (self.method is None or self.method.upper() == method) and (
            self.path is None or fnmatchcase(path, self.path)
        )

    @classmethod
    def from_dict(cls, stated: object) -> Fault:
        """The inverse of `asdict`; `struck`, as a plan tells it, is passed over. Raises `InvalidRequestError`."""
        if (
            not isinstance(stated, dict)
            or stated.get("kind") is None
            or stated.keys() - _JSON_TYPES.keys() - {"struck"}
        ):
            raise InvalidRequestError(f"a fault is an object with kind and any of {', '.join(_JSON_TYPES)}")
        values = {name: value for name, value in stated.items() if name != "struck" and value is not None}
        for name, value in values.items():
            if not isinstance(value, _JSON_TYPES[name]) or isinstance(value, bool):
                raise InvalidRequestError(f"a fault's {name} is of another type than {value!r}")
        try:
            return cls(**values | {"kind": FaultKind(values["kind"])})
        except ValueError as error:
            raise InvalidRequestError(f"this fault cannot be played: {error}") from error


@dataclass(frozen=True, slots=True)
class Strike:
    """A fault that struck one call; `seconds` includes the jitter drawn for it."""

    kind: FaultKind
    seconds: float


class FaultPlan:
    """The faults in force: none at first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._dice = random.Random()  # noqa: S311 - faults are dice, not secrets
        self._faults: tuple[Fault, ...] = ()
        self._struck: list[int] = []

    def set(self, faults: Sequence[Fault], seed: int | None = None) -> None:
        """Put these faults in the place of all others; a seed makes the dice start again from it."""
        with self._lock:
            if seed is not None:
                self._dice.seed(seed)
            self._faults = tuple(faults)
            self._struck = [0] * len(faults)

    def to_list(self) -> list[dict[str, Any]]:
        """The faults as JSON values, each with how often it `struck`."""
        with self._lock:
            return [
                asdict(fault) | {"struck": struck} for fault, struck in zip(self._faults, self._struck, strict=True)
            ]

    def strike(self, method: str, path: str) -> list[Strike]:
        """What happens to this call: every latency that strikes, then the first other fault that does."""
        if not self._faults:
            return []
        latencies: list[Strike] = []
        others: list[Strike] = []
        with self._lock:
            for number, fault in enumerate(self._faults):
                strikes = latencies if fault.kind is FaultKind.LATENCY else others
                spent = fault.count is not None and self._struck[number] >= fault.count
                if (others and strikes is others) or spent or not fault.matches(method, path):
                    continue
                if self._dice.random() < fault.probability:
                    self._struck[number] += 1
                    strikes.append(Strike(fault.kind, fault.seconds + self._dice.random() * fault.jitter))
        return latencies + others
