"""Genuine signed requests spoilt: headers there and not there, bodies, clocks and secrets.

This module must never know which spoilt request deserves to be refused.
"""

from __future__ import annotations

import base64
import hmac
import json
import math
from collections.abc import Callable

from fuzz.choices import HOSTILE_TEXTS, Choices, mutated_bytes, mutated_text, one_of
from fuzz.dialects import OTHER_SHARED, SHARED, Dialect, Signer, base64url
from fuzz.payloads import varied
from fuzz.seals import SignedRequest

_HOW_MANY = (0, 1, 1, 1, 1, 2, 2, 3, 3, 4)
_STEPS = (0.0, 1.0, -1.0, 299.0, 300.0, 301.0, -300.0, -301.0, 300.001, -60.5, 3600.0, 1e6, -1e9, 1e9)
_CLOCKS = (0.0, 1e15, -1.0, 0.5, 1e300, math.inf, -math.inf, math.nan, float(2**63))
_OTHER_SECRETS = (
    "", " ", "short", SHARED.upper(), SHARED + " ", SHARED + "\0", SHARED.rstrip("="), SHARED.removeprefix("whsec_"),
    OTHER_SHARED, "whpk_" + "A" * 43 + "=", "whsk_" + "A" * 43 + "=", "A" * 24, "\ud83d" * 30, "é" * 30,
)  # fmt: skip
_COMMON_NAMES = (
    "webhook-id", "webhook-timestamp", "webhook-signature", "svix-id", "svix-timestamp", "svix-signature",
    "authorization", "content-type", "x-signature", "x-connector-signature", "x-lago-signature-algorithm",
)  # fmt: skip
_TOKEN_HEADERS = (
    b'{"alg":"HS256"}', b'{"alg":"RS256"}', b'{"alg":"none"}', b'{"alg":null}', b'{"alg":["HS256"]}', b'{"alg":{}}',
    b'{"alg":"HS256","crit":["x"]}', b'{"alg":"HS256","b64":false}', b'{"alg":"RS256","b64":false,"crit":["b64"]}',
    b'{"alg":"HS256","kid":7}', b'{"alg":"HS256","typ":{}}', b"[]", b"{}", b"", b"\xff", b"[" * 2000, b"9" * 5000,
)  # fmt: skip
_CLAIMS = (
    b'{"iat":1614265330}', b'{"iat":true}', b'{"iat":1614265330.5}', b'{"iat":"1"}', b'{"iat":null}', b"{}", b"[]",
    b'{"iat":1e999}', b'{"iat":-1}', b'{"iat":1614265330,"exp":1,"nbf":"x"}', b'{"iat":' + b"9" * 5000 + b"}",
    b'{"data":"{}"}', b'{"data":"\\ud83d"}', b'{"data":7,"iss":[]}', b'{"data":"{}","iss":"https://x"}',
    b"[" * 2000, b'{"a":' * 2000, b"NaN", b"\xff",
)  # fmt: skip


def hostile_request(dialect: Dialect, start: SignedRequest, choices: Choices) -> SignedRequest:
    """The request with up to four things done to it; `start` stays as it is."""
    request = SignedRequest(dict(start.headers), start.body, list(start.secrets), start.now)
    for _ in range(one_of(_HOW_MANY, choices)):
        one_of(_MUTATIONS, choices)(request, dialect, choices)
    return request


def unsigned(start: SignedRequest, choices: Choices) -> tuple[bytes, str, float]:
    """The body, message id and time of a request that is yet to be signed."""
    body = start.body
    for _ in range(choices.below(3)):
        body = mutated_bytes(body, choices)
    message_id = mutated_text("msg_1", choices) if choices.below(3) == 1 else "msg_2"
    return body, message_id, start.now + one_of(_STEPS, choices)


def odd_token(signer: Signer, start: SignedRequest, choices: Choices) -> SignedRequest | None:
    """A well-signed token in which a sender has put anything; None where the dialect has no tokens."""
    header = one_of(_TOKEN_HEADERS, choices) if choices.below(2) else _TOKEN_HEADERS[int(signer.is_slow)]
    claims = one_of(_CLAIMS, choices)
    if choices.below(2):
        claims = mutated_bytes(claims, choices)
    return signer.token(header, claims, one_of((start.body, b"{}"), choices), start.now)


def _change_header(request: SignedRequest, _: Dialect, choices: Choices) -> None:
    if request.headers:
        name = one_of(list(request.headers), choices)
        request.headers[name] = mutated_text(request.headers[name], choices)


def _take_header(request: SignedRequest, dialect: Dialect, choices: Choices) -> None:
    """Of another genuine request: what was signed once, put together anew."""
    headers = one_of(dialect.requests, choices).headers
    name = one_of(list(headers), choices)
    request.headers[name] = headers[name]


def _join_header(request: SignedRequest, dialect: Dialect, choices: Choices) -> None:
    """As WSGI joins doubled headers, or as a list of signatures grows."""
    headers = one_of(dialect.requests, choices).headers
    name = one_of(list(headers), choices)
    request.headers[name] = one_of((",", " ", ";", ", "), choices).join((request.headers.get(name, ""), headers[name]))


def _add_header(request: SignedRequest, _: Dialect, choices: Choices) -> None:
    values = (one_of(HOSTILE_TEXTS, choices), *request.headers.values())
    request.headers[one_of((*_COMMON_NAMES, *request.headers), choices)] = one_of(values, choices)


