"""When to try again, and when to give up and ask a person. Pure: time and chance are passed in."""

from __future__ import annotations

from connector.launchdarkly import Limit, Limits

WAITS = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
"""Seconds before the second, third … attempt; the last one repeats."""

GIVE_UP = 72 * 3600.0
"""Seconds from receipt after which a change that still fails is parked."""

JITTER = 0.25
"""The share of a wait that chance adds. It only ever adds: nothing wakes before its time."""


def due_after(*, attempts: int, now: float, chance: float, not_before: float | None = None) -> float:
    """When to try again (unix seconds); `attempts` were made, `chance` is in [0, 1)."""
    if not_before is not None:
        return max(now, not_before) + chance  # the other side has said when: only the herd is to be spread
    return now + WAITS[min(attempts, len(WAITS)) - 1] * (1 + JITTER * chance)


def given_up(*, attempts: int, waited: float) -> bool:
    """Whether a person is to be asked, `waited` seconds after the receipt.

    Never before each of the waits was tried: the change may have been held, or nothing running, for most of that time.
    """
    return waited >= GIVE_UP and attempts >= len(WAITS)


def opens_at(limits: Limits) -> float | None:
    """When the limit that refused a call lets calls through again, as far as the answer tells.

    Where it does not tell which family is used up, the latest reset is the safe reading.
    """
    families: list[Limit] = [family for family in (limits.account, limits.route, limits.token) if family is not None]
    resets = [family.reset_at for family in families if family.reset_at is not None and family.remaining == 0]
    resets = resets or [family.reset_at for family in families if family.reset_at is not None]
    if limits.not_before is not None:
        return limits.not_before if not resets else max(limits.not_before, *resets)
    return max(resets, default=None)
