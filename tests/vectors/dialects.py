"""The dialects that sign with one HMAC, each written out by hand. It must never import the connector, its subject."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

NOW = 1614265330
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER_SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
PUBLIC_KEY = "whpk_" + base64.b64encode(bytes(range(32))).decode()
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
BODY = b'{"test": 2432232314}'

Headers = dict[str, str]


def literal(secret: str) -> bytes:
    return secret.encode()


def decoded(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix("whsec_"))


def derived(secret: str) -> bytes:
    return hashlib.sha1(b"itsdangerous.Signer" + b"signer" + secret.encode(), usedforsecurity=False).digest()


def to_hex(raw: bytes) -> str:
    return raw.hex()


def to_base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def to_base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def seconds(now: float) -> str:
    return str(int(now))


def milliseconds(now: float) -> str:
    return str(int(now * 1000))


def iso8601(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).isoformat().replace("+00:00", "Z")


def packed(now: float) -> str:
    return to_base64url(int(now).to_bytes(8).lstrip(b"\0"))


DECIMAL_MISSPELT = {
    "with underscores": "1_614_265_330",
    "with a plus sign": "+1614265330",
    "with a leading zero": "01614265330",
    "with a fraction": "1614265330.0",
    "with an exponent": "1.61426533e9",
    "of twenty digits": "16142653301614265330",
    "that is negative": "-1614265330",
    "in words": "now",
}
ISO_MISSPELT = {
    "without a time": "2021-02-25",
    "with a space": "2021-02-25 15:02:10Z",
    "of week days": "2021-W08-4T15:02:10Z",
    "of a thirteenth month": "2021-13-25T15:02:10Z",
    "in unix seconds": "1614265330",
}
PACKED_MISSPELT = {
    "with a leading zero byte": to_base64url(b"\0" + NOW.to_bytes(4)),
    "with spare bits": packed(NOW)[:-1] + chr(ord(packed(NOW)[-1]) + 1),
    "with padding": packed(NOW) + "=",
    "of an impossible length": packed(NOW)[:-1],
}


@dataclass(frozen=True)
class Request:
    """What a dialect signs and sends."""

    body: bytes
    id: str
    ts: str
    signature: str = ""


@dataclass(frozen=True)
class Dialect:
    """A scheme as the connector takes it, and beside it the same in plain Python."""

    name: str
    scheme: dict[str, Any]
    key: Callable[[str], bytes]
    algorithm: str
    encode: Callable[[bytes], str]
    message: Callable[[Request], bytes]
    headers: Callable[[Request], Headers]
    time: Callable[[float], str] | None = None
    misspelt: dict[str, str] | None = None
    time_header: str = ""
    id_header: str = ""
    covers_id: bool = False
    separator: str = ""

    @property
    def header(self) -> str:
        return next(iter(self.headers(Request(b"", "", ""))))

    def request(self, body: bytes = BODY, secret: str = SECRET, now: float = NOW, **given: str) -> Headers:
        """A request's headers; `id`, `ts` and `signature` can be given instead of being made."""
        message_id = given.get("id", ID)
        ts = given.get("ts", self.time(now) if self.time else "")
        unsigned = Request(body, message_id, ts)
        signature = given.get("signature") or self.encode(self.digest(unsigned, secret))
        return self.headers(replace(unsigned, signature=signature))

    def digest(self, request: Request, secret: str) -> bytes:
        return hmac.digest(self.key(secret), self.message(request), self.algorithm)


STANDARD = Dialect(
    "standard-webhooks",
    {"type": "standard_webhooks"},
    decoded, "sha256", to_base64,
    lambda r: f"{r.id}.{r.ts}.".encode() + r.body,
    lambda r: {"webhook-signature": f"v1,{r.signature}", "webhook-id": r.id, "webhook-timestamp": r.ts},
    seconds, DECIMAL_MISSPELT, "webhook-timestamp", "webhook-id", covers_id=True, separator=" ",
)  # fmt: skip

ITSDANGEROUS = Dialect(
    "timestamp-signature",
    {"type": "timestamp_signature"},
    derived, "sha1", to_base64url,
    lambda r: r.body + b"." + r.ts.encode(),
    lambda r: {"x-connector-signature": f"{r.ts}.{r.signature}"},
    packed, PACKED_MISSPELT,
)  # fmt: skip

