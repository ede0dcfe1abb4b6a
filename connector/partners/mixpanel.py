"""Mixpanel: the event schemas of a project's Lexicon. Mixpanel sends no webhook about them: import only.

A schema's `name` is what Mixpanel's SDKs send. This module does no I/O and must never know LaunchDarkly.
Source: https://docs.mixpanel.com/reference/list-schemas-for-entity
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import fields

from connector.event_types import EventType
from connector.partners.asking import address, basic, segment
from connector.partners.fields import Key, PartnerSchema, Text, load
from connector.partners.json_schema import ObjectSchema, value_of
from connector.partners.partner import CredentialField, ListApi, Page, Partner, Request

ENTITY = "event"  # `entityType`; the other one is `profile`

_BASE_URL = "https://mixpanel.com"


class OwnSchema(PartnerSchema):
    """What stands under `metadata` for Mixpanel alone."""

    display_name = Text(data_key="displayName", allow_none=True, load_default=None)
    tags = fields.List(Text(longest=200), allow_none=True, load_default=None)
    hidden = fields.Boolean(truthy={True}, falsy={False}, allow_none=True, load_default=None)
    dropped = fields.Boolean(truthy={True}, falsy={False}, allow_none=True, load_default=None)


class MetadataSchema(PartnerSchema):
    own = fields.Nested(OwnSchema, data_key="com.mixpanel", allow_none=True)


class EventJsonSchema(ObjectSchema):
    metadata = fields.Nested(MetadataSchema, allow_none=True, load_default=None)


class EntrySchema(PartnerSchema):
    entity_type = Text(data_key="entityType", required=True, longest=100)
    name = Key(required=True)
    schema = fields.Nested(EventJsonSchema, data_key="schemaJson", required=True)


class ListSchema(PartnerSchema):
    status = Text(required=True, choices=["ok"])
    results = fields.List(fields.Nested(EntrySchema), required=True)


_list, _nothing_own = ListSchema(), OwnSchema().load({})


def first(credential: Mapping[str, str]) -> Request:
    """The schemas of all events at once."""
    base_url = address(credential, "base_url", _BASE_URL)
    return Request(
        f"{base_url}/api/app/projects/{segment(credential['project_id'])}/schemas/event",
        basic(credential["account"], credential["secret"]),
    )


def parse(answer: Any, _asked: Request, _credential: Mapping[str, str]) -> Page:
    """The whole Lexicon in one page, without Mixpanel's own, hidden and dropped events. Raises `PayloadRefused`."""
    entries = [entry for entry in load(_list, answer)["results"] if entry["entity_type"] == ENTITY]
    return Page(tuple(_event_type(entry) for entry in entries if _is_in_use(entry)))


def _is_in_use(entry: Mapping[str, Any]) -> bool:
    own = _own(entry)
    return not entry["name"].startswith("$") and not own["hidden"] and not own["dropped"]


def _event_type(entry: Mapping[str, Any]) -> EventType:
    """An entry is all there is of its event, so that what it does not have, there is not."""
    schema, own = entry["schema"], _own(entry)
    return EventType(
        key=entry["name"],
        name=own["display_name"] or "",
        description=schema.get("description") or "",
        value=value_of(schema.get("properties")),
        tags=tuple(own["tags"] or ()),
    )


def _own(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    own: Mapping[str, Any] = (entry["schema"]["metadata"] or {}).get("own") or _nothing_own
    return own


VERIFIED = "address, authorisation and answer by Mixpanel's OpenAPI document; not tried against a live project"

PARTNER = Partner(
    name="mixpanel",
    title="Mixpanel",
    list_api=ListApi(
        credential=(
            CredentialField("project_id", "Project id"),
            CredentialField("account", "Service account's username"),
            CredentialField("secret", "Service account's secret", secret=True),
            CredentialField("base_url", "API address", default=_BASE_URL),
        ),
        first=first,
        parse=parse,
        per_second=5 / 60,
        verified=VERIFIED,
    ),
    weaknesses=(
        "Mixpanel announces no change: import the catalogue, and let it be synced.",
        (
            "The list has only events with a schema: those that Mixpanel has merely received are missing until "
            "somebody describes, tags or uploads them."
        ),
        "An event has no id: a renamed one is a new one, and the old one is archived.",
        "A schema does not say which number is an event's value: it is taken only if there is exactly one.",
        "Mixpanel allows 5 requests a minute per organisation: do not sync many projects of one at the same time.",
    ),
    verified=VERIFIED,
)
