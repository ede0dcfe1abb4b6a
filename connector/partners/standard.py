"""The native protocol, for a partner that has no webhook of event types yet.

The envelope is Standard Webhooks 1.0 (https://www.standardwebhooks.com), so that any of its libraries can send it;
Python partners may sign with `itsdangerous` instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from connector.event_types import NO_VALUE, Catalogue, Change, ChangeKind, EventType, Value
from connector.partners.fields import Key, Moment, PartnerSchema, Text, load
from connector.partners.partner import Partner, Reading, Skip, Webhook
from connector.signatures import STANDARD_WEBHOOKS, AnyOf, TimestampSignature

KINDS = {
    "event_type.defined": ChangeKind.DEFINED,
    "event_type.created": ChangeKind.DEFINED,
    "event_type.renamed": ChangeKind.RENAMED,
    "event_type.updated": ChangeKind.UPDATED,
    "event_type.archived": ChangeKind.ARCHIVED,
    "event_type.restored": ChangeKind.RESTORED,
    "event_type.deleted": ChangeKind.DELETED,
}
CATALOGUE = "event_type.catalogue"

JSON_TYPES = ("number", "integer", "string", "boolean", "object", "array", "null", "none")


class ValueSchema(PartnerSchema):
    property = Key(load_default=None, allow_none=True)
    type = Text(load_default="number", choices=JSON_TYPES)
    unit = Text(load_default=None, allow_none=True, longest=100)


class EventTypeSchema(PartnerSchema):
    id = Key(allow_none=True)
    key = Key(allow_none=True)
    name = Text(allow_none=True)
    description = Text(allow_none=True)
    value = fields.Nested(ValueSchema, allow_none=True)
    tags = fields.List(Text(longest=200), allow_none=True, validate=validate.Length(max=200))
    url = Text(allow_none=True, longest=2048)

    @validates_schema
    def identified(self, data: Mapping[str, Any], **_: Any) -> None:
        if not data.get("id") and not data.get("key"):
            raise ValidationError("An event type needs an id or a key.", "id")
        if not data.get("name") and not data.get("key"):
            raise ValidationError("An event type needs a name or a key.", "name")


class ChangeSchema(EventTypeSchema):
    previous_key = Key(allow_none=True)
    previous_name = Text(allow_none=True)
    version = fields.Integer(strict=True, allow_none=True, validate=validate.Range(min=0, max=2**63 - 1))
    workspace = Key(allow_none=True)


class CatalogueSchema(PartnerSchema):
    complete = fields.Boolean(required=True, truthy={True}, falsy={False})
    event_types = fields.List(fields.Nested(EventTypeSchema), required=True)
    workspace = Key(allow_none=True)


class EnvelopeSchema(PartnerSchema):
    type = Text(required=True, longest=200, shortest=1)
    timestamp = Moment(allow_none=True)
    data = fields.Dict(required=True)


_envelope, _change, _catalogue = EnvelopeSchema(), ChangeSchema(), CatalogueSchema()


def read(payload: Any, _headers: Mapping[str, str]) -> Reading:
    """A webhook of the native protocol. Raises `PayloadRefused`."""
    envelope = load(_envelope, payload)
    kind = KINDS.get(envelope["type"])
    if kind is None and envelope["type"] != CATALOGUE:
        return Reading(skips=(Skip(envelope["type"], "not an event of the native protocol"),))
    occurred_at = envelope.get("timestamp")
    if kind is None:
        return Reading(catalogue=catalogue(envelope["data"], occurred_at=occurred_at, within="data"))
    data = load(_change, envelope["data"], within="data")
    change = Change(
        kind=kind,
        event_type=_event_type(data),
        occurred_at=occurred_at,
        sequence=data.get("version"),
        previous_key=data.get("previous_key"),
        previous_name=data.get("previous_name"),
        workspace=data.get("workspace"),
    )
    return Reading(changes=(change,))


def catalogue(payload: Any, *, occurred_at: datetime | None = None, within: str | None = None) -> Catalogue:
    """The `data` of `event_type.catalogue`, which is also our catalogue file. Raises `PayloadRefused`."""
    data = load(_catalogue, payload, within=within)
    return Catalogue(
        event_types=tuple(_event_type(each) for each in data["event_types"]),
        complete=data["complete"],
        occurred_at=occurred_at,
        workspace=data.get("workspace"),
    )


def _event_type(data: Mapping[str, Any]) -> EventType:
    """A field that is absent was not stated; `null` states that there is none."""
    value = data.get("value")
    return EventType(
        id=data.get("id"),
        key=data.get("key"),
        name=data.get("name"),
        description="" if "description" in data and data["description"] is None else data.get("description"),
        value=Value(**value) if value else (NO_VALUE if "value" in data else None),
        tags=tuple(data["tags"] or ()) if "tags" in data else None,
        url="" if "url" in data and data["url"] is None else data.get("url"),
    )


def compose(type_: str, data: Any, now: datetime) -> Any:
    return {"type": type_, "timestamp": now.astimezone(UTC).isoformat().replace("+00:00", "Z"), "data": data}


WEBHOOK = Webhook(
    scheme=AnyOf((STANDARD_WEBHOOKS, TimestampSignature())),
    read=read,
    kinds=tuple(ChangeKind),
    compose=compose,
)
PARTNER = Partner(
    name="standard",
    title="Standard Webhooks",
    webhook=WEBHOOK,
    weaknesses=(
        "An itsdangerous signature covers no message id: a delivery is known again only by its bytes.",
        "An event type without an id is known by its keys: renames that overtake one another can split it in two.",
    ),
    verified="our own protocol; the envelope by the specification's vector and its reference libraries",
)