DIALECTS = (
    STANDARD,
    ITSDANGEROUS,
    Dialect(
        "hmac-standard-webhooks",
        {"type": "hmac", "header": "webhook-signature", "prefix": "v1,", "separator": " ", "key_encoding": "base64",
         "digest_encoding": "base64", "template": "{id}.{ts}.{body}", "id_header": "webhook-id",
         "timestamp_header": "webhook-timestamp"},
        decoded, "sha256", to_base64, STANDARD.message, STANDARD.headers,
        seconds, DECIMAL_MISSPELT, "webhook-timestamp", "webhook-id", covers_id=True, separator=" ",
    ),
    Dialect(
        "stripe",
        {"type": "hmac", "header": "Stripe-Signature", "prefix": "v1=", "separator": ",", "template": "{ts}.{body}",
         "timestamp_prefix": "t="},
        literal, "sha256", to_hex,
        lambda r: f"{r.ts}.".encode() + r.body,
        lambda r: {"stripe-signature": f"t={r.ts},v1={r.signature}"},
        seconds, DECIMAL_MISSPELT, separator=",",
    ),
    Dialect(
        "paddle",
        {"type": "hmac", "header": "Paddle-Signature", "prefix": "h1=", "separator": ";", "template": "{ts}:{body}",
         "timestamp_prefix": "ts="},
        literal, "sha256", to_hex,
        lambda r: f"{r.ts}:".encode() + r.body,
        lambda r: {"paddle-signature": f"ts={r.ts};h1={r.signature}"},
        seconds, DECIMAL_MISSPELT, separator=";",
    ),
    Dialect(
        "statsig",
        {"type": "hmac", "header": "X-Statsig-Signature", "prefix": "v0=", "template": "v0:{ts}:{body}",
         "timestamp_header": "X-Statsig-Request-Timestamp", "timestamp_unit": "ms"},
        literal, "sha256", to_hex,
        lambda r: f"v0:{r.ts}:".encode() + r.body,
        lambda r: {"x-statsig-signature": f"v0={r.signature}", "x-statsig-request-timestamp": r.ts},
        milliseconds, DECIMAL_MISSPELT, "x-statsig-request-timestamp",
    ),
    Dialect(
        "orb",
        {"type": "hmac", "header": "X-Orb-Signature", "prefix": "v1=", "separator": " ", "template": "v1:{ts}:{body}",
         "timestamp_header": "X-Orb-Timestamp", "timestamp_unit": "iso8601"},
        literal, "sha256", to_hex,
        lambda r: f"v1:{r.ts}:".encode() + r.body,
        lambda r: {"x-orb-signature": f"v1={r.signature}", "x-orb-timestamp": r.ts},
        iso8601, ISO_MISSPELT, "x-orb-timestamp", separator=" ",
    ),
    Dialect(
        "optimizely",
        {"type": "hmac", "header": "X-Hub-Signature", "prefix": "sha1=", "algorithm": "sha1"},
        literal, "sha1", to_hex,
        lambda r: r.body,
        lambda r: {"x-hub-signature": f"sha1={r.signature}"},
    ),
    Dialect(
        "segment",
        {"type": "hmac", "header": "X-Signature", "algorithm": "sha1", "covers": "first_element"},
        literal, "sha1", to_hex,
        lambda r: r.body,
        lambda r: {"x-signature": r.signature},
    ),
    Dialect(
        "lago-hmac",
        {"type": "hmac", "header": "X-Lago-Signature", "digest_encoding": "base64",
         "pinned_header": "X-Lago-Signature-Algorithm", "pinned_value": "hmac",
         "uncovered_id_header": "X-Lago-Unique-Key"},
        literal, "sha256", to_base64,
        lambda r: r.body,
        lambda r: {"x-lago-signature": r.signature, "x-lago-signature-algorithm": "hmac", "x-lago-unique-key": r.id},
        id_header="x-lago-unique-key",
    ),
    Dialect(
        "growthbook",
        {"type": "hmac", "header": "X-GrowthBook-Signature"},
        literal, "sha256", to_hex,
        lambda r: r.body,
        lambda r: {"x-growthbook-signature": r.signature},
    ),
    Dialect(
        "hmac-sha512",
        {"type": "hmac", "header": "X-Signature-512", "algorithm": "sha512", "digest_encoding": "base64"},
        literal, "sha512", to_base64,
        lambda r: r.body,
        lambda r: {"x-signature-512": r.signature},
    ),
)  # fmt: skip
