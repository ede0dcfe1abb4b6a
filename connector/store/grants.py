"""OAuth grants: what renews a connection's access token, when, and who is doing it just now.

The access token itself is the connection's credential. It must never know how LaunchDarkly is asked.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection as Tx
from sqlalchemy import delete, select, update

from connector.store.tables import oauth_grants
from connector.store.vault import Vault


@dataclass(frozen=True, slots=True)
class StoredGrant:
    """`serial` names this very refresh token, which the vault encrypted. Times are unix seconds."""

    connection_id: str
    serial: str
    refresh_token: bytes = field(repr=False)
    renewed_at: float
    renew_at: float
    expires_at: float
    leased_until: float


def put(tx: Tx, vault: Vault, connection_id: str, refresh_token: str, *, expires_at: float, now: float) -> None:
    """Store a grant in the place of the one before; it is renewed well before its access token ends."""
    remaining = max(expires_at - now, 0.0)
    values = {
        "connection_id": connection_id,
        "serial": secrets.token_hex(16),
        "refresh_token": vault.encrypt(refresh_token),
        "renewed_at": now,
        "renew_at": now + max(remaining / 2, remaining - AHEAD),
        "expires_at": expires_at,
        "leased_until": 0.0,
    }
    forget(tx, connection_id)
    tx.execute(oauth_grants.insert().values(values))


AHEAD = 900.0
"""Seconds before the end of a long-lived access token from which on it is renewed; a short one at half its life."""


def get(tx: Tx, connection_id: str) -> StoredGrant | None:
    row = tx.execute(select(oauth_grants).where(oauth_grants.c.connection_id == connection_id)).one_or_none()
    return None if row is None else StoredGrant(**row._mapping)


def due(tx: Tx, *, now: float, limit: int = 1000) -> Sequence[StoredGrant]:
    """Those to be renewed now that nobody is renewing, the most urgent first."""
    wanted = (oauth_grants.c.renew_at <= now) & (oauth_grants.c.leased_until <= now)
    rows = tx.execute(select(oauth_grants).where(wanted).order_by(oauth_grants.c.expires_at).limit(limit))
    return [StoredGrant(**row._mapping) for row in rows]


def claim(tx: Tx, grant: StoredGrant, *, now: float, lease: float) -> bool:
    """Whether the caller, and nobody else for `lease` seconds, may use this refresh token."""
    until = now + lease
    # One that lasts much longer than any lease was taken before the clock was set back.
    free = (oauth_grants.c.leased_until <= now) | (oauth_grants.c.leased_until > now + 10 * lease)
    mine = (oauth_grants.c.connection_id == grant.connection_id) & (oauth_grants.c.serial == grant.serial)
    return tx.execute(update(oauth_grants).where(mine, free).values(leased_until=until)).rowcount == 1


def stands(tx: Tx, grant: StoredGrant) -> bool:
    """Whether it is still this one: not renewed, taken back or replaced by another consent meanwhile."""
    found = get(tx, grant.connection_id)
    return found is not None and found.serial == grant.serial


def forget(tx: Tx, connection_id: str) -> None:
    tx.execute(delete(oauth_grants).where(oauth_grants.c.connection_id == connection_id))
