"""Secrets as people enter them, read into keys, refused, generated. It must never know a scheme's wire form."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from secrets import token_bytes
from typing import TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from connector.signatures.refusals import RefusalCode, SecretCode, SecretRefused, SignatureRefused

Key = TypeVar("Key")

# Standard Webhooks: "between 24 bytes (192 bits) and 64 bytes"; no sender needs the upper bound, so it is not enforced.
MINIMUM_SECRET_BYTES = 24
MINIMUM_RSA_BITS = 2048  # RFC 7518 section 3.3

SHARED_PREFIX = "whsec_"
PUBLIC_PREFIX = "whpk_"
PRIVATE_PREFIX = "whsk_"
_PEM_MARK = "-----BEGIN"
_ED25519_BYTES = 32


def usable(secrets: Sequence[str], read: Callable[[str], Key]) -> list[Key]:
    """The keys of the secrets that may be used; refuses the request if there is none."""
    keys = []
    for secret in secrets:
        try:
            keys.append(read(secret))
        except SecretRefused:
            continue
    if keys:
        return keys
    if secrets:
        raise SignatureRefused(
            RefusalCode.SECRET_UNUSABLE, "None of the endpoint's secrets fits its signature scheme: enter it again."
        )
    raise SignatureRefused(RefusalCode.SECRET_MISSING, "The endpoint has no active secret: add one.")


def literal_key(secret: str) -> bytes:
    """The key that is the secret's own text, in UTF-8."""
    if not secret:
        raise SecretRefused(SecretCode.EMPTY, "The secret is empty: copy it from the partner's webhook settings.")
    if secret != secret.strip():
        raise SecretRefused(
            SecretCode.MALFORMED, "The secret begins or ends with white space: copy it again without it."
        )
    # A public key is public: taken as a shared secret, it would let anybody sign.
    if secret.startswith((PUBLIC_PREFIX, PRIVATE_PREFIX, _PEM_MARK)):
        raise SecretRefused(
            SecretCode.MALFORMED, "This is a key of a key pair: this scheme needs a secret that both sides share."
        )
    try:
        key = secret.encode("utf-8")
    except UnicodeEncodeError:
        raise SecretRefused(
            SecretCode.MALFORMED, "The secret holds characters that cannot be encoded: copy it again."
        ) from None
    return _long_enough(key)


def base64_key(secret: str) -> bytes:
    """The key behind `whsec_` and base64; the prefix and the padding may be missing."""
    text = secret.removeprefix(SHARED_PREFIX)
    if not text:
        raise SecretRefused(SecretCode.EMPTY, "The secret is empty: copy it from the sender's webhook settings.")
    return _long_enough(_decoded(text))


def ed25519_public_key(secret: str) -> Ed25519PublicKey:
    """The public key of a `whpk_` secret."""
    if secret.startswith(PRIVATE_PREFIX):
        raise SecretRefused(
            SecretCode.PRIVATE, "This is the private key, which stays with the sender: enter its public key, whpk_…."
        )
    raw = _decoded(secret.removeprefix(PUBLIC_PREFIX))
    if len(raw) != _ED25519_BYTES:
        raise SecretRefused(SecretCode.MALFORMED, "A whpk_ key is 32 bytes in base64: copy all of it.")
    return Ed25519PublicKey.from_public_bytes(raw)


def ed25519_private_key(secret: str) -> Ed25519PrivateKey:
    """The private key of a `whsk_` secret: the 32-byte seed, alone or with the public key behind it."""
    raw = _decoded(secret.removeprefix(PRIVATE_PREFIX))
    seed, public = raw[:_ED25519_BYTES], raw[_ED25519_BYTES:]
    if len(seed) == _ED25519_BYTES:
        key = Ed25519PrivateKey.from_private_bytes(seed)
        if public in {b"", key.public_key().public_bytes_raw()}:
            return key
    raise SecretRefused(SecretCode.MALFORMED, "A whsk_ key is 32 or 64 bytes in base64: copy all of it.")


def rsa_public_key(secret: str) -> rsa.RSAPublicKey:
    """The RSA key of a PEM "PUBLIC KEY" block."""
    if not secret:
        raise SecretRefused(SecretCode.EMPTY, "The public key is empty: copy it from the partner.")
    if "PRIVATE KEY" in secret:
        raise SecretRefused(
            SecretCode.PRIVATE, "This is the private key, which stays with the sender: enter its public key."
        )
    try:
        key = serialization.load_pem_public_key(secret.encode("ascii"))
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, rsa.RSAPublicKey):
        raise SecretRefused(
            SecretCode.MALFORMED, "This is no RSA public key in PEM: copy all of it, with its BEGIN and END lines."
        )
    if key.key_size < MINIMUM_RSA_BITS:
        raise SecretRefused(SecretCode.TOO_SHORT, "The RSA key is under 2048 bits: ask the sender for a longer one.")
    return key


def rsa_private_key(secret: str) -> rsa.RSAPrivateKey:
    """The RSA key of an unencrypted PEM "PRIVATE KEY" block."""
    try:
        key = serialization.load_pem_private_key(secret.encode("ascii"), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise SecretRefused(SecretCode.MALFORMED, "Signing needs an unencrypted RSA private key in PEM.")
    return key


def generate_shared_secret() -> str:
    return SHARED_PREFIX + base64.b64encode(token_bytes(32)).decode("ascii")


def generate_rsa_secret() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=MINIMUM_RSA_BITS)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode("ascii")


def public_half(secret: str) -> str:
    """What the verifying side stores of a signing secret: the public key of a private one, a shared secret as it is.

    Raises `SecretRefused` for a private key that cannot be read.
    """
    if secret.startswith(PRIVATE_PREFIX):
        raw = ed25519_private_key(secret).public_key().public_bytes_raw()
        return PUBLIC_PREFIX + base64.b64encode(raw).decode("ascii")
    if secret.startswith(_PEM_MARK) and "PRIVATE KEY" in secret:
        public = rsa_private_key(secret).public_key()
        return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode(
            "ascii"
        )
    return secret


def _decoded(text: str) -> bytes:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    canonical = base64.b64encode(raw).decode("ascii")
    if not raw or text not in {canonical, canonical.rstrip("=")}:
        raise SecretRefused(SecretCode.MALFORMED, "The secret is not base64: copy it again, all of it, unchanged.")
    return raw


def _long_enough(key: bytes) -> bytes:
    if len(key) < MINIMUM_SECRET_BYTES:
        raise SecretRefused(
            SecretCode.TOO_SHORT,
            f"The secret is {len(key)} bytes long; it must have {MINIMUM_SECRET_BYTES} or more: generate a longer one.",
        )
    return key
