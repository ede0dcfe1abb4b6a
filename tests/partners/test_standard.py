"""The native protocol, by each of the signatures that it may carry."""

from __future__ import annotations

import base64
import secrets
from functools import cache
from typing import Any

from connector.event_types import ChangeKind
from connector.signatures import Scheme, TimestampSignature

from .contract import Contract, PartnerContract, SignatureContract
from .wired import Metric


class Standard(Contract):
    partner = "standard"
    story = (
        (ChangeKind.DEFINED, Metric("order-completed", "Order Completed", "order_completed")),
        (ChangeKind.RENAMED, Metric("order-completed", "Purchase Completed", "purchase_completed")),
        (ChangeKind.ARCHIVED, Metric("order-completed", "Purchase Completed", "purchase_completed", archived=True)),
        (ChangeKind.RESTORED, Metric("order-completed", "Purchase Completed", "purchase_completed")),
        (ChangeKind.DELETED, Metric("order-completed", "Purchase Completed", "purchase_completed", archived=True)),
    )

    def sample(self, kind: ChangeKind) -> Any:
        defined = {
            "id": "evt_8f2",
            "key": "order_completed",
            "name": "Order Completed",
            "description": "The till has taken the money.",
            "value": {"property": "channel", "type": "string", "unit": None},
            "tags": ["checkout"],
            "url": "https://partner.example/events/evt_8f2",
            "version": 3,
            "workspace": "ws_7",
        }
        renamed = defined | {
            "key": "purchase_completed",
            "name": "Purchase Completed",
            "previous_key": "order_completed",
            "previous_name": "Order Completed",
        }
        data = defined if kind is ChangeKind.DEFINED else renamed
        return self.webhook.compose(f"event_type.{kind}", data, self.moment(kind))

    def unknown(self) -> Any:
        return self.webhook.compose("invoice.paid", {"id": "inv_1"}, self.moment(ChangeKind.DEFINED))


class TestStandard(Standard, PartnerContract):
    """`v1`: both sides hold the secret."""


class TestStandardWithPublicKeys(Standard, SignatureContract):
    """`v1a`: the sender signs with ed25519, and we hold public keys only."""

    def secrets(self) -> tuple[str, str]:
        return _private_key(0), _private_key(1)


class TestStandardSignedByItsdangerous(Standard, SignatureContract):
    """`TimestampSigner` covers no message id, so a delivery is known again only by its bytes."""

    sender_has_ids = False

    def signer(self) -> Scheme:
        return TimestampSignature()


@cache
def _private_key(number: int) -> str:
    return f"whsk_{base64.b64encode(secrets.token_bytes(32)).decode()}"
