"""Amplitude: the event types of a project's taxonomy. Amplitude sends no webhook about them: import only.

`event_type` is what Amplitude's SDKs send. This module does no I/O and must never know LaunchDarkly.
Source: https://amplitude.com/docs/apis/analytics/taxonomy
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import fields, validate

from connector.event_types import EventType
from connector.partners.asking import address, basic
from connector.partners.fields import Key, PartnerSchema, Text, load
from connector.partners.partner import CredentialField, ListApi, Page, Partner, Request

_BASE_URL = "https://amplitude.com"


class EventSchema(PartnerSchema):
    """The documented example has no more than `event_type`, `category` and `description`."""

    event_type = Key(required=True)
    display_name = Text(allow_none=True)
    description = Text(allow_none=True)
    tags = fields.List(Text(longest=200), allow_none=True)
    is_active = fields.Boolean(truthy={True}, falsy={False}, allow_none=True, load_default=None)


class ListSchema(PartnerSchema):
    success = fields.Boolean(required=True, truthy={True}, falsy={False}, validate=validate.Equal(comparable=True))
    data = fields.List(fields.Nested(EventSchema), required=True)


_list = ListSchema()


def first(credential: Mapping[str, str]) -> Request:
    """All event types of the project at once, without those that were deleted."""
    base_url = address(credential, "base_url", _BASE_URL)
    return Request(f"{base_url}/api/2/taxonomy/event", basic(credential["api_key"], credential["secret_key"]))


def parse(answer: Any, _asked: Request, _credential: Mapping[str, str]) -> Page:
    """The whole taxonomy in one page; what is marked inactive is left out. Raises `PayloadRefused`."""
    events = load(_list, answer)["data"]
    return Page(tuple(_event_type(event) for event in events if event["is_active"] is not False))


def _event_type(event: Mapping[str, Any]) -> EventType:
    return EventType(
        key=event["event_type"],
        name=event["display_name"] or "" if "display_name" in event else None,
        description=event["description"] or "" if "description" in event else None,
        tags=tuple(event["tags"] or ()) if "tags" in event else None,
    )


VERIFIED = (
    "address, authorisation and answer by Amplitude's documentation; display name, tags and activity are "
    "documented for writing only; not tried against a live project"
)

PARTNER = Partner(
    name="amplitude",
    title="Amplitude",
    list_api=ListApi(
        credential=(
            CredentialField("api_key", "API key of the project"),
            CredentialField("secret_key", "Secret key of the project", secret=True),
            CredentialField("base_url", "API address", default=_BASE_URL),
        ),
        first=first,
        parse=parse,
        per_second=2,
        verified=VERIFIED,
    ),
    weaknesses=(
        "Amplitude announces no change: import the catalogue, and let it be synced.",
        "The Taxonomy API needs the Enterprise plan or the Govern add-on.",
        "An event type has no id: a renamed one is a new one, and the old one is archived.",
        "Nothing is said of values: a rule has to set any measure but the occurrence.",
    ),
    verified=VERIFIED,
)
