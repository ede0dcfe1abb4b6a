"""Amplitude. The sample is that of https://amplitude.com/docs/apis/analytics/taxonomy, with all of its fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connector.event_types import EventType
from connector.partners.asking import basic

from .source_contract import SourceContract, filled_in
from .stand_in import Asked


class TestAmplitudeSource(SourceContract):
    partner = "amplitude"
    credential = filled_in(api_key="key_1", secret_key="canary-9c")
    event_types = (
        EventType(key="Attribution", description=""),
        EventType(
            key="order_completed",
            name="Order Completed",
            description="This event is sent when a user pays.",
            tags=("checkout",),
        ),
    )

    def items(self) -> Sequence[Any]:
        events: list[Any] = self.sample("events")["data"]
        return events

    def answer(self, asked: Asked, items: Sequence[Any]) -> Any:
        asked.demand(**basic("key_1", "canary-9c"))
        assert (asked.method, asked.path, asked.query) == ("GET", "/api/2/taxonomy/event", {})
        return {"success": True, "data": items}
