"""Where a hostile request's choices come from, and what is done to texts and bytes by them.

Two sources make one harness: a seeded generator, and the bytes of a coverage-guided fuzzer. This module must never know
what the texts and bytes are for.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

Item = TypeVar("Item")


class Choices(Protocol):
    """Zero, or nothing, is the mildest choice: a source that has run dry gives only that."""

    def below(self, limit: int) -> int:
        """From 0 to `limit` - 1."""

    def some_bytes(self, most: int) -> bytes:
        """At most `most` bytes."""


class Seeded:
    """The same seed makes the same choices."""

    def __init__(self, seed: int) -> None:
        self._generator = random.Random(seed)
        self._random = self._generator.random

    def below(self, limit: int) -> int:
        return int(self._random() * limit)

    def some_bytes(self, most: int) -> bytes:
        return self._generator.randbytes(self.below(most + 1))


HOSTILE_TEXTS = (
    "", " ", "\t", "\n", "\r\n", "\0", "é", "٣", "\ud83d", "\U0001f600", "\u202e", "\u2028", "\ufeff", "\x7f",
    ",", ";", "=", "==", ".", "..", ":", "/", "\\", "+", "-", "_", "{", "}", "{0}", "%s", "%00", '"', "'", "`",
    "0", "00", "-1", "+1", "1e9", "1_0", "0x1", "9" * 15, "9" * 20, "9" * 5000, "NaN", "inf", "null", "true",
    "v1", "v1,", "v1a,", "v2,", "v0=", "v1=", "h1=", "t=", "ts=", "sha1=", "sha256=", "Bearer ", "hmac", "jwt",
    "whsec_", "whpk_", "whsk_", "-----BEGIN PUBLIC KEY-----", "-----BEGIN", "A" * 32, "A" * 300, "A" * 20_000,
    "2021-02-25T15:02:10Z", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "Fri, 31 Dec 9999 23:59:59 -2359",
    "eyJhbGciOiJub25lIn0", "eyJhbGciOiJub25lIn0.e30.", "all", "$set", "a.b", "*", "https://attacker.example/",
    "//attacker.example/", "https://api.example:x/", "http://[", "@attacker.example/", "\\@attacker.example", "?page=2",
)  # fmt: skip
HOSTILE_BYTES = (
    b"", b"\0", b"\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\\", b'"', b"\\u0000", b"\\ud83d", b"\r\n", b" ",
    b"{", b"}", b"[", b"]", b"[" * 2000, b'{"a":' * 2000, b",", b":", b"{}", b"[{}]", b'{"type":1,', b'"id":"",',
    b"NaN", b"-Infinity", b"1e400", b"-0", b"9" * 5000, b"0.1e-999", b"null", b"true", b".", b"1614265330.",
)  # fmt: skip
_ARABIC = {ord(digit): 0x660 + int(digit) for digit in "0123456789"}
_OTHER_BASE64 = str.maketrans("+/-_", "-_+/")


def one_of(items: Sequence[Item], choices: Choices) -> Item:
    return items[choices.below(len(items))]


def mutated_text(text: str, choices: Choices) -> str:
    """The text with one thing done to it; it may stay what it was."""
    return one_of(_TEXT_MUTATIONS, choices)(text, choices.below(len(text) + 1), choices)


def mutated_bytes(data: bytes, choices: Choices) -> bytes:
    """The bytes with one thing done to them; they may stay what they were."""
    return one_of(_BYTES_MUTATIONS, choices)(data, choices.below(len(data) + 1), choices)


_TEXT_MUTATIONS: tuple[Callable[[str, int, Choices], str], ...] = (
    lambda text, at, choices: text[:at] + one_of(HOSTILE_TEXTS, choices) + text[at:],
    lambda text, at, choices: text[:at] + chr(32 + choices.below(96)) + text[at + 1 :],
    lambda text, at, _: text[:at] + text[at + 1 :],
    lambda text, at, _: text[:at] + text[at : at + 1].swapcase() + text[at + 1 :],
    lambda text, at, _: text[:at] + text[at + 1 : at + 2] + text[at : at + 1] + text[at + 2 :],
    # The lowest bits of a last character are where base64 could hide a second spelling.
    lambda text, at, choices: text[:-1] + chr(ord(text[-1]) ^ (1 << choices.below(4))) if text else str(at),
    lambda text, at, _: text[:at],
    lambda text, at, _: text[at:],
    lambda text, _, choices: one_of(HOSTILE_TEXTS, choices) or text,
    lambda text, _, choices: text + one_of(",; .&\n", choices) + text,
    lambda text, at, choices: text + one_of(",; .", choices) + text[:at] + one_of("0Aa=", choices) + text[at + 1 :],
    lambda text, _, choices: one_of(HOSTILE_TEXTS, choices) + text,
    lambda text, _, choices: text + one_of(HOSTILE_TEXTS, choices),
    lambda text, _, choices: (sign := one_of(",; .", choices)).join(reversed(text.split(sign))),
    lambda text, _, __: text.translate(_OTHER_BASE64),
    lambda text, _, __: text.translate(_ARABIC),
    lambda text, _, __: text.rstrip("="),
    lambda text, _, __: text.upper(),
    lambda text, _, choices: text * (2 + choices.below(12)),
    lambda _, __, choices: choices.some_bytes(40).decode("utf-8", "surrogateescape"),
)
_BYTES_MUTATIONS: tuple[Callable[[bytes, int, Choices], bytes], ...] = (
    lambda data, at, choices: data[:at] + one_of(HOSTILE_BYTES, choices) + data[at:],
    lambda data, at, choices: data[:at] + bytes([choices.below(256)]) + data[at + 1 :],
    lambda data, at, choices: (
        data[:at] + bytes(b ^ (1 << choices.below(8)) for b in data[at : at + 1]) + data[at + 1 :]
    ),
    lambda data, at, _: data[:at] + data[at + 1 :],
    lambda data, at, _: data[:at],
    lambda data, at, _: data[at:],
    lambda data, at, _: data[at:] + data[:at],
    lambda data, at, choices: data[:at] + data[at : at + 1 + choices.below(30)] + data[at:],
    lambda data, _, __: data + data,
    lambda data, _, choices: b"[" + data + one_of((b"]", b",{}]", b" ]", b",", b""), choices),
    lambda data, _, choices: one_of((b" ", b"\n", b"\t", b"\xef\xbb\xbf"), choices) + data,
    lambda data, _, choices: data + one_of(HOSTILE_BYTES, choices),
    lambda data, at, choices: data[:at] + choices.some_bytes(8) + data[at:],
    lambda _, __, choices: choices.some_bytes(60),
)
