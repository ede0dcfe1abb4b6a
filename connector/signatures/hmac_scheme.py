"""Every dialect that signs with one HMAC, as parameters of one verifier. It must never know a partner by name."""

from __future__ import annotations

import base64
import hmac
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from string import Formatter
from typing import Literal, get_args

from connector.signatures.canonical import (
    TimestampUnit,
    base64_shape,
    check_age,
    check_pinned,
    first_element,
    header_value,
    hex_shape,
    is_message_id,
    matches_any,
    read_message_id,
    read_timestamp,
    read_uncovered_id,
    split_items,
    well_formed,
    write_timestamp,
)
from connector.signatures.keys import base64_key, generate_shared_secret, literal_key, usable
from connector.signatures.refusals import RefusalCode, SignatureRefused
from connector.signatures.scheme import Verified

Algorithm = Literal["sha1", "sha256", "sha512"]
KeyEncoding = Literal["utf-8", "base64"]
DigestEncoding = Literal["hex", "base64"]
Covers = Literal["body", "first_element"]

_CHOICES: dict[str, tuple[str, ...]] = {
    "algorithm": get_args(Algorithm),
    "key_encoding": get_args(KeyEncoding),
    "digest_encoding": get_args(DigestEncoding),
    "timestamp_unit": get_args(TimestampUnit),
    "covers": get_args(Covers),
    "separator": ("", ",", ";", " "),
}
_SIZES = {"sha1": 20, "sha256": 32, "sha512": 64}
_SHAPES = {
    (algorithm, encoding): shape(size)
    for algorithm, size in _SIZES.items()
    for encoding, shape in (("hex", hex_shape), ("base64", base64_shape))
}
_BODY = "{body}"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a header's name, RFC 9110 section 5.6.2
# What may not follow a timestamp in a template, because it could be part of one; "{" opens the next placeholder.
_TIMESTAMP_CHARACTERS = {"s": "{0123456789", "ms": "{0123456789", "iso8601": "{0123456789.+-Z"}


