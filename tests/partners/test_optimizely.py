"""Optimizely. The body follows a captured delivery of another entity; an event's own was never seen.

https://docs.developers.optimizely.com/feature-experimentation/docs/change-approval-webhooks
"""

from __future__ import annotations

from typing import Any

from connector.event_types import ChangeKind

from .contract import PartnerContract
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
