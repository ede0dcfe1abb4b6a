"""Strict readers of what a signed request carries: one spelling of every value is accepted, all others are refused.

Two spellings of one value are two requests to whoever compares bytes and one to whoever compares values; between the
two live replays. This module must never know a scheme or a secret.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

from connector.signatures.refusals import RefusalCode, SignatureRefused

TimestampUnit = Literal["s", "ms", "iso8601"]

# Bounds on what a forger can make us read and compute; far above what any sender needs.
MAX_HEADER_LENGTH = 4096  # characters
MAX_SIGNATURES = 10  # items of one signature header
MAX_MESSAGE_ID_LENGTH = 256  # characters
MAX_ELEMENT_LENGTH = 65_536  # bytes of the first element of an array, which is searched for before it is verified

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,15}")
_ISO8601 = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})?")
_MESSAGE_ID = re.compile(rf"[!-~]{{1,{MAX_MESSAGE_ID_LENGTH}}}")
# A string (terminated or not) or a bracket; possessive, so that the scan stays linear on hostile bytes.
_JSON_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)
_ARRAY_OF_OBJECTS = re.compile(rb"[ \t\r\n]*\[[ \t\r\n]*(\{)?")


def header_value(
    headers: Mapping[str, str], name: str, missing: RefusalCode, max_length: int = MAX_HEADER_LENGTH
) -> str:
    """The value of a required header: printable ASCII of bounded length."""
    value = headers.get(name.lower(), "")
    if not value:
        raise SignatureRefused(missing, f"The request has no {name} header.")
    if len(value) > max_length:
        raise SignatureRefused(RefusalCode.HEADER_MALFORMED, f"{name} is longer than {max_length} characters.")
    if not (value.isascii() and value.isprintable()):
        raise SignatureRefused(RefusalCode.HEADER_MALFORMED, f"{name} holds other than printable ASCII characters.")
    return value


def split_items(value: str, separator: str) -> list[str]:
    """The items of a signature header; without a separator the whole value is the one item."""
    items = value.split(separator) if separator else [value]
    if len(items) > MAX_SIGNATURES:
        raise SignatureRefused(
            RefusalCode.SIGNATURES_TOO_MANY, f"The signature header has more than {MAX_SIGNATURES} items."
        )
    return items


def well_formed(signatures: Sequence[str], shape: re.Pattern[str]) -> list[bytes]:
    """The offered signatures of the expected version as bytes; none at all, or one out of shape, is refused."""
    if not signatures:
        raise SignatureRefused(
            RefusalCode.SIGNATURE_UNSUPPORTED, "The signature header offers no signature of an accepted version."
        )
    if not all(shape.fullmatch(signature) for signature in signatures):
        raise SignatureRefused(
            RefusalCode.SIGNATURE_MALFORMED, "A signature does not have the exact length and alphabet of its algorithm."
        )
    return [signature.encode("ascii") for signature in signatures]


def hex_shape(size: int) -> re.Pattern[str]:
    """Lower-case hex of `size` bytes."""
    return re.compile(rf"[0-9a-f]{{{2 * size}}}")


def base64_shape(size: int, *, url_safe: bool = False) -> re.Pattern[str]:
    """Canonical base64 of `size` bytes (RFC 4648 sections 3.5 and 4), or unpadded base64url (section 5)."""
    alphabet = "[A-Za-z0-9_-]" if url_safe else "[A-Za-z0-9+/]"
    whole, rest = divmod(size, 3)
    # The last character of a partial group has spare bits, which must be zero.
    tail = {0: "", 1: f"{alphabet}[AQgw]", 2: f"{alphabet}{{2}}[AEIMQUYcgkosw048]"}[rest]
    padding = "" if url_safe else "=" * (-size % 3)
    return re.compile(f"{alphabet}{{{4 * whole}}}{tail}{padding}")


def matches_any(expected: Iterable[bytes], offered: Sequence[bytes]) -> bool:
    """Whether an offered signature is an expected one; compares all pairs, so that time tells nothing of which."""
    found = False
    for right in expected:
        for given in offered:
            found |= hmac.compare_digest(right, given)
    return found


def read_timestamp(text: str, unit: TimestampUnit) -> float:
    """Unix seconds of a timestamp; an ISO 8601 one without an offset is UTC."""
    if unit == "iso8601":
        if _ISO8601.fullmatch(text):
            try:
                moment = datetime.fromisoformat(text)
            except ValueError:
                pass
            else:
                return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    elif _DECIMAL.fullmatch(text):
        return int(text) / (1000 if unit == "ms" else 1)
    raise SignatureRefused(RefusalCode.TIMESTAMP_MALFORMED, f"The timestamp is not written as {unit} must be.")


def write_timestamp(now: float, unit: TimestampUnit) -> str:
    """The inverse of `read_timestamp`, rounded down to the unit (milliseconds for ISO 8601)."""
    if unit == "iso8601":
        return datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return str(int(now * 1000) if unit == "ms" else int(now))


def check_age(signed_at: float, now: float, tolerance: float) -> None:
    """Refuse a time that is not within `tolerance` seconds of now, in either direction; NaN is within none."""
    age = now - signed_at
    if abs(age) <= tolerance:
        return
    if age > 0:
        raise SignatureRefused(
            RefusalCode.TIMESTAMP_TOO_OLD,
            f"The request was signed {age:.0f} s ago, over the {tolerance:g} s allowed: a replay or a slow sender.",
        )
    raise SignatureRefused(
        RefusalCode.TIMESTAMP_TOO_NEW,
        f"The request was signed {-age:.0f} s ahead, over the {tolerance:g} s allowed: compare the two clocks.",
    )


def read_message_id(headers: Mapping[str, str], name: str, forbidden: str = "") -> str:
    """A required message id: 1 to 256 visible ASCII characters without the `forbidden` one."""
    message_id = header_value(headers, name, RefusalCode.MESSAGE_ID_MISSING)
    if not is_message_id(message_id, forbidden):
        raise SignatureRefused(
            RefusalCode.MESSAGE_ID_MALFORMED,
            f"{name} is not 1 to {MAX_MESSAGE_ID_LENGTH} visible ASCII characters"
            + (f" without {forbidden!r}." if forbidden else "."),
        )
    return message_id


def read_uncovered_id(headers: Mapping[str, str], name: str) -> str | None:
    """An id that the signature does not cover, if the dialect has a header for one and the request carries it."""
    return read_message_id(headers, name) if name and headers.get(name.lower()) else None


def check_pinned(headers: Mapping[str, str], name: str, value: str) -> None:
    """Refuse a companion header that differs from what the endpoint pins; without a name nothing is pinned."""
    if name and headers.get(name.lower()) != value:
        raise SignatureRefused(RefusalCode.HEADER_MISMATCH, f"{name} is not {value!r}, which this endpoint pins.")


def is_message_id(text: str, forbidden: str = "") -> bool:
    return bool(_MESSAGE_ID.fullmatch(text)) and not (forbidden and forbidden in text)


def first_element(body: bytes) -> bytes:
    """The raw text of the first object of a JSON array; a body that is no array is returned whole.

    Finds the closing bracket without decoding anything: the bytes are not verified yet.
    """
    opening = _ARRAY_OF_OBJECTS.match(body)
    if opening is None:
        return body
    if opening[1]:
        start, depth = opening.start(1), 0
        for token in _JSON_TOKEN.finditer(body, start, start + MAX_ELEMENT_LENGTH):
            mark = token[0]
            if mark in {b"{", b"["}:
                depth += 1
            elif mark in {b"}", b"]"}:
                depth -= 1
                if depth == 0:
                    return body[start : token.end()]
    raise SignatureRefused(
        RefusalCode.BODY_MALFORMED,
        f"The body is a JSON array that does not begin with an object of at most {MAX_ELEMENT_LENGTH} bytes.",
    )
