"""Acme: its webhooks about event types, as https://docs.example.com/webhooks describes them.

Copy it to connector/partners/, and write here what the product is and what it calls an event type.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from marshmallow import fields

from connector.event_types import Change, ChangeKind, EventType
from connector.partners.fields import Key, Moment, PartnerSchema, Text, load
from connector.partners.partner import Partner, Reading, Skip, Webhook
from connector.signatures import STANDARD_WEBHOOKS

# From the vendor's words to ours: a table that a person can check against the vendor's page.
KINDS = {
    "event.created": ChangeKind.DEFINED,
    "event.renamed": ChangeKind.RENAMED,
    "event.removed": ChangeKind.ARCHIVED,
}


class EventSchema(PartnerSchema):
    """What is read of one event type. Unknown fields are tolerated, wrong types of known ones are refused."""

    id = Key(required=True)
    slug = Key(required=True)  # exactly what Acme's SDK sends
    label = Text(required=True)
    notes = Text(allow_none=True)


class EnvelopeSchema(PartnerSchema):
    event = Text(required=True, longest=200, shortest=1)


class MessageSchema(PartnerSchema):
    at = Moment(required=True)
    payload = fields.Nested(EventSchema, required=True)


_envelope, _message = EnvelopeSchema(), MessageSchema()


def read(payload: Any, _headers: Mapping[str, str]) -> Reading:
    """A webhook of Acme. Raises `PayloadRefused`."""
    envelope = load(_envelope, payload)
    kind = KINDS.get(envelope["event"])
    if kind is None:
        return Reading(skips=(Skip(envelope["event"], "not an event about an event type"),))
    message = load(_message, payload)
    event = message["payload"]
    return Reading(
        changes=(
            Change(
                kind=kind,
                event_type=EventType(
                    id=event["id"],
                    key=event["slug"],
                    name=event["label"],
                    description=None if "notes" not in event else event["notes"] or "",
                ),
                occurred_at=message["at"],
            ),
        )
    )


def compose(type_: str, data: Any, now: datetime) -> Any:
    """The body that Acme would send, for `connector send`."""
    return {"event": type_, "at": now.astimezone(UTC).isoformat(), "payload": data}


PARTNER = Partner(
    name="acme",
    title="Acme",
    webhook=Webhook(scheme=STANDARD_WEBHOOKS, read=read, kinds=tuple(KINDS.values()), compose=compose),
    weaknesses=("Acme has no event for a restored event type: archive one by mistake and it stays archived.",),
    verified="the body by Acme's documentation; nothing was captured live",
)
