"""Segment's forwarded audit trail.

The bodies are the examples of https://github.com/segmentio/functions-library/tree/master/sources/audit-forwarding
"""

from __future__ import annotations

from typing import Any

from connector.event_types import ChangeKind

from .contract import PartnerContract, encode
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
