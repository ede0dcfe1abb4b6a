"""The signature dialects that are fuzzed, each with genuine requests to start from and the means to sign new ones.

They are those of the signature vectors, of the built-in partners and of the example mapping files. This module must
never know how a request is spoilt.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from connector.signatures import (
    AnyOf,
    HmacScheme,
    JwtBearer,
    JwtBody,
    Scheme,
    StandardWebhooks,
    TimestampSignature,
    public_half,
)
from connector.signatures.keys import rsa_private_key
from fuzz.readers import HOUSE, NOW, readers
from fuzz.seals import Seal, SignedRequest, carried

MESSAGE_ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"

_SEED = hashlib.sha256(b"metric-connector fuzz").digest()
SHARED = "whsec_" + base64.b64encode(_SEED).decode()
OTHER_SHARED = "whsec_" + base64.b64encode(bytes(range(32))).decode()
_ED25519 = "whsk_" + base64.b64encode(_SEED).decode()

_TYPES: dict[str, Callable[..., Scheme]] = {
    "hmac": HmacScheme,
    "standard_webhooks": StandardWebhooks,
    "jwt_bearer": JwtBearer,
    "jwt_body": JwtBody,
    "timestamp_signature": TimestampSignature,
}


@dataclass(frozen=True)
class Signer:
    """One of the schemes of a dialect, with a secret that only the sender has."""

    scheme: Scheme
    secret: str

    @property
    def is_slow(self) -> bool:
        return isinstance(self.scheme, JwtBody)

    def signed(self, body: bytes, message_id: str, now: float) -> SignedRequest:
        """Raises what `Scheme.sign` does."""
        headers = self.scheme.sign(body, self.secret, message_id, now)
        return self._request({name.lower(): value for name, value in headers.items()}, body, now)

    def token(self, header: bytes, claims: bytes, body: bytes, now: float) -> SignedRequest | None:
        """A request by a token that a sender signed whatever is in it; None where the scheme has no tokens."""
        signed = f"{base64url(header)}.{base64url(claims)}"
        match self.scheme:
            case JwtBearer():
                signature = hmac.digest(self.secret.encode(), signed.encode(), "sha256")
                return self._request({"authorization": f"Bearer {signed}.{base64url(signature)}"}, body, now)
            case JwtBody() as scheme:
                signature = self._rsa_key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
                headers = {scheme.header.lower(): f"{signed}.{base64url(signature)}"}
                if scheme.pinned_header:
                    headers[scheme.pinned_header.lower()] = scheme.pinned_value
                return self._request(headers, body, now)
        return None

    @cached_property
    def _rsa_key(self) -> RSAPrivateKey:
        return rsa_private_key(self.secret)

    def _request(self, headers: dict[str, str], body: bytes, now: float) -> SignedRequest:
        return SignedRequest(headers, body, [public_half(self.secret)], now)


@dataclass(frozen=True)
class Dialect:
    """A scheme, genuine requests that carry one seal each, and how new ones are signed."""

    name: str
    scheme: Scheme
    requests: tuple[SignedRequest, ...]
    signers: tuple[Signer, ...]

    @cached_property
    def seals(self) -> frozenset[Seal]:
        return frozenset(each.seal for request in self.requests for each in carried(self.scheme, request))


@cache
def dialects() -> tuple[Dialect, ...]:
    """Every dialect there is; where it has a key pair of RSA, that is new in each process."""
    by_partner = (
        _dialect(f"partner {each.partner.name}", each.webhook.scheme, [_encoded(payload) for payload in each.payloads])
        for each in readers()
    )
    return (*_of_the_vectors(), *by_partner)


def _of_the_vectors() -> Iterator[Dialect]:
    for path in sorted((HOUSE / "tests/vectors").glob("*.json")):
        content = json.loads(path.read_text())
        scheme = _scheme(content["scheme"])
        genuine = []
        for vector in content["vectors"]:
            body = base64.b64decode(vector["body_base64"]) if "body_base64" in vector else vector["body"].encode()
            request = SignedRequest(vector["headers"], body, vector["secrets"], float(vector["now"]))
            # With more than one seal, it would not be known which of them is the genuine one.
            if vector["expect"].get("verified") and len({each.seal for each in carried(scheme, request)}) == 1:
                genuine.append(request)
        yield _dialect(f"vectors {path.stem}", scheme, [b'{"test": 2432232314}', b""], genuine)


def _dialect(name: str, scheme: Scheme, bodies: Sequence[bytes], genuine: Sequence[SignedRequest] = ()) -> Dialect:
    signers = tuple(_signers(scheme))
    signed = (signer.signed(body, MESSAGE_ID, NOW) for signer in signers for body in bodies)
    return Dialect(name, scheme, (*genuine, *signed), signers)


def _signers(scheme: Scheme) -> Iterator[Signer]:
    match scheme:
        case AnyOf():
            for each in scheme.schemes:
                yield from _signers(each)
        case StandardWebhooks():
            yield from (Signer(scheme, SHARED), Signer(scheme, _ED25519))
        case JwtBody():
            yield Signer(scheme, scheme.generate_secret())
        case _:
            yield Signer(scheme, SHARED)


def _scheme(parameters: Mapping[str, Any]) -> Scheme:
    if parameters["type"] == "any_of":
        return AnyOf(tuple(_scheme(each) for each in parameters["schemes"]))
    return _TYPES[parameters["type"]](**{name: each for name, each in parameters.items() if name != "type"})


def _encoded(payload: Any) -> bytes:
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
