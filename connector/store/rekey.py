"""Re-keying: every stored secret is encrypted anew with the vault's first key."""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from connector.store.tables import connections, endpoint_secrets
from connector.store.vault import Vault


def all_secrets(tx: Connection, vault: Vault) -> int:
    """How many there are. Raises `VaultError`, and changes nothing, where one cannot be opened."""
    number = 0
    for table, column in (
        (endpoint_secrets, endpoint_secrets.c.secret),
        (connections, connections.c.credential),
        (connections, connections.c.source_credential),
    ):
        for row in tx.execute(select(table.c.id, column.label("stored")).where(column.is_not(None))).all():
            tx.execute(update(table).where(table.c.id == row.id).values({column: vault.rotate(row.stored)}))
            number += 1
    return number
