"""Lago, by both of the signatures that an organisation may choose.

The body is the example of https://github.com/getlago/lago-openapi.
"""

from __future__ import annotations

from typing import Any

from connector.event_types import ChangeKind
from connector.signatures import AnyOf, Scheme

from .contract import Contract, PartnerContract, SignatureContract
from .wired import Metric

ORGANISATION = "1a901a90-1a90-1a90-1a90-1a901a901a90"
TYPES = {
    ChangeKind.DEFINED: "billable_metric.created",
    ChangeKind.UPDATED: "billable_metric.updated",
    ChangeKind.DELETED: "billable_metric.deleted",
}


class Lago(Contract):
    partner = "lago"
    tolerance = None
    sender_has_ids = False
    unsigned_headers = frozenset({"x-lago-unique-key"})
    story = (
        (ChangeKind.DEFINED, Metric("storage-sum", "Storage: gb (sum)", "storage")),
        (ChangeKind.UPDATED, Metric("storage-sum", "Storage used: gb (sum)", "storage_used")),
        (ChangeKind.DELETED, Metric("storage-sum", "Storage used: gb (sum)", "storage_used", archived=True)),
    )

    def sample(self, kind: ChangeKind) -> Any:
        metric = {
            "lago_id": "1a901a90-1a90-1a90-1a90-1a901a901a91",
            "name": "Storage",
            "code": "storage",
            "description": "GB of storage used in my application",
            "aggregation_type": "sum_agg",
            "weighted_interval": "seconds",
            "recurring": False,
            "rounding_function": "round",
            "rounding_precision": 2,
            "created_at": "2022-09-14T16:35:31Z",
            "field_name": "gb",
            "expression": "round((ended_at - started_at) * units)",
            "filters": [],
        }
        if kind is not ChangeKind.DEFINED:
            metric |= {"name": "Storage used", "code": "storage_used"}
        return _webhook(TYPES[kind], "billable_metric", metric)

    def unknown(self) -> Any:
        return _webhook("customer.created", "customer", {"lago_id": "1a901a90-1a90-1a90-1a90-1a901a901a92"})


class TestLago(Lago, PartnerContract):
    """The algorithm `hmac`."""


class TestLagoWithItsKeyPair(Lago, SignatureContract):
    """The algorithm `jwt`."""

    def signer(self) -> Scheme:
        scheme = self.webhook.scheme
        assert isinstance(scheme, AnyOf)
        return scheme.schemes[1]


def _webhook(type_: str, object_type: str, content: Any) -> Any:
    envelope = {"webhook_type": type_, "object_type": object_type, "organization_id": ORGANISATION}
    return envelope | {object_type: content}
