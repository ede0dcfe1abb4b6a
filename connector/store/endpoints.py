"""Endpoints: one webhook URL each, with the secrets that verify what arrives there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, or_, select, update

from connector.store.rows import insert_ignoring
from connector.store.statements import Statement
from connector.store.tables import connections, endpoint_secrets, endpoints
from connector.store.vault import Vault


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`shared` endpoints serve many customers and are routed by workspace. `origin` is `stored` or `environment`."""

    id: str
    partner: str
    shared: bool = False
    origin: str = "stored"
    removed: bool = False


def add(tx: Connection, endpoint: Endpoint, *, now: float) -> bool:
    """Whether it was new."""
    values = {
        "id": endpoint.id,
        "partner": endpoint.partner,
        "shared": endpoint.shared,
        "origin": endpoint.origin,
        "created_at": now,
    }
    return insert_ignoring(tx, endpoints, values, conflict=["id"]) is not None


_GET = Statement("SELECT id, partner, shared, origin, removed_at FROM endpoints WHERE id = :id")


def get(tx: Connection, endpoint_id: str) -> Endpoint | None:
    row = _GET.one(tx, {"id": endpoint_id})
    if row is None:
        return None
    known, partner, shared, origin, removed_at = row
    return Endpoint(known, partner, bool(shared), origin, removed_at is not None)


def partner_of(tx: Connection, connection_id: str) -> str:
    """The name of the partner that feeds a connection."""
    found = select(endpoints.c.partner).join(connections, connections.c.endpoint_id == endpoints.c.id)
    partner: str = tx.execute(found.where(connections.c.id == connection_id)).scalar_one()
    return partner


def put_environment(tx: Connection, endpoint: Endpoint, *, now: float) -> None:
    """Make the environment's endpoint as it is said now, whatever it was before."""
    if not add(tx, endpoint, now=now):
        tx.execute(
            update(endpoints).where(endpoints.c.id == endpoint.id).values(partner=endpoint.partner, removed_at=None)
        )


def remove(tx: Connection, endpoint_id: str, *, now: float) -> None:
    """Answer 410 from now on; the secrets go at once."""
    tx.execute(update(endpoints).where(endpoints.c.id == endpoint_id).values(removed_at=now))
    tx.execute(delete(endpoint_secrets).where(endpoint_secrets.c.endpoint_id == endpoint_id))


def secrets(connection: Connection, vault: Vault, endpoint_id: str, *, now: float) -> Sequence[str]:
    """Every secret that verifies now, newest first."""
    active = or_(endpoint_secrets.c.expires_at.is_(None), endpoint_secrets.c.expires_at > now)
    rows = connection.execute(
        select(endpoint_secrets.c.secret)
        .where(endpoint_secrets.c.endpoint_id == endpoint_id, active)
        .order_by(endpoint_secrets.c.id.desc())
    )
    return [vault.decrypt(row.secret) for row in rows]


def add_secret(tx: Connection, vault: Vault, endpoint_id: str, secret: str, *, now: float, overlap: float = 0) -> None:
    """Store a new secret; those before it verify for `overlap` more seconds."""
    older = (endpoint_secrets.c.endpoint_id == endpoint_id) & (
        endpoint_secrets.c.expires_at.is_(None) | (endpoint_secrets.c.expires_at > now + overlap)
    )
    if overlap > 0:
        tx.execute(update(endpoint_secrets).where(older).values(expires_at=now + overlap))
    else:
        tx.execute(delete(endpoint_secrets).where(endpoint_secrets.c.endpoint_id == endpoint_id))
    tx.execute(endpoint_secrets.insert().values(endpoint_id=endpoint_id, secret=vault.encrypt(secret), created_at=now))
