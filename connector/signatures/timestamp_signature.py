"""What `itsdangerous.TimestampSigner` signs of the raw body, for Python partners. It must never know what is in it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from itsdangerous import TimestampSigner
from itsdangerous.encoding import base64_decode, base64_encode, int_to_bytes

from connector.signatures.canonical import base64_shape, check_age, header_value, matches_any, well_formed
from connector.signatures.keys import generate_shared_secret, literal_key, usable
from connector.signatures.refusals import RefusalCode, SignatureRefused
from connector.signatures.scheme import Verified

_SHAPE = base64_shape(20, url_safe=True)
_TIME = re.compile(r"[A-Za-z0-9_-]{1,11}")


@dataclass(frozen=True, slots=True)
class TimestampSignature:
    """What `TimestampSigner`, with its defaults, puts behind the body: `timestamp.signature`. A partner sends it by

        signed = TimestampSigner(secret).sign(body)
        headers = {"X-Connector-Signature": signed[len(body) + 1 :].decode()}

    The secret is the key's text. The timestamp is that of the attempt, within `tolerance` seconds both ways. The
    signature covers no message id, so there is none: one in a header could be changed by whoever replays a request.
    Source: https://itsdangerous.palletsprojects.com/en/stable/timed/
    """

    header: str = "X-Connector-Signature"
    tolerance: float = 300

    def verify(self, body: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: float) -> Verified:
        value = header_value(headers, self.header, RefusalCode.SIGNATURE_MISSING)
        timestamp, _, signature = value.partition(".")
        offered = well_formed([signature], _SHAPE)
        signed_at = _read_time(timestamp)
        check_age(signed_at, now, self.tolerance)
        message = _message(body, timestamp)
        keys = usable(secrets, literal_key)
        if not matches_any((TimestampSigner(key).get_signature(message) for key in keys), offered):
            raise SignatureRefused(
                RefusalCode.SIGNATURE_MISMATCH,
                f"{self.header} fits none of the endpoint's secrets: the secret differs or the body was altered.",
            )
        return Verified(body, None, signed_at)

    def sign(self, body: bytes, secret: str, message_id: str, now: float) -> dict[str, str]:  # noqa: ARG002
        timestamp = _write_time(int(now))
        signature = TimestampSigner(literal_key(secret)).get_signature(_message(body, timestamp))
        return {self.header: f"{timestamp}.{signature.decode('ascii')}"}

    def check_secret(self, secret: str) -> None:
        literal_key(secret)

    def generate_secret(self) -> str:
        return generate_shared_secret()


def _message(body: bytes, timestamp: str) -> bytes:
    return body + b"." + timestamp.encode("ascii")


def _write_time(seconds: int) -> str:
    return base64_encode(int_to_bytes(seconds)).decode("ascii")


def _read_time(text: str) -> float:
    if _TIME.fullmatch(text) and len(text) % 4 != 1:
        seconds = int.from_bytes(base64_decode(text))
        if _write_time(seconds) == text:
            return float(seconds)
    raise SignatureRefused(
        RefusalCode.TIMESTAMP_MALFORMED, "The timestamp is not the one spelling that itsdangerous has."
    )
