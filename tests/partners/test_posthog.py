"""PostHog. The body is the default one of its webhook destination, around an entry of the activity log.

https://posthog.com/docs/data-pipelines/destinations/webhook
"""

from __future__ import annotations

from typing import Any

from connector.event_types import ChangeKind

from .contract import PartnerContract
from .wired import Metric

CHANGED = {
    ChangeKind.UPDATED: ("description", "The cart", "The cart is paid for."),
    ChangeKind.ARCHIVED: ("hidden", False, True),
    ChangeKind.RESTORED: ("hidden", True, False),
}
ACTIVITIES = {ChangeKind.DEFINED: "created", ChangeKind.DELETED: "deleted"}


class TestPostHog(PartnerContract):
    partner = "posthog"
    story = (
        (ChangeKind.DEFINED, Metric("checkout-completed", "Checkout Completed", "checkout_completed")),
        (ChangeKind.UPDATED, Metric("checkout-completed", "Checkout Completed", "checkout_completed")),
        (ChangeKind.ARCHIVED, Metric("checkout-completed", "Checkout Completed", "checkout_completed", archived=True)),
        (ChangeKind.RESTORED, Metric("checkout-completed", "Checkout Completed", "checkout_completed")),
        (ChangeKind.DELETED, Metric("checkout-completed", "Checkout Completed", "checkout_completed", archived=True)),
    )

    def sample(self, kind: ChangeKind) -> Any:
        changes = None
        if kind in CHANGED:
            field, before, after = CHANGED[kind]
            change = {"type": "EventDefinition", "action": "changed", "field": field, "before": before, "after": after}
            changes = [change]
        return self._entry(kind, "EventDefinition", ACTIVITIES.get(kind, "changed"), changes)

    def unknown(self) -> Any:
        return self._entry(ChangeKind.DEFINED, "FeatureFlag", "created", None)

    def _entry(self, kind: ChangeKind, scope: str, activity: str, changes: Any) -> Any:
        at = self.moment(kind).strftime("%Y-%m-%dT%H:%M:%S.000000")
        detail = {
            "id": None,
            "changes": changes,
            "merge": None,
            "trigger": None,
            "name": "checkout_completed",
            "short_id": None,
            "type": None,
        }
        event = {
            "uuid": "0196b2c0-0000-7000-8000-000000000000",
            "event": "$activity_log_entry_created",
            "distinct_id": "team_1",
            "properties": {
                "id": "0196b2c0-0000-7000-8000-000000000001",
                "user": {"first_name": "Ada", "email": "ada@example.com"},
                "activity": activity,
                "scope": scope,
                "item_id": "0196b2c0-0000-7000-8000-000000000002",
                "detail": detail,
                "created_at": f"{at}Z",
            },
            "timestamp": at,
            "elements_chain": "",
            "url": "https://us.posthog.com/projects/1/events/0196b2c0-0000-7000-8000-000000000000",
        }
        person = {"id": "1", "name": "Ada", "properties": {"email": "ada@example.com"}, "url": "https://us.posthog.com"}
        return {"event": event, "person": person}
