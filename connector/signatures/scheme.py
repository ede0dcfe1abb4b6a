"""What every signature scheme is: verify, sign, judge a secret, make one. It must never know a particular scheme."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Verified:
    """What may be trusted of a request.

    `body` are the trusted bytes: the request's own, or only a part of them where the signature covers no more.
    `message_id` is the sender's idempotency key if the signature covers it, else `None`. `uncovered_id` is an id that
    stands outside the signature: whoever replays a captured request can choose it freely, so that it must never
    decide alone that a body is new; without a `message_id`, take an id from the trusted body, else a hash of it.
    `signed_at` is the time of this attempt in unix seconds, if the signature covers one.
    """

    body: bytes
    message_id: str | None = None
    signed_at: float | None = None
    uncovered_id: str | None = None


class Scheme(Protocol):
    """One dialect of signed webhooks. Times are unix seconds, passed in; no method does I/O."""

    def verify(self, body: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: float) -> Verified:
        """Judge the raw bytes by every active secret.

        Header names are lower-case, as one string each (WSGI joins doubled ones with a comma). Secrets that
        `check_secret` refuses are left out, so that one bad secret does not disable the good ones.
        Raises `SignatureRefused` and nothing else, whatever the input.
        """

    def sign(self, body: bytes, secret: str, message_id: str, now: float) -> dict[str, str]:
        """The headers to send with the body. A dialect without message ids leaves `message_id` unused.

        Raises `SecretRefused`, or `ValueError` for a message id or a body that the dialect cannot carry.
        """

    def check_secret(self, secret: str) -> None:
        """Raise `SecretRefused` for a secret that the verifying side must not use."""

    def generate_secret(self) -> str:
        """A new random secret for `sign`; what the verifying side stores of it is `public_half` of it."""
