"""Optimizely. The body follows a captured delivery of another entity; an event's own was never seen.

https://docs.developers.optimizely.com/feature-experimentation/docs/change-approval-webhooks
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connector.event_types import ChangeKind, EventType
from connector.partners.asking import bearer

from .contract import PartnerContract
from .source_contract import SourceContract, filled_in
from .stand_in import Asked
from .wired import Metric

RENAMED = [
    {"description": "Updated key", "before": "add_to_cart", "property": "key", "after": "added_to_cart"},
    {"description": "Updated name", "before": "Add to cart", "property": "name", "after": "Added to cart"},
]
CHANGE_TYPES = {ChangeKind.RENAMED: "update", ChangeKind.ARCHIVED: "archive", ChangeKind.DELETED: "delete"}


class TestOptimizely(PartnerContract):
    """Only a rename tells the key that an event is sent with, so that the story begins with one."""

    partner = "optimizely"
    tolerance = None
    sender_has_ids = False
    ambiguous = frozenset({"data"})  # an object where a datafile was updated
    story = (
        (ChangeKind.RENAMED, Metric("add-to-cart", "Added to cart", "added_to_cart")),
        (ChangeKind.ARCHIVED, Metric("add-to-cart", "Added to cart", "added_to_cart", archived=True)),
        (ChangeKind.DELETED, Metric("add-to-cart", "Added to cart", "added_to_cart", archived=True)),
    )

    def sample(self, kind: ChangeKind) -> Any:
        entity = {
            "id": 1024093,
            "name": "Added to cart",
            "api_url": "https://api.optimizely.com/v2/events/1024093",
            "ui_url": "https://app.optimizely.com/v2/projects/20129521369/events/1024093",
            "is_deleted": kind is ChangeKind.DELETED,
            "type": "event",
        }
        return self._webhook(kind, entity, RENAMED if kind is ChangeKind.RENAMED else [])

    def unknown(self) -> Any:
        ruleset = {"id": 1024094, "name": "Rules for checkout", "is_deleted": False, "type": "ruleset"}
        return self._webhook(ChangeKind.RENAMED, ruleset, [])

    def _webhook(self, kind: ChangeKind, entity: Any, changes: Any) -> Any:
        at = self.moment(kind)
        entry = {
            "entity": entity,
            "project_id": 20129521369,
            "id": int(at.timestamp()),
            "created": at.strftime("%Y-%m-%dT%H:%M:%S.139888Z"),
            "summary": f"Changed event '{entity['name']}'",
            "change_type": CHANGE_TYPES[kind],
            "changes": changes,
            "source": "ui",
            "user": {"display_name": "ada@example.com", "first_name": None, "email": "ada@example.com"},
        }
        return {
            "project_id": 20129521369,
            "timestamp": int(at.timestamp()),
            "event": f"project.{entity['type']}_{CHANGE_TYPES[kind].removesuffix('e')}ed",
            "data": [entry],
        }


class TestOptimizelySource(SourceContract):
    """Only an empty page ends the list."""

    partner = "optimizely"
    credential = filled_in(token="canary-9c", project_id="20129521369")
    calls = 3
    event_types = (
        EventType(
            id="4716380231",
            key="add_to_cart",
            name="Add to Cart",
            description="Event used to track users that have added the item to the cart.",
        ),
    )

    def items(self) -> Sequence[Any]:
        events: list[Any] = self.sample("events")
        return events

    def answer(self, asked: Asked, items: Sequence[Any]) -> Any:
        asked.demand(**bearer("canary-9c"))
        assert (asked.method, asked.path, asked.query["project_id"]) == ("GET", "/v2/events", "20129521369")
        page, size = int(asked.query["page"]), min(2, int(asked.query["per_page"]))
        return items[(page - 1) * size : page * size]
