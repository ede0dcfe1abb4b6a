"""From how things stand to what a person should be told. Pure: it must never know the store's tables or a sink."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from connector.connections import WAITING
from connector.store.alerts import Trouble

STEPS = (50, 70, 90, 100)
"""Percent of a connection's latest changes that fail: each step is told once."""

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
    found = [condition for trouble in troubles for condition in _of_connection(trouble)]
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
