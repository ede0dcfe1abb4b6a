"""A webhook's request, from raw bytes to what it says: capped, verified, counted, read.

The order of the steps is the security of the room: nothing is decoded before its signature is good. It must never know
what is done with what a request says.
"""

from __future__ import annotations

import hashlib
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from werkzeug.wrappers import Request

from connector.partners import Partner, PayloadRefused, Reading, Webhook
from connector.partners.payload import NotJson, decode
from connector.signatures import SignatureRefused, Verified
from connector.web.flooding import Flooding
from connector.web.problems import Problem

log = logging.getLogger(__name__)

LOGGED = 5.0
"""Refused signatures that are logged per second and endpoint: a forger must not fill the disk either."""

# What an operator may see of a request: nothing that authenticates it.
_SHOWN_HEADERS = ("content-type", "user-agent", "webhook-id", "webhook-timestamp", "svix-id", "svix-timestamp")


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends to an endpoint, and the secrets that prove it."""

    endpoint_id: str
    partner: Partner
    webhook: Webhook
    secrets: Sequence[str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Received:
    """A verified request; `headers` are those that may be shown."""

    message_id: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str]
    reading: Reading


class Receiving:
    """`max_body` is bytes, `endpoint_rate` requests per second and endpoint."""

    def __init__(self, *, max_body: int, endpoint_rate: float, clock: Callable[[], float] = time.time) -> None:
        self._max_body = max_body
        self._flooding = Flooding(endpoint_rate, clock)
        self._forgeries = Flooding(LOGGED, clock)
        self._clock = clock

    def receive(self, sender: Sender, incoming: Request) -> Received:
        """Raises `Problem` for a request that is not to be accepted."""
        body = self._read(incoming, sender.webhook)
        headers = _headers(incoming)
        if headers.get("content-type") != "application/json" and not _is_json(incoming.mimetype):
            raise Problem(415, "content_type_not_json", "Send the webhook with Content-Type: application/json.")
        verified = self._verify(sender, body, headers)
        if wait := self._flooding.admit(sender.endpoint_id):
            raise Problem(
                429,
                "endpoint_floods",
                "This endpoint sends more than it may. Send it again after Retry-After.",
                headers={"Retry-After": str(math.ceil(wait))},
            )
        reading = _read_payload(sender, verified, headers)
        message_id = verified.message_id or reading.message_id or f"sha256:{hashlib.sha256(body).hexdigest()}"
        shown = {name: headers[name] for name in _SHOWN_HEADERS if name in headers}
        return Received(message_id, body, shown, reading)

    def _read(self, incoming: Request, sender: Webhook) -> bytes:
        """The raw body. Werkzeug's own limit would cut a body of untold length short instead of refusing it."""
        limit = max(self._max_body, sender.max_body or 0)
        told = incoming.content_length
        if told is None or told <= limit:
            # A length that is told is what the server lets us read, and needs none of werkzeug's limits around it.
            most, stream = (limit + 1, incoming.stream) if told is None else (told, incoming.environ["wsgi.input"])
            body = bytearray()
            while len(body) < most and (chunk := stream.read(most - len(body))):
                body += chunk
            if len(body) <= limit:
                return bytes(body)
        raise Problem(413, "body_too_large", f"The body is larger than {limit} bytes. Send fewer event types at once.")

    def _verify(self, sender: Sender, body: bytes, headers: Mapping[str, str]) -> Verified:
        try:
            return sender.webhook.scheme.verify(body, headers, sender.secrets, self._clock())
        except SignatureRefused as refused:
            if not self._forgeries.admit(sender.endpoint_id):
                log.warning(
                    "signature refused: %s",
                    refused,
                    extra={"endpoint": sender.endpoint_id, "partner": sender.partner.name, "code": refused.code},
                )
            # One text for all: the sender's log must not help a forger along; the operator's has the reason.
            raise Problem(
                401,
                "signature_refused",
                "The signature is missing, wrong, or too old or too new. Check the secret and the clock of the sender.",
            ) from None


def _is_json(mimetype: str) -> bool:
    return mimetype == "application/json" or mimetype.endswith("+json")


def _headers(incoming: Request) -> dict[str, str]:
    """By their names in small letters, from where WSGI has them (PEP 3333): werkzeug's view makes each name twice."""
    environ = incoming.environ
    headers = {name[5:].replace("_", "-").lower(): environ[name] for name in environ if name.startswith("HTTP_")}
    for name, key in (("content-type", "CONTENT_TYPE"), ("content-length", "CONTENT_LENGTH")):
        headers.pop(name, None)  # of a header that only looks like it
        if environ.get(key):
            headers[name] = environ[key]
    return headers


def _read_payload(sender: Sender, verified: Verified, headers: Mapping[str, str]) -> Reading:
    try:
        return sender.webhook.read(decode(verified.body), headers)
    except NotJson as error:
        raise Problem(400, error.code, str(error)) from None
    except PayloadRefused as error:
        raise Problem(
            422,
            error.code,
            f"{sender.partner.title}'s schema refuses the payload; `errors` names the fields.",
            errors=error.errors,
        ) from None
