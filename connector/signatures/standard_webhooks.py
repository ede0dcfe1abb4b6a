"""Standard Webhooks 1.0: `v1` (HMAC-SHA256) and `v1a` (ed25519). It must never know what the body says."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from connector.signatures.canonical import (
    base64_shape,
    check_age,
    header_value,
    is_message_id,
    matches_any,
    read_message_id,
    read_timestamp,
    split_items,
    well_formed,
    write_timestamp,
)
from connector.signatures.keys import (
    PRIVATE_PREFIX,
    PUBLIC_PREFIX,
    base64_key,
    ed25519_private_key,
    ed25519_public_key,
    generate_shared_secret,
    usable,
)
from connector.signatures.refusals import RefusalCode, SignatureRefused
from connector.signatures.scheme import Verified

# One ed25519 check costs as much as thirty HMACs; a sender that rotates its key needs two.
MAX_PUBLIC_KEY_SIGNATURES = 2

_V1 = "v1,"
_V1A = "v1a,"
_V1_SHAPE = base64_shape(32)
_V1A_SHAPE = base64_shape(64)


@dataclass(frozen=True, slots=True)
class StandardWebhooks:
    """`webhook-id`, `webhook-timestamp` and `webhook-signature` over `{id}.{timestamp}.{body}`.

    Secrets: `whsec_` (or bare base64) for `v1`, a public key `whpk_` for `v1a`, in any mixture; `whsk_` only signs.
    Only signatures for which there is a secret count; unknown versions are skipped. The `svix-` names are an alias:
    the family that carries the signature carries the rest, so that the two never mix. `tolerance` is in seconds, both
    ways. The id is signed and thus `Verified.message_id`.
    Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """

    tolerance: float = 300

    def verify(self, body: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: float) -> Verified:
        family = "svix" if "svix-signature" in headers and "webhook-signature" not in headers else "webhook"
        value = header_value(headers, f"{family}-signature", RefusalCode.SIGNATURE_MISSING)
        message_id = read_message_id(headers, f"{family}-id", forbidden=".")
        timestamp = header_value(headers, f"{family}-timestamp", RefusalCode.TIMESTAMP_MISSING)
        signed_at = read_timestamp(timestamp, "s")
        check_age(signed_at, now, self.tolerance)

        keys = usable(secrets, _read_key)
        shared = [key for key in keys if isinstance(key, bytes)]
        public = [key for key in keys if isinstance(key, Ed25519PublicKey)]
        items = split_items(value, " ")
        v1 = [item.removeprefix(_V1) for item in items if shared and item.startswith(_V1)]
        v1a = [item.removeprefix(_V1A) for item in items if public and item.startswith(_V1A)]
        if len(v1a) > MAX_PUBLIC_KEY_SIGNATURES:
            raise SignatureRefused(
                RefusalCode.SIGNATURES_TOO_MANY, f"More than {MAX_PUBLIC_KEY_SIGNATURES} v1a signatures are offered."
            )
        message = _message(message_id, timestamp, body)
        offered = well_formed(v1, _V1_SHAPE) if v1 or not v1a else []
        found = matches_any((_v1(key, message) for key in shared), offered)
        if v1a:
            found |= _any_signed(public, well_formed(v1a, _V1A_SHAPE), message)
        if not found:
            raise SignatureRefused(
                RefusalCode.SIGNATURE_MISMATCH,
                f"{family}-signature fits none of the endpoint's secrets: the secret differs or the body was altered.",
            )
        return Verified(body, message_id, signed_at)

    def sign(self, body: bytes, secret: str, message_id: str, now: float) -> dict[str, str]:
        if not is_message_id(message_id, forbidden="."):
            raise ValueError("message_id must be 1 to 256 visible ASCII characters without a dot")
        timestamp = write_timestamp(now, "s")
        message = _message(message_id, timestamp, body)
        if secret.startswith(PRIVATE_PREFIX):
            version, signature = _V1A, base64.b64encode(ed25519_private_key(secret).sign(message))
        else:
            version, signature = _V1, _v1(base64_key(secret), message)
        return {
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": version + signature.decode("ascii"),
        }

    def check_secret(self, secret: str) -> None:
        _read_key(secret)

    def generate_secret(self) -> str:
        return generate_shared_secret()


STANDARD_WEBHOOKS = StandardWebhooks()


def _read_key(secret: str) -> bytes | Ed25519PublicKey:
    if secret.startswith((PUBLIC_PREFIX, PRIVATE_PREFIX)):
        return ed25519_public_key(secret)
    return base64_key(secret)


def _message(message_id: str, timestamp: str, body: bytes) -> bytes:
    return f"{message_id}.{timestamp}.".encode("ascii") + body


def _v1(key: bytes, message: bytes) -> bytes:
    return base64.b64encode(hmac.digest(key, message, "sha256"))


def _any_signed(keys: Sequence[Ed25519PublicKey], offered: Sequence[bytes], message: bytes) -> bool:
    found = False
    for key in keys:
        for signature in offered:
            try:
                key.verify(base64.b64decode(signature), message)
            except InvalidSignature:
                continue
            found = True
    return found
