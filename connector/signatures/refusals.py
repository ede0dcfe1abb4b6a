"""Why a request or a secret is refused: every code that the room can give, in one place.

This module must never know a scheme; the sentences stand where they are raised and never hold a secret.
"""

from __future__ import annotations

from enum import StrEnum


class RefusalCode(StrEnum):
    """Stable codes of `SignatureRefused`."""

    SIGNATURE_MISSING = "signature_missing"
    SIGNATURE_MALFORMED = "signature_malformed"
    SIGNATURE_UNSUPPORTED = "signature_unsupported"
    SIGNATURES_TOO_MANY = "signatures_too_many"
    SIGNATURE_MISMATCH = "signature_mismatch"
    ALGORITHM_MISMATCH = "algorithm_mismatch"
    HEADER_MALFORMED = "header_malformed"
    HEADER_MISMATCH = "header_mismatch"
    TIMESTAMP_MISSING = "timestamp_missing"
    TIMESTAMP_MALFORMED = "timestamp_malformed"
    TIMESTAMP_TOO_OLD = "timestamp_too_old"
    TIMESTAMP_TOO_NEW = "timestamp_too_new"
    MESSAGE_ID_MISSING = "message_id_missing"
    MESSAGE_ID_MALFORMED = "message_id_malformed"
    BODY_MALFORMED = "body_malformed"
    BODY_MISMATCH = "body_mismatch"
    CLAIMS_MALFORMED = "claims_malformed"
    ISSUER_MISMATCH = "issuer_mismatch"
    SECRET_MISSING = "secret_missing"  # noqa: S105 - a code, not a secret
    SECRET_UNUSABLE = "secret_unusable"  # noqa: S105 - a code, not a secret


class SecretCode(StrEnum):
    """Stable codes of `SecretRefused`."""

    EMPTY = "secret_empty"
    TOO_SHORT = "secret_too_short"
    MALFORMED = "secret_malformed"
    PRIVATE = "secret_private"


class SignatureRefused(Exception):
    """The request must not be trusted. `str()` is one sentence for the log, never for the sender."""

    def __init__(self, code: RefusalCode, reason: str) -> None:
        super().__init__(reason)
        self.code: str = code.value


class SecretRefused(ValueError):
    """The secret must not be used. `str()` says what to do instead and may be shown to who entered it."""

    def __init__(self, code: SecretCode, advice: str) -> None:
        super().__init__(advice)
        self.code: str = code.value
