"""Acme, by bodies as its documentation shows them. Copy it to tests/partners/."""

from __future__ import annotations

from typing import Any

from connector.event_types import ChangeKind

from .contract import PartnerContract
from .wired import Metric

EVENTS = {
    ChangeKind.DEFINED: ("event.created", "cart_emptied", "Cart Emptied"),
    ChangeKind.RENAMED: ("event.renamed", "cart_cleared", "Cart Cleared"),
    ChangeKind.ARCHIVED: ("event.removed", "cart_cleared", "Cart Cleared"),
}


class TestAcme(PartnerContract):
    """The contract has the cases: forgeries, replays, wrong types, hostile values, and the story below."""

    partner = "acme"
    story = (
        (ChangeKind.DEFINED, Metric("cart-emptied", "Cart Emptied", "cart_emptied")),
        (ChangeKind.RENAMED, Metric("cart-emptied", "Cart Cleared", "cart_cleared")),
        (ChangeKind.ARCHIVED, Metric("cart-emptied", "Cart Cleared", "cart_cleared", archived=True)),
    )

    def sample(self, kind: ChangeKind) -> Any:
        event, slug, label = EVENTS[kind]
        payload = {"id": "77", "slug": slug, "label": label, "notes": "A cart was emptied."}
        return {"event": event, "at": self.moment(kind).isoformat(), "payload": payload}

    def unknown(self) -> Any:
        return {"event": "member.invited", "at": "2026-01-01T00:00:00Z", "payload": {"id": "9"}}
