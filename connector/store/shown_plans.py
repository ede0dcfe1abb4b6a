"""Plans that the console shows a person before they are applied: what is applied must be what was shown.

It must never know what a plan says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, select

from connector.store.tables import shown_plans

KEEP = 24 * 3600.0
"""Seconds after which a plan that was only looked at is forgotten."""


def add(tx: Connection, plan_id: str, connection_id: str, plan: Mapping[str, Any], *, now: float) -> None:
    tx.execute(delete(shown_plans).where(shown_plans.c.made_at < now - KEEP))
    tx.execute(shown_plans.insert().values(id=plan_id, connection_id=connection_id, plan=dict(plan), made_at=now))


def get(tx: Connection, plan_id: str, connection_id: str) -> Mapping[str, Any] | None:
    """The plan, where it is of this connection."""
    found: Mapping[str, Any] | None = tx.execute(
        select(shown_plans.c.plan).where(shown_plans.c.id == plan_id, shown_plans.c.connection_id == connection_id)
    ).scalar_one_or_none()
    return found
