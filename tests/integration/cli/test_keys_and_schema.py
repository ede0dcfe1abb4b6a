"""`connector keys` and `connector db`: what an operator does before and between versions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connector.store import connections, schema
from connector.store.connections import Connection
from connector.store.database import Database
from connector.store.vault import Vault, VaultError, generate_key

Run = Callable[..., Any]


def test_a_generated_key_is_one_that_the_vault_takes(connector: Run) -> None:
    said = connector("keys", "generate")
    assert (said.exit_code, said.err) == (0, "")
    assert Vault([said.out.strip()]).encrypt("x")
    assert connector("keys", "generate").out != said.out


def test_rotating_moves_every_secret_to_the_first_key(
    connector: Run,
    connect: Callable[..., Connection],
    database: Database,
    environment: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    added = connect()
    new = generate_key()
    monkeypatch.setenv("CONNECTOR_ENCRYPTION_KEYS", f"{new},{environment}")

    said = connector("keys", "rotate")

    assert said.out == "2 secrets are now encrypted with the first key; the others may go.\n"
    with database.read() as tx:
        encrypted = connections.stored_credential(tx, added.id)
    assert Vault([new]).decrypt(encrypted) == "api-demo"
    with pytest.raises(VaultError):
        Vault([environment]).decrypt(encrypted)


def test_rotating_without_the_old_key_fails_and_says_which_is_missing(
    connector: Run, connect: Callable[..., Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    connect()
    monkeypatch.setenv("CONNECTOR_ENCRYPTION_KEYS", generate_key())
    said = connector("keys", "rotate")
    assert said.exit_code == 1
    assert "add the key it was stored with behind the new one" in said.err


def test_without_keys_one_is_made_beside_the_database_and_said_once(
    connector: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("CONNECTOR_ENCRYPTION_KEYS")
    said = connector("connections", "list", "--json")
    key = (tmp_path / "encryption.key").read_text().strip()
    assert said.json == []
    assert f"made an encryption key in {tmp_path}/encryption.key: back it up" in said.err
    assert key not in said.err
    assert connector("connections", "list", "--json").err == ""

    (tmp_path / "encryption.key").chmod(0o644)
    refused = connector("connections", "list")
    assert refused.exit_code == 1
    assert "run: chmod 600" in refused.err


def test_an_upgrade_says_what_it_was_and_is(
    connector: Run, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONNECTOR_DATABASE_URL", empty_database_url)
    assert connector("db", "upgrade").out == f"The schema is {schema.head()}, it was empty.\n"
    assert connector("db", "upgrade").out == f"The schema is {schema.head()}, as it was.\n"
    assert connector("connections", "list", "--json").json == []


@pytest.mark.parametrize("empty_database_url", ["postgres"], indirect=True)
def test_a_server_without_a_schema_is_1_and_says_what_to_run(
    connector: Run, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONNECTOR_DATABASE_URL", empty_database_url)
    said = connector("connections", "list")
    assert (said.exit_code, said.err) == (1, "Error: The database has no schema yet. Run: connector db upgrade\n")
