"""Segment's forwarded audit trail.

The bodies are the examples of https://github.com/segmentio/functions-library/tree/master/sources/audit-forwarding
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connector.event_types import ChangeKind, EventType, Value
from connector.partners.asking import bearer

from .contract import PartnerContract, encode
from .source_contract import SourceContract, filled_in
from .stand_in import Asked
from .wired import Metric

SOURCE = {"resource_id": "LAn9KpdvNZ", "resource_type": "source", "source_id": "LAn9KpdvNZ", "target": "JavaScript"}
AUDITS = {
    ChangeKind.DEFINED: (
        "New Event Allowed",
        {
            "blocked": "false",
            "message_id": "0064",
            "name": "Space Modified",
            "planned": "false",
            "source_name": "JavaScript",
            "source_slug": "javascript",
            "tracking_plan_connected": "false",
            "tracking_plan_id": "",
            "type": "track",
        },
    ),
    ChangeKind.ARCHIVED: ("Schema Event Blocked", {"description": "`Space Modified` set to block"}),
    ChangeKind.RESTORED: ("Schema Event Allowed", {"description": "`Space Modified` set to allow"}),
}


class TestSegment(PartnerContract):
    partner = "segment"
    tolerance = None
    story = (
        (ChangeKind.DEFINED, Metric("space-modified", "Space Modified", "Space Modified")),
        (ChangeKind.ARCHIVED, Metric("space-modified", "Space Modified", "Space Modified", archived=True)),
    )

    def sample(self, kind: ChangeKind) -> Any:
        type_, details = AUDITS[kind]
        return self._audit(kind, type_, SOURCE | details)

    def unknown(self) -> Any:
        return self._audit(ChangeKind.DEFINED, "Source Created", SOURCE)

    def test_only_the_first_event_of_a_batch_is_signed_and_only_that_is_read(self) -> None:
        first = self.sample(ChangeKind.DEFINED)
        batch = [first, self.sample(ChangeKind.ARCHIVED)]
        refused, believed = self.altered(encode(batch))
        assert len(refused) >= len(encode(first))
        assert believed == []
        self.send(batch)
        assert self.customer.metrics() == {metric for kind, metric in self.story if kind is ChangeKind.DEFINED}

    def _audit(self, kind: ChangeKind, type_: str, details: Any) -> Any:
        at = self.moment(kind).strftime("%Y-%m-%dT%H:%M:%S")
        return {
            "channel": "server",
            "context": {"library": {"name": "unknown", "version": "unknown"}},
            "event": "Audit",
            "integrations": {},
            "messageId": f"api-{type_.replace(' ', '-')}",
            "originalTimestamp": f"{at}Z",
            "properties": {"details": details, "type": type_, "workspace_id": "VWDxzzIpI5"},
            "receivedAt": f"{at}.791Z",
            "replay": True,
            "timestamp": f"{at}.000Z",
            "type": "track",
            "userId": "__system__",
        }


class TestSegmentSource(SourceContract):
    """The cursor is opaque to who asks: here it is where the page begins."""

    partner = "segment"
    credential = filled_in(token="canary-9c", tracking_plan_id="tp_1")
    calls = 2
    event_types = (EventType(key="Order Completed", description="An order was paid."), EventType(key="Cart Viewed"))

    def items(self) -> Sequence[Any]:
        rules: list[Any] = self.sample("rules")["data"]["rules"]
        return rules

    def answer(self, asked: Asked, items: Sequence[Any]) -> Any:
        asked.demand(**bearer("canary-9c"), accept="application/vnd.segment.v1+json")
        assert (asked.method, asked.path) == ("GET", "/tracking-plans/tp_1/rules")
        begin = int(asked.query.get("pagination.cursor", "0"))
        end = begin + min(2, int(asked.query["pagination.count"]))
        pagination = {"current": str(begin), "totalEntries": len(items)}
        following = {"next": str(end)} if end < len(items) else {}
        return {"data": {"rules": items[begin:end], "pagination": pagination | following}}

    def test_the_only_number_that_an_event_carries_is_its_value(self) -> None:
        first, *others = self.items()
        carried = {"properties": {"type": "object", "properties": {"total": {"type": "number"}}}}
        self.serve([first | {"jsonSchema": first["jsonSchema"] | {"properties": carried}}, *others])
        completed, viewed = self.fetch().event_types
        assert (completed.value, viewed.value) == (Value(property="total"), None)