def _remove_header(request: SignedRequest, _: Dialect, choices: Choices) -> None:
    request.headers.pop(one_of([*request.headers, ""], choices), None)


def _rename_header(request: SignedRequest, _: Dialect, choices: Choices) -> None:
    name = one_of([*request.headers, ""], choices)
    renamed = (name.title(), name.upper(), name.replace("-", "_"), name + " ", one_of(_COMMON_NAMES, choices))
    if name:
        request.headers[one_of(renamed, choices)] = request.headers.pop(name)


def _rename_family(request: SignedRequest, _: Dialect, choices: Choices) -> None:
    for name in [name for name in request.headers if name.startswith("webhook-") and choices.below(4)]:
        request.headers[name.replace("webhook-", "svix-")] = request.headers.pop(name)


def _change_body(request: SignedRequest, _: Dialect, choices: Choices) -> None:
    request.body = mutated_bytes(request.body, choices)


def _take_body(request: SignedRequest, dialect: Dialect, choices: Choices) -> None:
    request.body = one_of(dialect.requests, choices).body


def _respell_body(request: SignedRequest, _: Dialect, choices: Choices) -> None:
    """The same JSON value, or nearly, in other bytes."""
    try:
        value = json.loads(request.body)
        value = varied(value, choices) if choices.below(2) else value
        request.body = json.dumps(value, indent=choices.below(2) or None).encode()
    except (ValueError, RecursionError):
        request.body += b" "


def _shift_boundary(request: SignedRequest, _: Dialect, choices: Choices) -> None:
    """What ends one covered value begins the next: the signed text may stay the same."""
    if request.headers:
        name = one_of(list(request.headers), choices)
        value, size = request.headers[name], 1 + choices.below(3)
        if choices.below(2):
            request.headers[name], request.body = value[:-size], value[-size:].encode("utf-8", "replace") + request.body
        else:
            request.headers[name], request.body = value + request.body[:size].decode("latin-1"), request.body[size:]


def _change_token(request: SignedRequest, _: Dialect, choices: Choices) -> None:
    """Another header or other claims under the signature of these."""
    for name, value in request.headers.items():
        bearer, space, token = value.rpartition(" ")
        parts = token.split(".")
        if len(parts) == 3:
            at = choices.below(2)
            parts[at] = base64url(mutated_bytes(one_of((_TOKEN_HEADERS, _CLAIMS)[at], choices), choices))
            request.headers[name] = bearer + space + ".".join(parts)


def _sign_with_what_is_public(request: SignedRequest, _: Dialect, choices: Choices) -> None:
    """What anybody can do: take a public key, or nothing at all, as the shared secret."""
    public = [secret for secret in request.secrets if secret.startswith(("-----BEGIN", "whpk_"))]
    key = one_of(public or ["", "whsec_"], choices).encode("utf-8", "surrogatepass")
    algorithm = one_of(("sha256", "sha1"), choices)
    for name, value in request.headers.items():
        parts = value.removeprefix("Bearer ").split(".")
        if len(parts) == 3 and choices.below(2):
            signed = f"{base64url(_TOKEN_HEADERS[0])}.{parts[1]}"
            token = f"{signed}.{base64url(hmac.digest(key, signed.encode('utf-8', 'replace'), 'sha256'))}"
            request.headers[name] = value[: len(value) - len(".".join(parts))] + token
        elif "signature" in name:
            digest = hmac.digest(key, request.body, algorithm)
            respelt = one_of((digest.hex(), base64.b64encode(digest).decode()), choices)
            request.headers[name] = one_of(("", "", "sha1=", "v1,"), choices) + respelt
    if "x-lago-signature-algorithm" in request.headers:
        request.headers["x-lago-signature-algorithm"] = one_of(("hmac", "jwt"), choices)


def _move_clock(request: SignedRequest, _: Dialect, choices: Choices) -> None:
    request.now += one_of(_STEPS, choices)


def _set_clock(request: SignedRequest, _: Dialect, choices: Choices) -> None:
    request.now = one_of(_CLOCKS, choices)


def _add_secret(request: SignedRequest, dialect: Dialect, choices: Choices) -> None:
    own = one_of(dialect.requests, choices).secrets
    request.secrets.insert(choices.below(2), one_of((*_OTHER_SECRETS, *own), choices))


def _change_secret(request: SignedRequest, _: Dialect, choices: Choices) -> None:
    if request.secrets:
        at = choices.below(len(request.secrets))
        request.secrets[at] = mutated_text(request.secrets[at], choices)


def _replace_secrets(request: SignedRequest, _: Dialect, choices: Choices) -> None:
    request.secrets = [one_of(_OTHER_SECRETS, choices) for _ in range(choices.below(3))]


_MUTATIONS: tuple[Callable[[SignedRequest, Dialect, Choices], None], ...] = (
    _change_header, _change_header, _change_header, _take_header, _join_header, _add_header, _remove_header,
    _rename_header, _rename_family, _change_body, _change_body, _take_body, _respell_body, _shift_boundary,
    _change_token, _sign_with_what_is_public, _move_clock, _set_clock, _add_secret, _change_secret, _replace_secrets,
)  # fmt: skip
