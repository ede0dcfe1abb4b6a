"""Snowplow. The sample is put together from the examples of
https://docs.snowplow.io/docs/event-studio/programmatic-management/event-specifications-api/.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from connector.event_types import EventType, Value
from connector.partners import PayloadRefused
from connector.partners.asking import bearer

from .source_contract import SourceContract, filled_in
from .stand_in import Asked

ORGANISATION = "/api/msc/v1/organizations/39b81015-1bd5-4b37-96c7-3296cabaa36f"


class TestSnowplowSource(SourceContract):
    partner = "snowplow"
    credential = filled_in(
        organization_id="39b81015-1bd5-4b37-96c7-3296cabaa36f",
        api_key_id="key_1",
        api_key="canary-9c",
    )
    calls = 2
    event_types = (
        EventType(
            id="5a203ef8-939b-4fd1-914e-f12a3dd1a869",
            key="Search",
            name="Search",
            description="Tracking the use of the search box",
            value=Value(property="results", type="integer"),
        ),
        EventType(id="59b5e250-91c4-45af-a63d-5f8cd39f4b67", key="Checkout Step", name="Checkout Step"),
    )
    # A JSON Schema is the customer's: what cannot be read in it names no number.
    ambiguous = frozenset(
        f"data.0.event.schema.properties.results{place}" for place in ("", ".type", ".type.0", ".type.1")
    )

    def items(self) -> Sequence[Any]:
        specifications: list[Any] = self.sample("event_specifications")["data"]
        return specifications

    def answer(self, asked: Asked, items: Sequence[Any]) -> Any:
        assert asked.method == "GET"
        if asked.path == f"{ORGANISATION}/credentials/v3/token":
            asked.demand(x_api_key_id="key_1", x_api_key="canary-9c")
            return self.sample("token")
        asked.demand(**bearer(self.sample("token")["accessToken"]))
        assert (asked.path, asked.query) == (f"{ORGANISATION}/event-specs/v1", {"status": "published"})
        return self.sample("event_specifications") | {"data": items}

    def test_an_error_beside_the_list_is_refused(self) -> None:
        ((answer, asked, _),) = self.pages()
        answer["errors"][0]["type"] = "Error"
        with pytest.raises(PayloadRefused) as refused:
            self.list_api.parse(answer, asked, self.entered())
        assert refused.value.errors == {"errors": ["Has an error, so that the list may lack something."]}
