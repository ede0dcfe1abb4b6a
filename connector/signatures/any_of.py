"""Several schemes at one endpoint. It must never know which schemes there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connector.signatures.refusals import RefusalCode, SecretRefused, SignatureRefused
from connector.signatures.scheme import Scheme, Verified


@dataclass(frozen=True, slots=True)
class AnyOf:
    """A request is good if one of the schemes whose header it carries finds it good, with all of that scheme's rules.

    The first scheme signs and generates. All share the endpoint's secrets, each using those that fit it; a secret is
    refused only if it fits none. Raises `ValueError` if there is no scheme.
    """

    schemes: tuple[Scheme, ...]

    def __post_init__(self) -> None:
        if not self.schemes:
            raise ValueError("schemes must name at least one scheme")

    def verify(self, body: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: float) -> Verified:
        refusals = []
        for scheme in self.schemes:
            try:
                return scheme.verify(body, headers, secrets, now)
            except SignatureRefused as refused:
                refusals.append(refused)
        raise next((refused for refused in refusals if refused.code != RefusalCode.SIGNATURE_MISSING), refusals[0])

    def sign(self, body: bytes, secret: str, message_id: str, now: float) -> dict[str, str]:
        return self.schemes[0].sign(body, secret, message_id, now)

    def check_secret(self, secret: str) -> None:
        refusals = []
        for scheme in self.schemes:
            try:
                scheme.check_secret(secret)
            except SecretRefused as refused:
                refusals.append(refused)
            else:
                return
        raise refusals[0]

    def generate_secret(self) -> str:
        return self.schemes[0].generate_secret()
