"""RudderStack. The sample is that of https://www.rudderstack.com/docs/api/data-catalog-api/data-catalog/."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from connector.event_types import EventType
from connector.partners import PayloadRefused
from connector.partners.asking import bearer

from .source_contract import SourceContract, filled_in
from .stand_in import Asked

PAGE = 2  # events; RudderStack's own pages have 50


class TestRudderStackSource(SourceContract):
    partner = "rudderstack"
    credential = filled_in(token="canary-9c")
    calls = 2
    event_types = (
        EventType(
            id="ev_2dJfRK8t0hOmmAaCTc0VvMB36e1",
            key="Product Added to Cart",
            description="User added product to cart.",
        ),
        EventType(id="ev_2g60ZQeit5D54rBHUUh0oK3IxzH", key="Order Placed", description="User placed an order."),
    )

    def items(self) -> Sequence[Any]:
        events: list[Any] = self.sample("events")["data"]
        return events

    def answer(self, asked: Asked, items: Sequence[Any]) -> Any:
        asked.demand(**bearer("canary-9c"))
        assert (asked.method, asked.path) == ("GET", "/v2/catalog/events")
        assert asked.query["orderBy"] == "createdAt:asc"
        page = int(asked.query["page"])
        data = items[(page - 1) * PAGE : page * PAGE]
        return {"data": data, "total": len(items), "currentPage": page, "pageSize": PAGE}

    @pytest.mark.parametrize("total", [1, 2, 4])
    def test_a_count_that_does_not_fit_its_page_is_refused(self, total: int) -> None:
        _, (answer, asked, _) = self.pages()
        with pytest.raises(PayloadRefused) as refused:
            self.list_api.parse(answer | {"total": total}, asked, self.entered())
        assert refused.value.errors == {"data": ["Has more or fewer events than total and pageSize say."]}
