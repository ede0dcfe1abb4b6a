"""How things stand, in numbers: what waits, how long, for which partner. It only reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, case, func, select

from connector.event_types import Outcome
from connector.store.connections import ConnectionState
from connector.store.tables import alerts, budgets, changes, connections, endpoints


@dataclass(frozen=True, slots=True)
class Gauges:
    """Numbers by label: `connections` and `backlog` by partner and state, `oldest` (seconds) by partner."""

    connections: Mapping[tuple[str, ...], float]
    backlog: Mapping[tuple[str, ...], float]
    oldest: Mapping[tuple[str, ...], float]
    budgets: Mapping[tuple[str, ...], float]
    alerts: Mapping[tuple[str, ...], float]


def read(tx: Connection, *, now: float) -> Gauges:
    waiting = _waiting(tx, now)
    oldest: dict[tuple[str, ...], float] = {}
    for row in waiting:
        if row.state in {"due", "waiting"}:
            oldest[row.partner,] = max(oldest.get((row.partner,), 0.0), now - row.oldest)
    by_kind = select(alerts.c.kind, func.count().label("number")).group_by(alerts.c.kind)
    return Gauges(
        connections={(row.partner, row.state): row.number for row in _connections(tx)},
        backlog={(row.partner, row.state): row.number for row in (*waiting, *_parked(tx))},
        oldest=oldest,
        budgets=_budgets(tx, now),
        alerts={(row.kind,): row.number for row in tx.execute(by_kind)},
    )


def _connections(tx: Connection) -> Sequence[Any]:
    return tx.execute(
        select(endpoints.c.partner, connections.c.state, func.count().label("number"))
        .join(endpoints, endpoints.c.id == connections.c.endpoint_id)
        .where(connections.c.state != ConnectionState.REMOVED)
        .group_by(endpoints.c.partner, connections.c.state)
    ).all()


def _waiting(tx: Connection, now: float) -> Sequence[Any]:
    state = case(
        (connections.c.state == ConnectionState.PAUSED, "held"),
        (and_(changes.c.due_at > now, changes.c.lease_owner.is_(None)), "waiting"),
        else_="due",
    ).label("state")
    return tx.execute(
        select(endpoints.c.partner, state, func.count().label("number"), func.min(changes.c.queued_at).label("oldest"))
        .select_from(changes)
        .join(connections, connections.c.id == changes.c.connection_id)
        .join(endpoints, endpoints.c.id == connections.c.endpoint_id)
        .where(changes.c.state == "pending")
        .group_by(endpoints.c.partner, state)
    ).all()


def _parked(tx: Connection) -> Sequence[Any]:
    # By the outcome, which has an index; a parked change has no other.
    return tx.execute(
        select(endpoints.c.partner, changes.c.state, func.count().label("number"))
        .select_from(changes)
        .join(connections, connections.c.id == changes.c.connection_id)
        .join(endpoints, endpoints.c.id == connections.c.endpoint_id)
        .where(changes.c.outcome == Outcome.PARKED, changes.c.state == "parked")
        .group_by(endpoints.c.partner, changes.c.state)
    ).all()


def _budgets(tx: Connection, now: float) -> dict[tuple[str, ...], float]:
    left: dict[tuple[str, ...], float] = {}
    for row in tx.execute(select(budgets).where(budgets.c.reset_at > now, budgets.c.allowed > 0)):
        # Scopes are `account A`, `token C`, and for a route `account A VERB pattern`: see delivery/pacing.py.
        words = row.scope.split(" ")
        window = words[0] if len(words) == 2 else "route"
        left[window,] = min(left.get((window,), 1.0), row.remaining / row.allowed)
    return left
