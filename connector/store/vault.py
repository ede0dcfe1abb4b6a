"""Encryption at rest: what goes into the vault comes out as text only where it is used.

It must never log or format a secret; what it returns is the caller's to keep quiet about.
"""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_MOST_OPENED = 1024


class VaultError(Exception):
    """A key is malformed, or nothing here opens what was stored. `code` is stable."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class Vault:
    """Encrypts with the first key, decrypts with any (`cryptography`'s MultiFernet)."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise VaultError("encryption_key_missing", "The vault needs a key; make one with: connector keys generate")
        fernets = []
        for number, key in enumerate(keys, start=1):
            try:
                fernets.append(Fernet(key))
            except ValueError:
                raise VaultError(
                    "encryption_key_malformed",
                    f"Encryption key {number} of {len(keys)} is not 32 url-safe base64 bytes; "
                    "make one with: connector keys generate",
                ) from None
        self._fernet = MultiFernet(fernets)
        # By what is stored, so that another secret is never answered with the one before it.
        self._opened = lru_cache(maxsize=_MOST_OPENED)(self._open)
        self._keys = tuple(base64.urlsafe_b64decode(key) for key in keys)

    def __repr__(self) -> str:
        return "Vault(…)"

    def encrypt(self, secret: str) -> bytes:
        return self._fernet.encrypt(secret.encode())

    def decrypt(self, stored: bytes) -> str:
        """Raises `VaultError`. Lately used secrets are kept in memory: every call to LaunchDarkly needs one."""
        return self._opened(bytes(stored))

    def _open(self, stored: bytes) -> str:
        try:
            return self._fernet.decrypt(stored).decode()
        except InvalidToken:
            raise VaultError(
                "encryption_key_wrong",
                "No key in CONNECTOR_ENCRYPTION_KEYS opens a stored secret; "
                "add the key it was stored with behind the new one.",
            ) from None

    def derive(self, context: str) -> list[bytes]:
        """Keys for another use than encryption, one of each of the vault's, the oldest first: the last one signs.

        What signs must not be what encrypts. Source: HKDF, https://www.rfc-editor.org/rfc/rfc5869
        """
        info = f"metric-connector {context}".encode()
        return [HKDF(SHA256(), 32, salt=None, info=info).derive(key) for key in reversed(self._keys)]

    def rotate(self, stored: bytes) -> bytes:
        """The same secret, encrypted with the first key."""
        try:
            return self._fernet.rotate(stored)
        except InvalidToken:
            self.decrypt(stored)
            raise


def generate_key() -> str:
    return Fernet.generate_key().decode()


def key_file(directory: Path) -> tuple[str, bool]:
    """The key of an installation without `CONNECTOR_ENCRYPTION_KEYS`, and whether it was made just now.

    It lives in `directory/encryption.key` with mode 0600. Two processes that start together end with one key.
    Raises `VaultError` with the code `encryption_key_readable` or `encryption_key_unavailable`.
    """
    path = directory / "encryption.key"
    try:
        made = not path.exists() and _make_key(path)
        if path.stat().st_mode & 0o077:
            raise VaultError("encryption_key_readable", f"{path} can be read by others; run: chmod 600 {path}")
        return path.read_text().strip(), made
    except OSError as error:
        raise VaultError(
            "encryption_key_unavailable",
            f"Cannot read or make {path}: {error.strerror}. Set CONNECTOR_ENCRYPTION_KEYS instead.",
        ) from None


def _make_key(path: Path) -> bool:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(generate_key() + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(fresh, path)
    except FileExistsError:
        return False  # another process was first: its key is the key
    finally:
        fresh.unlink()
    return True
