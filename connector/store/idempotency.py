"""Requests that made something and may come a second time, each by the key that its sender gave it.

The request itself is kept encrypted, as it holds secrets. It must never know what a request asks for.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, select

from connector.store.tables import idempotency_keys
from connector.store.vault import Vault

KEEP_SECONDS = 24 * 3600.0
"""How long a second request with the same key is recognised."""


class IdempotencyKeyReused(Exception):
    """The key was used before for another request."""

    code = "idempotency_key_reused"


@dataclass(frozen=True, slots=True)
class Once:
    """`key` is the sender's, `request` the whole of what it asks for, in one canonical text."""

    key: str
    request: str


def earlier(tx: Connection, vault: Vault, once: Once, *, now: float) -> str | None:
    """The id of the connection that the same request made; None for a new one. Raises `IdempotencyKeyReused`."""
    tx.execute(delete(idempotency_keys).where(idempotency_keys.c.created_at < now - KEEP_SECONDS))
    row = tx.execute(select(idempotency_keys).where(idempotency_keys.c.key == once.key)).one_or_none()
    if row is None:
        return None
    if vault.decrypt(row.request) != once.request:
        raise IdempotencyKeyReused("This Idempotency-Key was used before for another request: give each its own.")
    connection_id: str = row.connection_id
    return connection_id


def remember(tx: Connection, vault: Vault, once: Once, connection_id: str, *, now: float) -> None:
    sealed = vault.encrypt(once.request)
    values = {"key": once.key, "request": sealed, "connection_id": connection_id, "created_at": now}
    tx.execute(idempotency_keys.insert().values(values))
