"""The dialects with tokens and key pairs, made from derived keys: no private key stands in the repository.

It must never import the connector, which it judges.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from dialects import BODY, ID, NOW, OTHER_SECRET, PUBLIC_KEY, SECRET, to_base64url

Case = dict[str, Any]
SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")  # RFC 8017 section 9.2, note 1


def _prime(seed: str, offset: int) -> int:
    """1024 bits drawn from the seed, with the two highest set, plus the offset that was found to make them prime."""
    drawn = int.from_bytes(hashlib.shake_256(seed.encode()).digest(128))
    return (drawn | 3 << 1022 | 1) + offset


E = 65537
P, Q = _prime("metric-connector vectors p", 16), _prime("metric-connector vectors q", 474)
D = pow(E, -1, (P - 1) * (Q - 1))
RSA_PUBLIC = (
    RSAPublicNumbers(E, P * Q)
    .public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    .decode()
)

_SEED = hashlib.sha256(b"metric-connector vectors v1a").digest()
_V1A = Ed25519PrivateKey.from_private_bytes(_SEED)
V1A_SECRET = "whsk_" + base64.b64encode(_SEED).decode()
V1A_PUBLIC = "whpk_" + base64.b64encode(_V1A.public_key().public_bytes_raw()).decode()


def v1a(message_id: str, now: int, body: bytes) -> dict[str, str]:
    signature = base64.b64encode(_V1A.sign(f"{message_id}.{now}.".encode() + body)).decode()
    return {"webhook-id": message_id, "webhook-timestamp": str(now), "webhook-signature": f"v1a,{signature}"}


def _segment(value: object) -> str:
    return to_base64url(value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode())


def hs256(claims: object, secret: str = SECRET, header: object = None) -> str:
    signed = f"{_segment(header or {'alg': 'HS256', 'typ': 'Jwt'})}.{_segment(claims)}"
    return f"{signed}.{to_base64url(hmac.digest(secret.encode(), signed.encode(), 'sha256'))}"


def rs256(claims: object, header: object = None) -> str:
    signed = f"{_segment(header or {'alg': 'RS256'})}.{_segment(claims)}"
    hashed = SHA256_INFO + hashlib.sha256(signed.encode()).digest()
    padded = b"\0\1" + b"\xff" * (256 - 3 - len(hashed)) + b"\0" + hashed
    return f"{signed}.{to_base64url(pow(int.from_bytes(padded), D, P * Q).to_bytes(256))}"


def _spare_bits(token: str) -> str:
    return token[:-1] + chr(ord(token[-1]) + 1)


def _case(name: str, headers: dict[str, str], expect: Any = None, **more: Any) -> Case:
    return {"name": name, "headers": headers, "expect": expect, **more}


def jwt_bearer() -> tuple[dict[str, Any], list[Case]]:
    def bearer(token: str) -> dict[str, str]:
        return {"authorization": f"Bearer {token}"}

    right = hs256({"iat": NOW})
    head, claims, tag = right.split(".")
    misspelt: tuple[Any, ...] = (str(NOW), True, float(NOW), -1, 10**30, [NOW], {})
    none = f"{_segment({'alg': 'none'})}.{claims}."
    cases = [
        _case("a genuine token", bearer(right)),
        _case("another body under the same token, which does not cover it", bearer(right), body=b"{}"),
        _case("the older of two secrets", bearer(right), secrets=(OTHER_SECRET, SECRET)),
        _case("further claims", bearer(hs256({"iat": NOW, "sub": "x"}))),
        _case("the oldest time allowed", bearer(right), now=NOW + 300),
        _case("the newest time allowed", bearer(right), now=NOW - 300),
        _case("a second too old", bearer(right), "timestamp_too_old", now=NOW + 301),
        _case("a second too new", bearer(right), "timestamp_too_new", now=NOW - 301),
        _case("no iat", bearer(hs256({"sub": "x"})), "timestamp_missing"),
        *(_case(f"an iat of {iat!r}", bearer(hs256({"iat": iat})), "timestamp_malformed") for iat in misspelt),
        _case("claims that are a list", bearer(hs256([NOW])), "claims_malformed"),
        _case("claims that are not JSON", bearer(hs256(b"{")), "claims_malformed"),
        _case("claims nested without end", bearer(hs256(b"[" * 2000)), "claims_malformed"),
        _case("another secret", bearer(hs256({"iat": NOW}, OTHER_SECRET)), "signature_mismatch"),
        _case("other claims under the same tag", bearer(f"{head}.{_segment({'iat': 1})}.{tag}"), "signature_mismatch"),
        _case("a tag of zeros", bearer(f"{head}.{claims}.{to_base64url(bytes(32))}"), "signature_mismatch"),
        _case("a tag truncated", bearer(f"{head}.{claims}.{tag[:-3]}"), "signature_mismatch"),
        _case("a tag with spare bits", bearer(_spare_bits(right)), "signature_malformed"),
        _case("a tag with padding", bearer(right + "="), "signature_malformed"),
        _case("a tag of an impossible length", bearer(right[:-2]), "signature_malformed"),
        _case("a tag with junk", bearer(right[:-4] + "*" + right[-4:]), "signature_malformed"),
        _case("two parts", bearer(f"{head}.{claims}"), "signature_malformed"),
        _case("algorithm none", bearer(none), "signature_malformed"),
        _case("algorithm none with a tag", bearer(none + tag), "algorithm_mismatch"),
        _case("algorithm HS512", bearer(hs256({"iat": NOW}, header={"alg": "HS512"})), "algorithm_mismatch"),
        _case("algorithm as a list", bearer(hs256({"iat": NOW}, header={"alg": ["HS256"]})), "algorithm_mismatch"),
        _case("a header that is no JSON", bearer(hs256({"iat": NOW}, header=b"{")), "signature_malformed"),
        _case("a header nested without end", bearer(hs256({"iat": NOW}, header=b"[" * 2000)), "signature_malformed"),
        _case(
            "an unknown critical extension",
            bearer(hs256({"iat": NOW}, header={"alg": "HS256", "crit": ["x"], "x": 1})),
            "signature_malformed",
        ),
        _case("no header", {}, "signature_missing"),
        _case("Basic credentials", {"authorization": "Basic dTpw"}, "signature_unsupported"),
        _case("bearer in lower case", {"authorization": f"bearer {right}"}, "signature_unsupported"),
        _case("a header that is not ASCII", bearer(right + "é"), "header_malformed"),
        _case("a header beyond the limit", bearer("a" * 4097), "header_malformed"),
        _case("no secret", bearer(right), "secret_missing", secrets=()),
        _case("a short secret", bearer(hs256({"iat": NOW}, "short")), "secret_unusable", secrets=("short",)),
        _case("a public key", bearer(hs256({"iat": NOW}, PUBLIC_KEY)), "secret_unusable", secrets=(PUBLIC_KEY,)),
        _case("a PEM key", bearer(hs256({"iat": NOW}, RSA_PUBLIC)), "secret_unusable", secrets=(RSA_PUBLIC,)),
    ]
    return {"type": "jwt_bearer"}, cases


def jwt_body() -> tuple[dict[str, Any], list[Case]]:
    issuer, pinned = "https://api.example.com", "x-lago-signature-algorithm"
    scheme = {"type": "jwt_body", "header": "X-Lago-Signature", "issuer": issuer}
    scheme |= {"pinned_header": "X-Lago-Signature-Algorithm", "pinned_value": "jwt"}
    scheme |= {"uncovered_id_header": "X-Lago-Unique-Key"}
    claims = {"data": BODY.decode(), "iss": issuer}

    def sent(token: str) -> dict[str, str]:
        return {"x-lago-signature": token, pinned: "jwt", "x-lago-unique-key": ID}

    right = rs256(claims)
    head, payload, tag = right.split(".")
    confused = hs256(claims, RSA_PUBLIC)
    unicode_body = '{"name":"注文 <b>"}'
    known = {"verified": True, "message_id": None, "uncovered_id": ID}
    without_id = {name: value for name, value in sent(right).items() if name != "x-lago-unique-key"}
    cases = [
        _case("a genuine token", sent(right), known),
        _case("Unicode", sent(rs256(claims | {"data": unicode_body})), known, body=unicode_body.encode()),
        _case("an empty body", sent(rs256(claims | {"data": ""})), known, body=b""),
        _case("no id", without_id, {"verified": True, "message_id": None}),
        _case("an id with a space", sent(right) | {"x-lago-unique-key": "a b"}, "message_id_malformed"),
        _case("a shared secret beside the key", sent(right), known, secrets=(SECRET, RSA_PUBLIC)),
        _case("another body", sent(right), "body_mismatch", body=b"{}"),
        _case("a body with a line feed more", sent(right), "body_mismatch", body=BODY + b"\n"),
        _case("a body that is not UTF-8", sent(right), "body_mismatch", body=b"\xff"),
        _case("half a surrogate pair", sent(rs256(claims | {"data": "\ud800"})), "body_mismatch"),
        _case("no data", sent(rs256({"iss": issuer})), "claims_malformed"),
        _case("data that is an object", sent(rs256(claims | {"data": {}})), "claims_malformed"),
        _case("claims that are a string", sent(rs256("x")), "claims_malformed"),
        _case("another issuer", sent(rs256(claims | {"iss": "https://evil.example"})), "issuer_mismatch"),
        _case("no issuer", sent(rs256({"data": BODY.decode()})), "issuer_mismatch"),
        _case("the public key as HMAC secret", sent(confused), "algorithm_mismatch"),
        _case("algorithm none", sent(f"{_segment({'alg': 'none'})}.{payload}.{tag}"), "algorithm_mismatch"),
        _case("a tag of zeros", sent(f"{head}.{payload}.{to_base64url(bytes(256))}"), "signature_mismatch"),
        _case("a tag of another length", sent(f"{head}.{payload}.{tag[:-6]}"), "signature_mismatch"),
        _case("other claims under the same tag", sent(f"{head}.{_segment({})}.{tag}"), "signature_mismatch"),
        _case("a tag with spare bits", sent(_spare_bits(right)), "signature_malformed"),
        _case("no token but base64", sent("QUJD"), "signature_malformed"),
        _case("no header", {}, "signature_missing"),
        _case("the algorithm that we did not pin", sent(right) | {pinned: "hmac"}, "header_mismatch"),
        _case("a header that is not ASCII", sent("é" + right), "header_malformed"),
        _case("a header beyond the limit", sent("a" * 16_385), "header_malformed"),
        _case("no key", sent(right), "secret_missing", secrets=()),
        _case("a shared secret alone", sent(right), "secret_unusable", secrets=(SECRET,)),
    ]
    return scheme, [{"secrets": (RSA_PUBLIC,)} | case for case in cases]
