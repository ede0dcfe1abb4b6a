"""PostHog. The body is the default one of its webhook destination, around an entry of the activity log.

https://posthog.com/docs/data-pipelines/destinations/webhook
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from connector.event_types import ChangeKind, EventType
from connector.partners.asking import bearer

from .contract import PartnerContract
from .source_contract import SourceContract, filled_in
from .stand_in import Asked
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


class TestPostHogSource(SourceContract):
    partner = "posthog"
    credential = filled_in(api_key="canary-9c", project_id="1")
    calls = 2
    event_types = (
        EventType(
            id="0196b2b0-0001-7000-8000-000000000001",
            key="checkout_completed",
            description="An order is paid.",
            tags=("checkout",),
        ),
        EventType(id="0196b2b0-0001-7000-8000-000000000002", key="signed_up"),
    )

    def items(self) -> Sequence[Any]:
        definitions: list[Any] = self.sample("list")["results"]
        return definitions

    def answer(self, asked: Asked, items: Sequence[Any]) -> Any:
        asked.demand(**bearer("canary-9c"))
        assert (asked.method, asked.path) == ("GET", "/api/projects/1/event_definitions/")
        assert (asked.query["event_type"], asked.query["exclude_hidden"]) == ("event_custom", "true")
        offset = int(asked.query.get("offset", "0"))
        end = offset + min(1, int(asked.query["limit"]))
        following = f"{asked.root}{asked.path}?{urlencode({**asked.query, 'offset': end})}"
        counts = {"count": len(items), "count_is_capped": False, "previous": None}
        return counts | {"next": following if end < len(items) else None, "results": items[offset:end]}
