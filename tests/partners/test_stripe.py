"""Stripe's billing meters. The body is put together from the fixtures of https://github.com/stripe/openapi."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connector.event_types import Aggregation, ChangeKind, EventType, Value
from connector.partners.asking import basic

from .contract import PartnerContract
from .source_contract import SourceContract, filled_in
from .stand_in import Asked
from .wired import Metric

TYPES = {
    ChangeKind.DEFINED: "billing.meter.created",
    ChangeKind.RENAMED: "billing.meter.updated",
    ChangeKind.UPDATED: "billing.meter.updated",
    ChangeKind.ARCHIVED: "billing.meter.deactivated",
    ChangeKind.RESTORED: "billing.meter.reactivated",
}


class TestStripe(PartnerContract):
    partner = "stripe"
    sender_has_ids = False  # an event is rendered anew for each attempt, so that its id may come with other bytes
    story = (
        (ChangeKind.DEFINED, Metric("api-requests-count", "API requests (count)", "api_requests")),
        (ChangeKind.RENAMED, Metric("api-requests-count", "Requests (count)", "api_requests")),
        (ChangeKind.ARCHIVED, Metric("api-requests-count", "Requests (count)", "api_requests", archived=True)),
    )

    def sample(self, kind: ChangeKind) -> Any:
        at = int(self.moment(kind).timestamp())
        archived = kind is ChangeKind.ARCHIVED
        data: dict[str, Any] = {
            "object": {
                "id": "meter_123",
                "object": "billing.meter",
                "created": 1234567890,
                "customer_mapping": {"event_payload_key": "customer", "type": "by_id"},
                "default_aggregation": {"formula": "count"},
                "display_name": "API requests" if kind is ChangeKind.DEFINED else "Requests",
                "event_name": "api_requests",
                "event_time_window": None,
                "livemode": True,
                "status": "inactive" if archived else "active",
                "status_transitions": {"deactivated_at": at if archived else None},
                "updated": at,
                "value_settings": {"event_payload_key": "value"},
            }
        }
        if kind is ChangeKind.RENAMED:
            data["previous_attributes"] = {"display_name": "API requests"}
        return _event(TYPES[kind], at, data)

    def unknown(self) -> Any:
        at = int(self.moment(ChangeKind.DEFINED).timestamp())
        return _event("invoice.paid", at, {"object": {"id": "in_123", "object": "invoice"}})


def _event(type_: str, at: int, data: Any) -> Any:
    return {
        "id": "evt_1Pgc76B7WZ01zgkWwyRHS12y",
        "object": "event",
        "api_version": None,
        "created": at,
        "data": data,
        "livemode": True,
        "pending_webhooks": 0,
        "request": {"id": None, "idempotency_key": None},
        "type": type_,
    }


class TestStripeSource(SourceContract):
    """The sample has one meter; another one makes a second page."""

    partner = "stripe"
    credential = filled_in(api_key="canary-9c")
    calls = 2
    event_types = tuple(
        EventType(id=id_, key=key, name="test-meter", value=Value(property="value", aggregation=Aggregation.SUM))
        for id_, key in (("meter_123", "test-meter-event-name"), ("meter_124", "another-event-name"))
    )

    def items(self) -> Sequence[Any]:
        (meter,) = self.sample("list")["data"]
        return [meter, meter | {"id": "meter_124", "event_name": "another-event-name"}]

    def answer(self, asked: Asked, items: Sequence[Any]) -> Any:
        asked.demand(**basic("canary-9c", ""))
        assert (asked.method, asked.path) == ("GET", "/v1/billing/meters")
        assert asked.query["status"] == "active"
        ids = [meter["id"] for meter in items]
        begin = ids.index(asked.query["starting_after"]) + 1 if "starting_after" in asked.query else 0
        end = begin + min(1, int(asked.query["limit"]))
        return {"object": "list", "url": asked.path, "has_more": end < len(items), "data": items[begin:end]}
