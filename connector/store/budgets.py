"""What is left of LaunchDarkly's rate limits, shared by all processes; one row a window.

It must never know which calls are made or what a header is called.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select, update

from connector.store import connections
from connector.store.rows import insert_ignoring
from connector.store.statements import Statement
from connector.store.tables import budgets

WINDOW = 10.0
"""Seconds of a window of LaunchDarkly's, for the guess at one that no answer has told of yet."""


@dataclass(frozen=True, slots=True)
class Budget:
    """A window as the last answer told it: `allowed` calls in all, `remaining` of them, until `reset_at`."""

    allowed: int
    remaining: int
    reset_at: float


def scopes_of(connection: connections.Connection) -> tuple[str, str]:
    """The windows of a connection's account and token. Until the account is known, it shares with nobody."""
    return f"account {connection.account or connection.id}", f"token {connection.id}"


KNOWN = (
    "EXISTS (SELECT 1 FROM budgets WHERE scope IN "
    "('account ' || COALESCE(connections.account, connections.id), 'token ' || connections.id))"
)
"""`known` as part of a statement about a connection, whose scopes are those of `scopes_of`."""

_KNOWN = Statement(f"SELECT {KNOWN} FROM connections WHERE id = :id")  # noqa: S608 - our own


def known(tx: Connection, connection_id: str) -> bool:
    """Whether the connection's account or token has ever been limited; else nothing has to be taken."""
    row = _KNOWN.one(tx, {"id": connection_id})
    return row is not None and bool(row[0])


def take(tx: Connection, scopes: Sequence[str], *, reserve: float, now: float) -> float | None:
    """Take one call from every window of `scopes`; None where it may be made, else when to ask again (unix seconds).

    `reserve` is the share of each window that is left to others who use the same limits.
    """
    rows = tx.execute(
        select(budgets).where(budgets.c.scope.in_(scopes)).order_by(budgets.c.scope).with_for_update()
    ).all()
    wait: list[float] = [
        row.reset_at for row in rows if row.reset_at > now and row.remaining <= _floor(row.allowed, reserve)
    ]
    if wait:
        return max(wait)
    for row in rows:
        mine = budgets.c.scope == row.scope
        if row.reset_at > now:
            tx.execute(update(budgets).where(mine).values(remaining=row.remaining - 1))
        else:  # the window is over, and the next one begins with this call
            fresh = {"remaining": row.allowed - 1, "reset_at": now + WINDOW, "assumed": True}
            tx.execute(update(budgets).where(mine).values(fresh))
    return None


def _floor(allowed: int, reserve: float) -> int:
    """What is left to others: never the whole window, however small it is."""
    return min(math.ceil(allowed * reserve), allowed - 1)


def forget(tx: Connection, scopes: Sequence[str]) -> None:
    """Count nothing of these any more, until an answer tells a limit again."""
    tx.execute(delete(budgets).where(budgets.c.scope.in_(scopes)))


def learn(tx: Connection, told: Mapping[str, Budget], *, now: float) -> None:
    """Note what an answer told of the windows. Answers that overtake one another never add to what is left."""
    for scope, budget in sorted(told.items()):
        values = {
            "allowed": budget.allowed,
            "remaining": budget.remaining,
            "reset_at": budget.reset_at,
            "assumed": False,
        }
        if insert_ignoring(tx, budgets, {"scope": scope, **values}, conflict=["scope"]) is not None:
            continue
        row = tx.execute(select(budgets).where(budgets.c.scope == scope).with_for_update()).one()
        same_window = abs(row.reset_at - budget.reset_at) < WINDOW / 2
        if budget.reset_at <= now or (not row.assumed and budget.reset_at < row.reset_at and not same_window):
            continue  # of a window that is over
        if same_window or row.assumed:
            values["remaining"] = min(budget.remaining, row.remaining)
        tx.execute(update(budgets).where(budgets.c.scope == scope).values(values))
