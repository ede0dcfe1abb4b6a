"""Re-keying: every stored secret is encrypted anew with the vault's first key."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, select, update

from connector.store.tables import connections, endpoint_secrets, idempotency_keys, oauth_grants, setup_links
from connector.store.vault import Vault

_SEALED = (
    (endpoint_secrets, endpoint_secrets.c.secret),
    (connections, connections.c.credential),
    (connections, connections.c.source_credential),
    (setup_links, setup_links.c.credential),
    (setup_links, setup_links.c.pending),
    (oauth_grants, oauth_grants.c.refresh_token),
    (idempotency_keys, idempotency_keys.c.request),
)
"""Every column that the vault encrypts."""


def sealed(tx: Connection) -> Iterator[bytes]:
    """Every stored secret, as the vault encrypted it."""
    for _, column in _SEALED:
        yield from tx.execute(select(column).where(column.is_not(None))).scalars()


def all_secrets(tx: Connection, vault: Vault) -> int:
    """How many there are. Raises `VaultError`, and changes nothing, where one cannot be opened."""
    number = 0
    for table, column in _SEALED:
        (key,) = table.primary_key.columns
        for row in tx.execute(select(key.label("key"), column.label("stored")).where(column.is_not(None))).all():
            tx.execute(update(table).where(key == row.key).values({column: vault.rotate(row.stored)}))
            number += 1
    return number
