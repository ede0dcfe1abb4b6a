"""What an accepted request must carry: the oracle of the verifiers.

It reads requests by itself, simply, and must never share a reader with `connector.signatures`, its subject. Nor does
it compute a signature: it knows the genuine ones, and whatever is not one of them, in every part, is a forgery.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from connector.signatures import (
    AnyOf,
    HmacScheme,
    JwtBearer,
    JwtBody,
    Scheme,
    StandardWebhooks,
    TimestampSignature,
    Verified,
)

Seal = tuple[object, ...]
"""A signature with everything that it covers: key, signature, id, time and trusted bytes, each as it is spelt."""


@dataclass(slots=True)
class SignedRequest:
    """What a verifier is given. Header names are lower-case where a verifier should find them."""

    headers: dict[str, str]
    body: bytes
    secrets: list[str]
    now: float


@dataclass(frozen=True, slots=True)
class Shown:
    """A seal that a request shows, what may be trusted of the request by it, and for how long (seconds, both ways)."""

    seal: Seal
    trusted: Verified
    tolerance: float | None = None

    def is_in_time(self, now: float) -> bool:
        if self.tolerance is None:
            return True
        return self.trusted.signed_at is not None and abs(now - self.trusted.signed_at) <= self.tolerance


def is_sound(scheme: Scheme, request: SignedRequest, verified: Verified, genuine: Collection[Seal]) -> bool:
    """Whether it was right to accept the request, and to say of it what `verified` says."""
    return any(
        each.seal in genuine and each.trusted == verified and each.is_in_time(request.now)
        for each in carried(scheme, request)
    )


def carried(scheme: Scheme, request: SignedRequest) -> Iterator[Shown]:
    """The seals that a request shows, of whatever time.

    What is not part of a seal is not covered: ids outside the signature, list items beside the right one, other
    headers, a batch behind its first element, and the body of a bearer token.
    """
    match scheme:
        case AnyOf():
            for each in scheme.schemes:
                yield from carried(each, request)
        case StandardWebhooks():
            # The names of the headers are not signed: the same values under the alias are the same request.
            for family in ("webhook", "svix"):
                yield from _standard(scheme, request, family)
        case HmacScheme():
            yield from _hmac(scheme, request)
        case TimestampSignature():
            yield from _itsdangerous(scheme, request)
        case JwtBearer():
            yield from _bearer(scheme, request)
        case JwtBody():
            yield from _jwt_body(scheme, request)
        case _:
            raise TypeError(f"nothing says what {type(scheme).__name__} covers: say it here")


def _standard(scheme: StandardWebhooks, request: SignedRequest, family: str) -> Iterator[Shown]:
    parts = [request.headers.get(f"{family}-{part}", "") for part in ("signature", "id", "timestamp")]
    value, message_id, timestamp = parts
    signed_at = _seconds(timestamp, "s")
    if not all(parts):
        return
    for secret in request.secrets:
        version = "v1a," if secret.startswith("whpk_") else "v1,"
        key = _same_key(_decoded(secret.removeprefix("whpk_" if version == "v1a," else "whsec_")))
        for item in value.split(" "):
            if item.startswith(version):
                seal = ("standard", key, item, message_id, timestamp, request.body)
                yield Shown(seal, Verified(request.body, message_id, signed_at), scheme.tolerance)


def _hmac(scheme: HmacScheme, request: SignedRequest) -> Iterator[Shown]:
    headers, value = request.headers, request.headers.get(scheme.header.lower(), "")
    items = value.split(scheme.separator) if scheme.separator else [value]
    times = [headers.get(scheme.timestamp_header.lower(), "")] if scheme.timestamp_header else []
    if scheme.timestamp_prefix:
        times = [
            item.removeprefix(scheme.timestamp_prefix) for item in items if item.startswith(scheme.timestamp_prefix)
        ]
    signed_at = _seconds(times[0], scheme.timestamp_unit) if times else None
    covered = request.body if scheme.covers == "body" else _first_object(request.body)
    message_id = headers.get(scheme.id_header.lower(), "") if scheme.id_header else None
    if covered is None or len(times) != ("{ts}" in scheme.template) or not _is_pinned(scheme, headers):
        return
    for secret in request.secrets:
        is_text = scheme.key_encoding == "utf-8"
        key = _literal(secret) if is_text else _same_key(_decoded(secret.removeprefix("whsec_")))
        for item in items:
            if item.startswith(scheme.prefix):
                seal = ("hmac", key, item, message_id, *times, covered)
                trusted = Verified(covered, message_id, signed_at, _uncovered(scheme, headers))
                yield Shown(seal, trusted, scheme.tolerance if times else None)


def _itsdangerous(scheme: TimestampSignature, request: SignedRequest) -> Iterator[Shown]:
    value = request.headers.get(scheme.header.lower(), "")
    signed_at = _seconds(str(int.from_bytes(_decoded(value.partition(".")[0])[:8])), "s")
    for secret in request.secrets:
        seal = ("itsdangerous", secret, value, request.body)
        yield Shown(seal, Verified(request.body, None, signed_at), scheme.tolerance)


def _bearer(scheme: JwtBearer, request: SignedRequest) -> Iterator[Shown]:
    value = request.headers.get("authorization", "")
    issued = _claims(value).get("iat")
    if type(issued) is int and 0 <= issued < 2**53:
        for secret in request.secrets:
            seal = ("bearer", _literal(secret), value)
            yield Shown(seal, Verified(request.body, None, float(issued)), scheme.tolerance)


def _jwt_body(scheme: JwtBody, request: SignedRequest) -> Iterator[Shown]:
    headers, value = request.headers, request.headers.get(scheme.header.lower(), "")
    claims = _claims(value)
    data = claims.get("data")
    if not isinstance(data, str) or data.encode("utf-8", "surrogatepass") != request.body:
        return
    if _is_pinned(scheme, headers) and claims.get("iss", "") == (scheme.issuer or claims.get("iss", "")):
        for secret in request.secrets:
            trusted = Verified(request.body, uncovered_id=_uncovered(scheme, headers))
            yield Shown(("jwt", _rsa(secret), value), trusted)


def _is_pinned(scheme: HmacScheme | JwtBody, headers: Mapping[str, str]) -> bool:
    return not scheme.pinned_header or headers.get(scheme.pinned_header.lower()) == scheme.pinned_value


def _uncovered(scheme: HmacScheme | JwtBody, headers: Mapping[str, str]) -> str | None:
    return headers.get(scheme.uncovered_id_header.lower()) or None


def _seconds(text: str, unit: str) -> float | None:
    try:
        if unit == "iso8601":
            moment = datetime.fromisoformat(text)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        return int(text) / (1000 if unit == "ms" else 1)
    except (ValueError, OverflowError):
        return None


def _same_key(key: bytes) -> bytes:
    """HMAC fills a key up with zero bytes (RFC 2104 section 2): with or without some behind it, it is the same key."""
    return key.rstrip(b"\0")


def _literal(secret: str) -> bytes:
    return _same_key(secret.encode("utf-8", "surrogatepass"))


def _decoded(text: str) -> bytes:
    """Base64 in any spelling: whether it is the right one is not asked here, but of the whole seal."""
    try:
        return base64.urlsafe_b64decode(text.replace("+", "-").replace("/", "_").rstrip("=") + "===")
    except ValueError:
        return b""


def _rsa(secret: str) -> object:
    try:
        key = serialization.load_pem_public_key(secret.encode())
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key.public_numbers() if isinstance(key, RSAPublicKey) else None


def _claims(token: str) -> dict[str, Any]:
    try:
        claims = json.loads(_decoded(token.split(".")[1]))
    except (ValueError, IndexError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _first_object(body: bytes) -> bytes | None:
    """The first element of an array, which must be an object, by its brackets; any other body as it is."""
    text = body.lstrip(b" \t\r\n")
    if not text.startswith(b"["):
        return body
    text = text[1:].lstrip(b" \t\r\n")
    depth, quoted, escaped = 0, False, False
    for end, byte in enumerate(text if text.startswith(b"{") else b"", 1):
        if escaped:
            escaped = False
        elif quoted and byte == ord("\\"):
            escaped = True
        elif byte == ord('"'):
            quoted = not quoted
        elif not quoted:
            depth += (byte in b"[{") - (byte in b"]}")
            if depth == 0:
                return text[:end]
    return None
