"""Mixpanel. The sample follows the OpenAPI document and example of https://docs.mixpanel.com/reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connector.event_types import EventType, Value
from connector.partners.asking import basic

from .source_contract import SourceContract, filled_in
from .stand_in import Asked


class TestMixpanelSource(SourceContract):
    partner = "mixpanel"
    credential = filled_in(project_id="12345", account="connector.1", secret="canary-9c")
    event_types = (
        EventType(
            key="Added To Cart",
            name="Item Purchased",
            description="Sent when a user puts an item into the cart.",
            value=Value(property="item_price"),
            tags=("Shopping", "KPIs"),
        ),
        EventType(key="signed_up", name="", description="", tags=()),
    )
    # A JSON Schema is the customer's: what cannot be read in it names no number.
    ambiguous = frozenset(f"results.0.schemaJson.properties.item_price{place}" for place in ("", ".type"))

    def items(self) -> Sequence[Any]:
        entries: list[Any] = self.sample("schemas")["results"]
        return entries

    def answer(self, asked: Asked, items: Sequence[Any]) -> Any:
        asked.demand(**basic("connector.1", "canary-9c"))
        assert (asked.method, asked.path, asked.query) == ("GET", "/api/app/projects/12345/schemas/event", {})
        return {"status": "ok", "results": items}
