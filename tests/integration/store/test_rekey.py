"""Re-keying: all secrets move to the first key, or none does."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Connection as Tx
from sqlalchemy import select

from connector.store import connections, endpoints, rekey
from connector.store.database import Database
from connector.store.tables import connections as connections_table
from connector.store.tables import endpoint_secrets
from connector.store.vault import Vault, VaultError, generate_key

NOW = 1_800_000_000.0
OLD, NEW = generate_key(), generate_key()


@pytest.fixture(autouse=True)
def secrets(database: Database, connect: Callable[..., str]) -> None:
    """Four of them: two webhook secrets, an API key and the credential of a list API, all under the old key."""
    connect()

    def write(tx: Tx) -> None:
        old = Vault([OLD])
        endpoints.add_secret(tx, old, "ep_1", "first", now=NOW)
        endpoints.add_secret(tx, old, "ep_1", "second", now=NOW, overlap=60)
        connections.set_credential(tx, old, "con_1", "api-1")
        connections.set_source(tx, old, "con_1", {"token": "t"})

    database.write(write)


@pytest.fixture
def stored(database: Database) -> Callable[[], list[bytes]]:
    def read() -> list[bytes]:
        with database.read() as tx:
            columns = connections_table.c.credential, connections_table.c.source_credential
            (row,) = tx.execute(select(*columns))
            return [*tx.execute(select(endpoint_secrets.c.secret)).scalars(), *row]

    return read


def test_every_secret_is_encrypted_with_the_first_key(database: Database, stored: Callable[[], list[bytes]]) -> None:
    assert database.write(lambda tx: rekey.all_secrets(tx, Vault([NEW, OLD]))) == 4

    new = Vault([NEW])
    assert [new.decrypt(each) for each in stored()] == ["first", "second", "api-1", '{"token": "t"}']
    with database.read() as tx:
        assert list(endpoints.secrets(tx, new, "ep_1", now=NOW)) == ["second", "first"]


def test_where_one_cannot_be_opened_nothing_is_changed(database: Database, stored: Callable[[], list[bytes]]) -> None:
    database.write(lambda tx: connections.set_source(tx, Vault([generate_key()]), "con_1", {"token": "lost"}))
    before = stored()
    with pytest.raises(VaultError, match="No key in CONNECTOR_ENCRYPTION_KEYS opens a stored secret"):
        database.write(lambda tx: rekey.all_secrets(tx, Vault([NEW, OLD])))
    assert stored() == before
