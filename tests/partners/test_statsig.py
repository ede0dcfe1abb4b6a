"""Statsig. The body is the example of https://docs.statsig.com/integrations/event_webhook, with a metric in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connector.event_types import ChangeKind, EventType

from .contract import PartnerContract
from .source_contract import SourceContract, filled_in
from .stand_in import Asked
from .wired import Metric

ACTIONS = {ChangeKind.DEFINED: "created", ChangeKind.UPDATED: "updated", ChangeKind.DELETED: "deleted"}


class TestStatsig(PartnerContract):
    partner = "statsig"
    sender_has_ids = False
    story = (
        (ChangeKind.DEFINED, Metric("add-to-cart", "Add To Cart", "add_to_cart")),
        (ChangeKind.UPDATED, Metric("add-to-cart", "Add To Cart", "add_to_cart")),
        (ChangeKind.DELETED, Metric("add-to-cart", "Add To Cart", "add_to_cart", archived=True)),
    )

    def sample(self, kind: ChangeKind) -> Any:
        return self._change(kind, "Metric", "add_to_cart")

    def unknown(self) -> Any:
        return self._change(ChangeKind.DEFINED, "Gate", "layout_v2")

    def _change(self, kind: ChangeKind, type_: str, name: str) -> Any:
        change = {
            "user": {"name": "Test User", "email": "testuser@email.com"},
            "timestamp": int(self.moment(kind).timestamp() * 1000),
            "eventName": "statsig::config_change",
            "metadata": {
                "type": type_,
                "name": name,
                "description": "Description: Change default page layout",
                "action": ACTIONS[kind],
            },
        }
        return {"data": [change]}


class TestStatsigSource(SourceContract):
    partner = "statsig"
    credential = filled_in(console_api_key="canary-9c")
    calls = 2
    event_types = (EventType(key="add_to_cart"), EventType(key="checkout"))

    def items(self) -> Sequence[Any]:
        metrics: list[Any] = self.sample("metrics")["data"]
        return metrics

    def answer(self, asked: Asked, items: Sequence[Any]) -> Any:
        asked.demand(statsig_api_key="canary-9c")
        assert (asked.method, asked.path) == ("GET", "/console/v1/metrics/list")
        page, size = int(asked.query["page"]), min(1, int(asked.query["limit"]))
        following = f"{asked.path}?page={page + 1}&limit={asked.query['limit']}" if page * size < len(items) else None
        pagination = {"itemsPerPage": size, "pageNumber": page, "totalItems": len(items), "nextPage": following}
        return {"message": "Metrics listed successfully.", "data": items[page - 1 : page], "pagination": pagination}
