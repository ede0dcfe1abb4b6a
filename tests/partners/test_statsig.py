"""Statsig. The body is the example of https://docs.statsig.com/integrations/event_webhook, with a metric in it."""

from __future__ import annotations

from typing import Any

from connector.event_types import ChangeKind

from .contract import PartnerContract
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
