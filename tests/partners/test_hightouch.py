"""Hightouch. The sample is the example of ListContracts in https://api.hightouch.io/api/swagger.json."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connector.event_types import Catalogue, EventType, Value
from connector.partners.asking import bearer

from .source_contract import SourceContract, filled_in
from .stand_in import Asked

PAGE = 1  # contracts; Hightouch gives as many as it is asked for


class TestHightouchSource(SourceContract):
    partner = "hightouch"
    credential = filled_in(api_key="canary-9c")
    calls = 2
    event_types = (
        EventType(key="Checked Out", description="An order was paid.", value=Value(property="total")),
        EventType(key="signed_up", description=""),
    )
    # A JSON Schema is the customer's: what cannot be read in it names no number.
    ambiguous = frozenset(
        f"data.0.events.0.schema.properties{place}"
        for place in ("", ".properties.properties.total", ".properties.properties.total.type")
    )

    def items(self) -> Sequence[Any]:
        contracts: list[Any] = self.sample("contracts")["data"]
        return contracts

    def answer(self, asked: Asked, items: Sequence[Any]) -> Any:
        asked.demand(**bearer("canary-9c"))
        assert (asked.method, asked.path) == ("GET", "/api/v1/events/contracts")
        assert asked.query["orderBy"] == "id"
        offset = int(asked.query["offset"])
        size = min(PAGE, int(asked.query["limit"]))
        return {"data": items[offset : offset + size], "hasMore": offset + size < len(items)}

    def test_without_has_more_only_an_empty_page_ends_the_list(self) -> None:
        """It stands in the documented example, but not in the documented schema."""
        items = self.items()
        self.stand_in.serve(lambda asked: {"data": self.answer(asked, items)["data"]})
        assert self.fetch() == Catalogue(self.event_types, complete=True)
        assert len(self.stand_in.asked) == 3
