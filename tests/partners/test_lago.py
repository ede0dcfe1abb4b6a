"""Lago, by both of the signatures that an organisation may choose.

The body is the example of https://github.com/getlago/lago-openapi.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connector.event_types import Aggregation, ChangeKind, EventType, Value
from connector.partners.asking import bearer
from connector.signatures import AnyOf, Scheme

from .contract import Contract, PartnerContract, SignatureContract
from .source_contract import SourceContract, filled_in
from .stand_in import Asked
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


class TestLagoSource(SourceContract):
    """The sample has one metric; another one, of another code, makes a second page."""

    partner = "lago"
    credential = filled_in(api_key="canary-9c")
    calls = 2
    event_types = tuple(
        EventType(
            id=f"1a901a90-1a90-1a90-1a90-1a901a901a9{number}",
            key=code,
            name="Storage",
            description="GB of storage used in my application",
            value=Value(property="gb", aggregation=Aggregation.SUM),
        )
        for number, code in ((1, "storage"), (2, "storage_2"))
    )

    def items(self) -> Sequence[Any]:
        (metric,) = self.sample("list")["billable_metrics"]
        return [metric, metric | {"lago_id": self.event_types[1].id, "code": "storage_2"}]

    def answer(self, asked: Asked, items: Sequence[Any]) -> Any:
        asked.demand(**bearer("canary-9c"))
        assert (asked.method, asked.path) == ("GET", "/api/v1/billable_metrics")
        page, size = int(asked.query["page"]), min(1, int(asked.query["per_page"]))
        following = page + 1 if page * size < len(items) else None
        meta = {"current_page": page, "next_page": following, "prev_page": page - 1 or None}
        counts = {"total_pages": -(-len(items) // size), "total_count": len(items)}
        return {"billable_metrics": items[(page - 1) * size : page * size], "meta": meta | counts}
