"""From how things stand to what a person should be told. Pure: it must never know the store's tables or a sink."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from connector.connections import WAITING
from connector.store.alerts import Trouble

STEPS = (50, 70, 90, 100)
"""Percent of a connection's latest changes that fail: each step is told once."""

EXPIRING = (30, 7, 1)
"""Days that a key has left, or less: each is told once, as level 1, 2 and 3."""

DAY = 86400.0

_NOT_THE_KEY = frozenset({"launchdarkly_not_found", "paused_by_person"})
"""Why a connection may be paused although its key is good: its project is gone, or a person wanted it."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is so now. `subject` is a connection's id, or empty; a higher `level` is worth telling again.

    `summary` is one short sentence, `detail` what there is to say beyond it.
    """

    kind: str
    subject: str
    level: int
    summary: str
    next_step: str
    detail: str = ""


def conditions(
    troubles: Sequence[Trouble], *, oldest_wait: float | None, backlog: float, now: float
) -> Sequence[Condition]:
    """All that is so; `backlog` is how many seconds the oldest change may wait."""
    found = [condition for trouble in troubles for condition in (*_of_connection(trouble), *_of_key(trouble, now))]
    if oldest_wait is not None and now - oldest_wait > backlog:
        found.append(
            Condition(
                "backlog_old",
                "",
                0,
                f"A change has waited for more than {backlog:g} seconds.",
                "Run connector doctor: it says whether a worker, LaunchDarkly or the database is in the way.",
            )
        )
    return found


def _of_connection(trouble: Trouble) -> Iterator[Condition]:
    name, subject = trouble.name, trouble.connection_id
    if trouble.paused and trouble.code != WAITING:
        refused = trouble.code is not None and trouble.code not in _NOT_THE_KEY
        yield Condition(
            "key_refused" if refused else "connection_paused",
            subject,
            0,
            f"{name} is paused: LaunchDarkly refuses its key." if refused else f"{name} is paused.",
            f"Set a key that works, which resumes it with all that waited: connector connections set-key {subject}"
            if refused
            else f"Its changes wait. Mend the reason, then: connector connections resume {subject}",
            trouble.reason or "",
        )
    if trouble.parked:
        yield Condition(
            "work_parked",
            subject,
            0,
            f"{name} has {trouble.parked} parked change{'' if trouble.parked == 1 else 's'}.",
            "See why and what to do: connector deliveries list --state parked. Mend it, then replay.",
        )
    step = max((step for step in STEPS if trouble.share * 100 >= step), default=None)
    if step is not None and not trouble.paused:
        yield Condition(
            "failing_share",
            subject,
            step,
            f"{step} % or more of the latest changes of {name} fail.",
            f"Run: connector doctor {subject}",
        )


def expiry_level(expires_at: float | None, now: float) -> int:
    """How many of the steps of `EXPIRING` a key that ends at `expires_at` (unix seconds) has passed."""
    return 0 if expires_at is None else sum(expires_at - now <= days * DAY for days in EXPIRING)


def _of_key(trouble: Trouble, now: float) -> Iterator[Condition]:
    """It stands until another key is set, whether or not the connection is paused meanwhile."""
    level = expiry_level(trouble.key_expires_at, now)
    if trouble.key_expires_at is not None and level:
        days = EXPIRING[level - 1]
        yield Condition(
            "key_expiring",
            trouble.connection_id,
            level,
            f"The LaunchDarkly key of {trouble.name} expires in {days} day{'' if days == 1 else 's'} or less.",
            "Set another key before then, yourself or by a set-up link for the customer: "
            f"connector connections set-key {trouble.connection_id}",
            f"It expires at {datetime.fromtimestamp(trouble.key_expires_at, UTC):%Y-%m-%d %H:%M} UTC.",
        )