@dataclass(frozen=True, slots=True)
class HmacScheme:
    """An HMAC over the body and, where the dialect has them, an id and a timestamp.

    * `header` carries the signature, behind `prefix` (`sha1=`, `v1=`). With a `separator` it is a list of such items,
      any of which may match; items with other prefixes are other versions and skipped. An item behind
      `timestamp_prefix` (`t=`) is the timestamp.
    * `template` is what is signed: `{body}`, and before it `{id}` (of `id_header`) and `{ts}` (of `timestamp_header`
      or behind `timestamp_prefix`) with literal text between.
    * `key_encoding` `utf-8`: the secret's own text is the key; `base64`: decode it after taking off `whsec_`.
    * `tolerance` in seconds, both ways; `None` accepts a timestamp of any age. Without `{ts}` it has no effect.
    * `pinned_header` must be exactly `pinned_value`: where a companion header names the algorithm, we choose it.
    * `uncovered_id_header` may carry an id that is not signed: it becomes `Verified.uncovered_id`, never the message
      id, because a replayed body under a new id must not count as new.
    * `covers` `first_element`: the signature covers only the first object of an array body, and only that is trusted.

    Signatures are compared as text, in constant time, so that no second spelling of one is accepted.
    Parameters may be plain strings from a file: a wrong one raises `ValueError` that names it.
    Source: RFC 2104; the template form is that of https://www.standardwebhooks.com and its many cousins.
    """

    header: str
    prefix: str = ""
    separator: str = ""
    algorithm: Algorithm = "sha256"
    key_encoding: KeyEncoding = "utf-8"
    digest_encoding: DigestEncoding = "hex"
    template: str = _BODY
    id_header: str = ""
    timestamp_header: str = ""
    timestamp_prefix: str = ""
    timestamp_unit: TimestampUnit = "s"
    tolerance: float | None = 300
    pinned_header: str = ""
    pinned_value: str = ""
    uncovered_id_header: str = ""
    covers: Covers = "body"

    def __post_init__(self) -> None:
        for field in fields(self):
            _check_type(field.name, getattr(self, field.name))
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}")
        for name in ("header", "id_header", "timestamp_header", "pinned_header", "uncovered_id_header"):
            value = getattr(self, name)
            if not _TOKEN.fullmatch(value) and (value or name == "header"):
                raise ValueError(f"{name} must be the name of a header")
        if bool(self.pinned_header) != bool(self.pinned_value):
            raise ValueError("pinned_value must be given together with pinned_header")
        if self.id_header and self.uncovered_id_header:
            raise ValueError("uncovered_id_header has no meaning where id_header is signed")
        self._check_prefixes()
        self._check_template()

    def _check_prefixes(self) -> None:
        for name in ("prefix", "timestamp_prefix"):
            if self.separator and self.separator in getattr(self, name):
                raise ValueError(f"{name} must not hold the separator")
        if self.separator and not self.prefix:
            raise ValueError("prefix must not be empty where a separator makes a list of versions")
        if self.timestamp_prefix:
            if not self.separator:
                raise ValueError("timestamp_prefix needs a separator")
            if self.prefix.startswith(self.timestamp_prefix) or self.timestamp_prefix.startswith(self.prefix):
                raise ValueError("timestamp_prefix must differ from prefix")
            if self.timestamp_header:
                raise ValueError("timestamp_header and timestamp_prefix exclude each other")

    def _check_template(self) -> None:
        try:
            parts = list(Formatter().parse(self.template))
        except ValueError:
            parts = []
        names = [name for _, name, _, _ in parts if name is not None]
        plain = all(not spec and not conversion for _, _, spec, conversion in parts)
        if not plain or names[-1:] != ["body"] or not self.template.endswith(_BODY):
            raise ValueError("template must end with {body} and name nothing but {id}, {ts} and {body}")
        if len(names) != len(set(names)) or not set(names) <= {"id", "ts", "body"}:
            raise ValueError("template must name {id}, {ts} and {body} once at most and nothing else")
        if ("id" in names) != bool(self.id_header):
            raise ValueError("id_header must be given exactly where template names {id}")
        if ("ts" in names) != bool(self.timestamp_header or self.timestamp_prefix):
            raise ValueError("timestamp_header or timestamp_prefix must be given exactly where template names {ts}")
        # Without a character that ends it, a digit could move from the timestamp into the body under one signature.
        if "ts" in names and self._after("{ts}") in _TIMESTAMP_CHARACTERS[self.timestamp_unit]:
            raise ValueError("template needs a character behind {ts} that no timestamp can hold")
        if "id" in names and self._after("{id}") == "{":
            raise ValueError("template needs a character behind {id}, which then no id may hold")

    def _after(self, placeholder: str) -> str:
        return self.template.partition(placeholder)[2][:1]

    def verify(self, body: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: float) -> Verified:
        value = header_value(headers, self.header, RefusalCode.SIGNATURE_MISSING)
        check_pinned(headers, self.pinned_header, self.pinned_value)
        items = split_items(value, self.separator)
        timestamp = self._timestamp(items, headers)
        signed_at = read_timestamp(timestamp, self.timestamp_unit) if timestamp else None
        if signed_at is not None and self.tolerance is not None:
            check_age(signed_at, now, self.tolerance)
        message_id = read_message_id(headers, self.id_header, self._after("{id}")) if self.id_header else None
        signatures = [item.removeprefix(self.prefix) for item in items if item.startswith(self.prefix)]
        offered = well_formed(signatures, _SHAPES[self.algorithm, self.digest_encoding])
        keys = usable(secrets, self._key)
        covered = self._covered(body)
        message = self._message(message_id or "", timestamp, covered)
        if not matches_any((self._signature(key, message) for key in keys), offered):
            raise SignatureRefused(
                RefusalCode.SIGNATURE_MISMATCH,
                f"{self.header} fits none of the endpoint's secrets: the secret differs or the body was altered.",
            )
        return Verified(covered, message_id, signed_at, read_uncovered_id(headers, self.uncovered_id_header))

    def sign(self, body: bytes, secret: str, message_id: str, now: float) -> dict[str, str]:
        id_header = self.id_header or self.uncovered_id_header
        if id_header and not is_message_id(message_id, self._after("{id}")):
            raise ValueError("message_id must be 1 to 256 visible ASCII characters that the template does not use")
        try:
            covered = self._covered(body)
        except SignatureRefused as refused:
            raise ValueError(str(refused)) from None
        timestamp = write_timestamp(now, self.timestamp_unit)
        signature = self._signature(self._key(secret), self._message(message_id, timestamp, covered))
        items = [self.prefix + signature.decode("ascii")]
        if self.timestamp_prefix:
            items.insert(0, self.timestamp_prefix + timestamp)
        sent = {
            self.header: self.separator.join(items),
            id_header: message_id,
            self.timestamp_header: timestamp,
            self.pinned_header: self.pinned_value,
        }
        return {name: value for name, value in sent.items() if name}

    def check_secret(self, secret: str) -> None:
        self._key(secret)

    def generate_secret(self) -> str:
        return generate_shared_secret()

    def _timestamp(self, items: Sequence[str], headers: Mapping[str, str]) -> str:
        if self.timestamp_header:
            return header_value(headers, self.timestamp_header, RefusalCode.TIMESTAMP_MISSING)
        if not self.timestamp_prefix:
            return ""
        found = [item for item in items if item.startswith(self.timestamp_prefix)]
        if not found:
            raise SignatureRefused(RefusalCode.TIMESTAMP_MISSING, f"{self.header} has no {self.timestamp_prefix} item.")
        if len(found) > 1 or found[0] == self.timestamp_prefix:
            raise SignatureRefused(
                RefusalCode.TIMESTAMP_MALFORMED, f"{self.header} has not exactly one {self.timestamp_prefix} value."
            )
        return found[0].removeprefix(self.timestamp_prefix)

    def _key(self, secret: str) -> bytes:
        return base64_key(secret) if self.key_encoding == "base64" else literal_key(secret)

    def _covered(self, body: bytes) -> bytes:
        return first_element(body) if self.covers == "first_element" else body

    def _message(self, message_id: str, timestamp: str, covered: bytes) -> bytes:
        return self.template.removesuffix(_BODY).format(id=message_id, ts=timestamp).encode("utf-8") + covered

    def _signature(self, key: bytes, message: bytes) -> bytes:
        digest = hmac.digest(key, message, self.algorithm)
        return digest.hex().encode("ascii") if self.digest_encoding == "hex" else base64.b64encode(digest)


def _check_type(name: str, value: object) -> None:
    if name != "tolerance":
        if not isinstance(value, str) or not (value.isascii() and (value.isprintable() or not value)):
            raise ValueError(f"{name} must be a string of printable ASCII characters")
        return
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value > 0:
        return
    if value is not None:
        raise ValueError("tolerance must be a number of seconds above 0, or None")
