"""Requests that carry a JSON Web Token: as a bearer credential, or as the signature of the body itself.

The algorithm is ours, never the token's choice, and time is passed in. This module must never know a partner by name.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import HMACAlgorithm, RSAAlgorithm

from connector.signatures.canonical import (
    check_age,
    check_pinned,
    header_value,
    is_message_id,
    read_uncovered_id,
)
from connector.signatures.keys import (
    generate_rsa_secret,
    generate_shared_secret,
    literal_key,
    rsa_private_key,
    rsa_public_key,
    usable,
)
from connector.signatures.refusals import RefusalCode, SecretCode, SecretRefused, SignatureRefused
from connector.signatures.scheme import Verified

# The token holds the body once more in base64; checking one of this length costs about a millisecond.
MAX_TOKEN_LENGTH = 16_384  # characters
MAX_UNIX_SECONDS = 10**12  # beyond it, arithmetic with the clock would only meet overflows

_BEARER = "Bearer "
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.([A-Za-z0-9_-]+)")  # RFC 7515 section 7.1


class _JudgedHs256(HMACAlgorithm):
    """HS256 with keys that `_hmac_key` has judged: not again at every use, and without a warning under 32 bytes,
    because the partner chooses the length.
    """

    def prepare_key(self, key: str | bytes) -> bytes:
        return key if isinstance(key, bytes) else key.encode("utf-8")

    def check_key_length(self, key: Any) -> str | None:  # noqa: ARG002
        return None


_HS256 = HMACAlgorithm(HMACAlgorithm.SHA256)
_JWS = jwt.PyJWS(algorithms=[])
_JWS.register_algorithm("HS256", _JudgedHs256(HMACAlgorithm.SHA256))
_JWS.register_algorithm("RS256", RSAAlgorithm(RSAAlgorithm.SHA256))


@dataclass(frozen=True, slots=True)
class JwtBearer:
    """`Authorization: Bearer <token>` with HS256 and a required `iat` within `tolerance` seconds, both ways.

    **The signature does not cover the body.** It proves that the sender held the secret at `iat`, not what it said:
    whoever sees one token can send any body with it until it is too old. `Verified.body` is the request's body all
    the same, and there is no message id. Use it only over HTTPS, and only for partners that offer nothing better.
    Other claims, and the `typ` of the token, are ignored. Source: RFC 7519 section 4.1.6, RFC 7518 section 3.2.
    """

    tolerance: float = 300

    def verify(self, body: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: float) -> Verified:
        value = header_value(headers, "Authorization", RefusalCode.SIGNATURE_MISSING)
        if not value.startswith(_BEARER):
            raise SignatureRefused(RefusalCode.SIGNATURE_UNSUPPORTED, "Authorization is not a Bearer token.")
        claims = _claims(value.removeprefix(_BEARER), usable(secrets, _hmac_key), "HS256")
        issued = claims.get("iat")
        if issued is None:
            raise SignatureRefused(RefusalCode.TIMESTAMP_MISSING, "The token has no iat claim.")
        # bool is an int to Python, not to RFC 7519.
        if isinstance(issued, bool) or not isinstance(issued, int) or not 0 <= issued < MAX_UNIX_SECONDS:
            raise SignatureRefused(RefusalCode.TIMESTAMP_MALFORMED, "The token's iat claim is not unix seconds.")
        check_age(issued, now, self.tolerance)
        return Verified(body, None, float(issued))

    def sign(self, body: bytes, secret: str, message_id: str, now: float) -> dict[str, str]:  # noqa: ARG002
        token = _JWS.encode(_json({"iat": int(now)}), _hmac_key(secret), "HS256")
        return {"Authorization": _BEARER + token}

    def check_secret(self, secret: str) -> None:
        _hmac_key(secret)

    def generate_secret(self) -> str:
        return generate_shared_secret()


@dataclass(frozen=True, slots=True)
class JwtBody:
    """An RS256 token in `header` whose claim `data` is the body itself, as text.

    Secrets are PEM public keys; a PEM private key signs. `issuer` pins the claim `iss` where it is given.
    `pinned_header` must be exactly `pinned_value`. The token has no time and no id: `signed_at` and `message_id` are
    `None`, and the id of `uncovered_id_header` is only `uncovered_id`, as for `HmacScheme`.
    Source: RFC 7515, RFC 7518 section 3.3.
    """

    header: str
    issuer: str = ""
    pinned_header: str = ""
    pinned_value: str = ""
    uncovered_id_header: str = ""

    def verify(
        self,
        body: bytes,
        headers: Mapping[str, str],
        secrets: Sequence[str],
        now: float,  # noqa: ARG002
    ) -> Verified:
        token = header_value(headers, self.header, RefusalCode.SIGNATURE_MISSING, MAX_TOKEN_LENGTH)
        check_pinned(headers, self.pinned_header, self.pinned_value)
        claims = _claims(token, usable(secrets, rsa_public_key), "RS256")
        if self.issuer and claims.get("iss") != self.issuer:
            raise SignatureRefused(RefusalCode.ISSUER_MISMATCH, f"The token's iss claim is not {self.issuer!r}.")
        data = claims.get("data")
        if not isinstance(data, str):
            raise SignatureRefused(RefusalCode.CLAIMS_MALFORMED, "The token has no data claim that is a string.")
        # JSON can escape half of a surrogate pair, which UTF-8 proper cannot encode: it must compare, not raise.
        if data.encode("utf-8", "surrogatepass") != body:
            raise SignatureRefused(
                RefusalCode.BODY_MISMATCH, "The body is not the one in the token: it was altered on its way."
            )
        return Verified(body, uncovered_id=read_uncovered_id(headers, self.uncovered_id_header))

    def sign(self, body: bytes, secret: str, message_id: str, now: float) -> dict[str, str]:  # noqa: ARG002
        if self.uncovered_id_header and not is_message_id(message_id):
            raise ValueError("message_id must be 1 to 256 visible ASCII characters")
        claims = {"data": body.decode("utf-8")} | ({"iss": self.issuer} if self.issuer else {})
        sent = {
            self.header: _JWS.encode(_json(claims), rsa_private_key(secret), "RS256"),
            self.pinned_header: self.pinned_value,
            self.uncovered_id_header: message_id,
        }
        return {name: value for name, value in sent.items() if name}

    def check_secret(self, secret: str) -> None:
        rsa_public_key(secret)

    def generate_secret(self) -> str:
        return generate_rsa_secret()


def _hmac_key(secret: str) -> bytes:
    key = literal_key(secret)
    try:
        return _HS256.prepare_key(key)
    except jwt.InvalidKeyError:
        raise SecretRefused(
            SecretCode.MALFORMED, "This is a key of a key pair: this scheme needs a secret that both sides share."
        ) from None


def _claims(token: str, keys: Sequence[bytes | RSAPublicKey], algorithm: str) -> dict[str, Any]:
    """The claims that one of the keys signed; tries every key, so that time does not tell which it was."""
    compact = _COMPACT.fullmatch(token)
    # Nothing but the signature itself is outside of what is signed: only there could a second spelling hide.
    if not compact or not _is_canonical(compact[1]):
        raise SignatureRefused(RefusalCode.SIGNATURE_MALFORMED, "The token is not three canonical base64url parts.")
    payload = None
    for key in keys:
        try:
            payload = _JWS.decode(token, key, algorithms=[algorithm])
        except jwt.InvalidSignatureError:
            continue
        except jwt.InvalidAlgorithmError:
            raise SignatureRefused(
                RefusalCode.ALGORITHM_MISMATCH, f"The token is not signed with {algorithm}, as this endpoint pins."
            ) from None
        except (jwt.PyJWTError, RecursionError):
            raise SignatureRefused(RefusalCode.SIGNATURE_MALFORMED, "The token's header cannot be read.") from None
    if payload is None:
        raise SignatureRefused(
            RefusalCode.SIGNATURE_MISMATCH, "The token was signed with none of the endpoint's secrets."
        )
    try:
        claims = json.loads(payload)
    except (ValueError, RecursionError):
        claims = None
    if not isinstance(claims, dict):
        raise SignatureRefused(RefusalCode.CLAIMS_MALFORMED, "The token's claims are not a JSON object.")
    return claims


def _is_canonical(part: str) -> bool:
    try:
        raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        return False
    return base64.urlsafe_b64encode(raw).rstrip(b"=") == part.encode("ascii")


def _json(claims: dict[str, Any]) -> bytes:
    return json.dumps(claims, separators=(",", ":")).encode("utf-8")
