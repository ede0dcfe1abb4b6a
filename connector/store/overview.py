"""Figures for a person who looks at the whole: outcomes over time, how long work waits, what is left of rate limits.

Read-only, and bounded by what is recent or still open. It must never know how a figure is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, Integer, case, cast, func, select

from connector.store.tables import budgets, changes, connections, deliveries, endpoint_secrets, event_types, links


@dataclass(frozen=True, slots=True)
class Span:
    """What became of the changes that were received within one span of time; `pending` of those that still wait."""

    begins_at: float
    outcomes: Mapping[str, int]


def outcomes_over_time(tx: Connection, *, since: float, until: float, spans: int) -> Sequence[Span]:
    """The time from `since` to `until` in equal spans, oldest first."""
    length = (until - since) / spans
    number = cast((deliveries.c.received_at - since) / length - 0.5, Integer)
    if tx.dialect.name == "sqlite":  # whose cast cuts where PostgreSQL's rounds
        number = cast((deliveries.c.received_at - since) / length, Integer)
    outcome = func.coalesce(changes.c.outcome, "pending")
    rows = tx.execute(
        select(number.label("span"), outcome.label("outcome"), func.count().label("changes"))
        .join(changes, changes.c.delivery_id == deliveries.c.id)
        .where(deliveries.c.received_at >= since, deliveries.c.received_at < until)
        .group_by("span", "outcome")
    )
    found: list[dict[str, int]] = [{} for _ in range(spans)]
    for row in rows:
        into = found[min(max(row.span, 0), spans - 1)]
        into[row.outcome] = into.get(row.outcome, 0) + row.changes
    return [Span(since + number * length, outcomes) for number, outcomes in enumerate(found)]


def waiting_by_age(tx: Connection, limits: Sequence[float], *, now: float) -> Sequence[int]:
    """How many unfinished changes wait less than each of `limits` (seconds, ascending); the last figure is the rest."""
    age = now - changes.c.queued_at
    steps = case(*((age < limit, index) for index, limit in enumerate(limits)), else_=len(limits)).label("step")
    rows = tx.execute(select(steps, func.count().label("number")).where(changes.c.state == "pending").group_by(steps))
    found = {row.step: row.number for row in rows}
    return [found.get(index, 0) for index in range(len(limits) + 1)]


@dataclass(frozen=True, slots=True)
class AccountBudget:
    """What the last answer told of an account's window; `connections` are the names of those that share it."""

    connections: Sequence[str]
    allowed: int
    remaining: int
    reset_at: float


def account_budgets(tx: Connection) -> Sequence[AccountBudget]:
    """The global limit of every LaunchDarkly account that ever told one, the scarcest first."""
    scope = "account " + func.coalesce(connections.c.account, connections.c.id)
    rows = tx.execute(
        select(budgets, connections.c.name)
        .join(connections, budgets.c.scope == scope)
        .where(connections.c.state != "removed")
        .order_by(budgets.c.scope, connections.c.name)
    )
    found: dict[str, tuple[Any, list[str]]] = {}
    for row in rows:
        found.setdefault(row.scope, (row, []))[1].append(row.name)
    accounts = [AccountBudget(names, row.allowed, row.remaining, row.reset_at) for row, names in found.values()]
    return sorted(accounts, key=lambda account: account.remaining / max(1, account.allowed))


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One metric of a connection, as it was told to LaunchDarkly last."""

    id: int
    event_type: str
    event_key: str
    name: str
    metric_key: str
    measure: str
    state: str
    updated_at: float


def metrics_of(tx: Connection, connection_id: str, *, after: int = 0, limit: int = 50) -> Sequence[MetricRow]:
    """In the order in which they were first made; `after` is the id of the last one of the page before."""
    rows = tx.execute(
        select(links, event_types.c.identity)
        .join(event_types, event_types.c.id == links.c.event_type_id)
        .where(links.c.connection_id == connection_id, links.c.id > after)
        .order_by(links.c.id)
        .limit(limit)
    )
    return [
        MetricRow(
            id=row.id,
            event_type=row.identity.partition(":")[2],
            event_key=str(row.body.get("eventKey", "")),
            name=str(row.body.get("name", row.metric_key)),
            metric_key=row.metric_key,
            measure=row.measure,
            state=row.state,
            updated_at=row.updated_at,
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class ConnectionFigures:
    """`outcomes` counts changes, unfinished ones as `pending`; `last_received_at` is of the newest delivery kept."""

    metrics: int
    last_received_at: float | None
    outcomes: Mapping[str, int] = field(default_factory=dict)


def figures_of(tx: Connection, connection_id: str) -> ConnectionFigures:
    mine = changes.c.connection_id == connection_id
    counted = tx.execute(select(changes.c.outcome, func.count()).where(mine).group_by(changes.c.outcome))
    return replace(brief_of(tx, connection_id), outcomes={outcome or "pending": number for outcome, number in counted})


def brief_of(tx: Connection, connection_id: str) -> ConnectionFigures:
    """The figures without the outcomes: no walk through all that ever happened, for a list of many connections."""
    mine = changes.c.connection_id == connection_id
    newest = select(changes.c.delivery_id).where(mine).order_by(changes.c.id.desc()).limit(1).scalar_subquery()
    return ConnectionFigures(
        metrics=tx.execute(
            select(func.count()).select_from(links).where(links.c.connection_id == connection_id)
        ).scalar_one(),
        last_received_at=tx.execute(
            select(deliveries.c.received_at).where(deliveries.c.id == newest)
        ).scalar_one_or_none(),
    )


@dataclass(frozen=True, slots=True)
class SecretRow:
    """One webhook secret of an endpoint, without the secret; `expires_at` of one that was rotated away."""

    created_at: float
    expires_at: float | None


def secrets_of(tx: Connection, endpoint_id: str, *, now: float) -> Sequence[SecretRow]:
    """Those that verify now, newest first."""
    rows = tx.execute(
        select(endpoint_secrets.c.created_at, endpoint_secrets.c.expires_at)
        .where(endpoint_secrets.c.endpoint_id == endpoint_id)
        .order_by(endpoint_secrets.c.id.desc())
    )
    return [SecretRow(row.created_at, row.expires_at) for row in rows if row.expires_at is None or row.expires_at > now]
