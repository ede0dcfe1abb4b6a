"""Whether a request is what its partner signed: raw bytes, headers, secrets and the time in, trusted bytes or one
declared refusal out. This room does no I/O and must never know the web, the store or a partner's payload.
"""

from __future__ import annotations

from connector.signatures.any_of import AnyOf
from connector.signatures.hmac_scheme import HmacScheme
from connector.signatures.keys import public_half
from connector.signatures.refusals import RefusalCode, SecretCode, SecretRefused, SignatureRefused
from connector.signatures.scheme import Scheme, Verified
from connector.signatures.standard_webhooks import STANDARD_WEBHOOKS, StandardWebhooks
from connector.signatures.timestamp_signature import TimestampSignature
from connector.signatures.tokens import JwtBearer, JwtBody

__all__ = [
    "STANDARD_WEBHOOKS",
    "AnyOf",
    "HmacScheme",
    "JwtBearer",
    "JwtBody",
    "RefusalCode",
    "Scheme",
    "SecretCode",
    "SecretRefused",
    "SignatureRefused",
    "StandardWebhooks",
    "TimestampSignature",
    "Verified",
    "public_half",
]
