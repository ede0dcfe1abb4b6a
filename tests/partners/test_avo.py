"""Avo. The body is the sample of https://www.avo.app/docs/publishing/publishing/webhook-publishing, with one event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connector.event_types import NO_VALUE, ChangeKind, EventType
from connector.partners.asking import basic

from .contract import PartnerContract
from .source_contract import SourceContract, filled_in
from .stand_in import Asked
from .wired import Metric


class TestAvo(PartnerContract):
    """A plan is a state: each sample is the whole of it, as it stands after the change."""

    partner = "avo"
    body_is_signed = False
    sender_has_ids = False
    story = (
        (ChangeKind.DEFINED, Metric("debugger-started", "Debugger Started", "Debugger Started")),
        (ChangeKind.RENAMED, Metric("debugger-started", "Debugger Opened", "Debugger Opened")),
        (ChangeKind.ARCHIVED, Metric("debugger-started", "Debugger Opened", "Debugger Opened", archived=True)),
        (ChangeKind.RESTORED, Metric("debugger-started", "Debugger Opened", "Debugger Opened")),
    )

    def sample(self, kind: ChangeKind) -> Any:
        event = {
            "id": "event_1",
            "name": "Debugger Started" if kind is ChangeKind.DEFINED else "Debugger Opened",
            "description": "Sent when the web debugger is started.",
            "tags": [],
            "categories": ["category_1"],
            "rules": {
                "$schema": "http://json-schema.org/draft-06/schema#",
                "type": "object",
                "required": ["properties", "nameMapping"],
                "properties": {
                    "properties": {
                        "type": "object",
                        "properties": {
                            "Origin": {
                                "id": "property_1",
                                "description": "Describes from where the debugger was started.",
                                "type": "string",
                                "enum": ["Option 1", "Option 2"],
                            },
                        },
                        "additionalProperties": False,
                        "required": ["Origin"],
                    }
                },
            },
        }
        return self._plan(kind, [] if kind is ChangeKind.ARCHIVED else [event], "main")

    def unknown(self) -> Any:
        return self._plan(ChangeKind.DEFINED, [], "branch-7")

    def _plan(self, kind: ChangeKind, events: Any, branch: str) -> Any:
        category = {"id": "category_1", "name": "Onboarding", "description": "", "events": ["event_1"]}
        return {
            "name": "Avo",
            "events": events,
            "metrics": {},
            "sources": {"source_1": {"id": "source_1", "name": "Web", "destinations": ["destination_1"]}},
            "destinations": {"destination_1": {"id": "mixpanel", "name": "Web Mixpanel", "type": "Mixpanel"}},
            "categories": {"category_1": category},
            "context": {
                "publishInfo": {
                    "branchId": "master" if branch == "main" else branch,
                    "branchName": branch,
                    "integrationId": "integration_1",
                    "integrationName": "Webhook",
                    "publishDate": self.moment(kind).strftime("%a, %d %b %Y %H:%M:%S GMT"),
                    "publishMethod": {"type": "Manual"},
                }
            },
        }


class TestAvoSource(SourceContract):
    """The export gives the document that the webhook publishes."""

    partner = "avo"
    credential = filled_in(workspace_id="ws_1", account="connector", secret="canary-9c")
    event_types = (
        EventType(
            id="ev_debugger",
            key="Mapped Event Name",
            name="Debugger Started",
            description="Sent when the web debugger is started.",
            value=NO_VALUE,
            tags=(),
        ),
    )

    def items(self) -> Sequence[Any]:
        events: list[Any] = self.sample("plan")["events"]
        return events

    def answer(self, asked: Asked, items: Sequence[Any]) -> Any:
        asked.demand(**basic("connector", "canary-9c"))
        assert (asked.method, asked.path) == ("GET", "/workspaces/ws_1/branches/main/export/v1")
        assert asked.query == {"payloadFormat": "jsonSchema"}
        return self.sample("plan") | {"events": items}
