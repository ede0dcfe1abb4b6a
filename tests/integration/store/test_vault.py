"""The vault and its key file; and that what it keeps is nowhere else to be read."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import select

from connector.store import connections, endpoints
from connector.store.database import Database
from connector.store.tables import connections as connections_table
from connector.store.tables import endpoint_secrets
from connector.store.vault import Vault, VaultError, generate_key, key_file

NOW = 1_800_000_000.0
CANARY = "api-canary-5f1d"


class TestVault:
    def test_what_goes_in_comes_out(self, vault: Vault) -> None:
        stored = vault.encrypt("Geheimnis ✓")
        assert vault.decrypt(stored) == "Geheimnis ✓"
        assert b"Geheimnis" not in stored

    def test_equal_secrets_do_not_look_equal(self, vault: Vault) -> None:
        assert vault.encrypt(CANARY) != vault.encrypt(CANARY)

    def test_the_wrong_key_opens_nothing_and_says_what_to_do(self, vault: Vault) -> None:
        with pytest.raises(VaultError, match="add the key it was stored with behind the new one") as refused:
            Vault([generate_key()]).decrypt(vault.encrypt(CANARY))
        assert refused.value.code == "encryption_key_wrong"
        assert CANARY not in str(refused.value)

    def test_altered_bytes_are_not_opened(self, vault: Vault) -> None:
        stored = bytearray(vault.encrypt(CANARY))
        stored[20] ^= 1
        with pytest.raises(VaultError):
            vault.decrypt(bytes(stored))

    def test_any_of_several_keys_opens_and_the_first_one_encrypts(self) -> None:
        old, new = generate_key(), generate_key()
        both = Vault([new, old])
        assert both.decrypt(Vault([old]).encrypt(CANARY)) == CANARY
        assert Vault([new]).decrypt(both.encrypt(CANARY)) == CANARY

    def test_rotating_lets_the_old_key_go(self) -> None:
        old, new = generate_key(), generate_key()
        rotated = Vault([new, old]).rotate(Vault([old]).encrypt(CANARY))
        assert Vault([new]).decrypt(rotated) == CANARY
        with pytest.raises(VaultError):
            Vault([new]).rotate(Vault([old]).encrypt(CANARY))

    def test_without_a_key_there_is_no_vault(self) -> None:
        with pytest.raises(VaultError, match="connector keys generate") as refused:
            Vault([])
        assert refused.value.code == "encryption_key_missing"

    @pytest.mark.parametrize("key", ["", "canary", generate_key()[:-2], "ä" * 44])
    def test_a_malformed_key_is_named_by_its_place_and_not_repeated(self, key: str) -> None:
        with pytest.raises(VaultError, match=r"^Encryption key 2 of 2 is not 32 url-safe base64 bytes") as refused:
            Vault([generate_key(), key])
        assert refused.value.code == "encryption_key_malformed"
        assert not key or key not in str(refused.value)

    def test_its_repr_is_silent(self) -> None:
        assert repr(Vault([generate_key()])) == "Vault(…)"


class TestKeyFile:
    def test_the_first_call_makes_a_key_and_the_next_ones_read_it(self, tmp_path: Path) -> None:
        key, made = key_file(tmp_path / "instance")
        assert made
        assert key_file(tmp_path / "instance") == (key, False)
        assert Vault([key]).decrypt(Vault([key]).encrypt(CANARY)) == CANARY

    def test_it_is_for_its_owner_only_whatever_the_umask(self, tmp_path: Path) -> None:
        before = os.umask(0)
        try:
            key_file(tmp_path / "instance")
        finally:
            os.umask(before)
        assert (tmp_path / "instance").stat().st_mode & 0o777 == 0o700
        assert (tmp_path / "instance" / "encryption.key").stat().st_mode & 0o777 == 0o600

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
    def test_one_that_others_can_read_is_refused(self, tmp_path: Path, mode: int) -> None:
        key_file(tmp_path)
        path = tmp_path / "encryption.key"
        path.chmod(mode)
        with pytest.raises(VaultError, match=f"run: chmod 600 {path}") as refused:
            key_file(tmp_path)
        assert refused.value.code == "encryption_key_readable"

    def test_a_directory_that_cannot_be_made_is_declared(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(VaultError, match="Set CONNECTOR_ENCRYPTION_KEYS instead") as refused:
            key_file(tmp_path / "file")
        assert refused.value.code == "encryption_key_unavailable"

    def test_threads_that_race_make_one_key_and_leave_nothing_behind(self, tmp_path: Path) -> None:
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _: key_file(tmp_path), range(8)))
        assert len({key for key, _ in found}) == 1
        assert sum(made for _, made in found) == 1
        assert [path.name for path in tmp_path.iterdir()] == ["encryption.key"]

    def test_processes_that_race_make_one_key(self, tmp_path: Path) -> None:
        program = (
            "import sys, pathlib; from connector.store.vault import key_file; "
            "sys.stdin.readline(); print(key_file(pathlib.Path(sys.argv[1]))[0])"
        )
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", program, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for _ in range(2)
        ]
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        keys = {process.communicate(timeout=20)[0] for process in processes}
        assert len(keys) == 1
        assert [path.name for path in tmp_path.iterdir()] == ["encryption.key"]


class TestStoredSecrets:
    @pytest.fixture(autouse=True)
    def secrets(self, database: Database, vault: Vault, connect: Callable[..., str]) -> None:
        connect()

        def write(tx: object) -> None:
            endpoints.add_secret(tx, vault, "ep_1", "whsec_canary-5f1d", now=NOW)
            connections.set_credential(tx, vault, "con_1", CANARY)
            connections.set_source(tx, vault, "con_1", {"token": "source-canary-5f1d"})

        database.write(write)

    def test_no_byte_of_the_database_file_tells_them(self, database: Database, tmp_path: Path) -> None:
        if not database.sqlite:
            with database.read() as tx:
                rows = [*tx.execute(select(endpoint_secrets)), *tx.execute(select(connections_table))]
            assert "canary-5f1d" not in repr(rows)
            return
        files = sorted(tmp_path.glob("connector.db*"))
        assert [path.name for path in files] == ["connector.db", "connector.db-shm", "connector.db-wal"]
        assert not any(b"canary-5f1d" in path.read_bytes() for path in files)
        assert any(b"con_1" in path.read_bytes() for path in files), "what is not secret is there"

    def test_no_repr_tells_them(self, database: Database, vault: Vault) -> None:
        with database.read() as tx:
            seen = [connections.get(tx, "con_1"), endpoints.get(tx, "ep_1"), connections.stored_credential(tx, "con_1")]
        assert "canary-5f1d" not in repr([*seen, vault, database])
