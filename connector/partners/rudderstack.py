"""RudderStack: the events of a workspace's data catalogue. RudderStack sends no webhook about them: import only.

A track event's `name` is what RudderStack's SDKs send. This module does no I/O and must never know LaunchDarkly.
Source: https://www.rudderstack.com/docs/api/data-catalog-api/data-catalog/#list-all-events
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from marshmallow import fields, validate

from connector.event_types import EventType
from connector.partners.asking import address, bearer
from connector.partners.fields import Key, PartnerSchema, Text, load
from connector.partners.partner import CredentialField, ListApi, Page, Partner, PayloadRefused, Request

TRACK = "track"  # `eventType`; the others (identify, group, page, screen) have no name of their own

_BASE_URL = "https://api.rudderstack.com"


class EventSchema(PartnerSchema):
    event_type = Text(data_key="eventType", allow_none=True, load_default=None, longest=100)


class TrackSchema(PartnerSchema):
    id = Key(required=True)
    name = Key(required=True)
    description = Text(allow_none=True)


class ListSchema(PartnerSchema):
    data = fields.List(fields.Dict(), required=True)
    total = fields.Integer(required=True, strict=True, validate=validate.Range(min=0))
    page = fields.Integer(required=True, strict=True, data_key="currentPage", validate=validate.Range(min=1))
    size = fields.Integer(required=True, strict=True, data_key="pageSize", validate=validate.Range(min=1))


_list, _event, _track = ListSchema(), EventSchema(), TrackSchema()


def first(credential: Mapping[str, str]) -> Request:
    return _page(credential, 1)


def parse(answer: Any, asked: Request, credential: Mapping[str, str]) -> Page:
    """One page; RudderStack numbers them and counts the events. Raises `PayloadRefused`."""
    listed = load(_list, answer)
    page, size, before = listed["page"], listed["size"], (listed["page"] - 1) * listed["size"]
    if asked != _page(credential, page):
        raise PayloadRefused({"currentPage": ["Is not the page that was asked for."]})
    if len(listed["data"]) != max(0, min(size, listed["total"] - before)):
        raise PayloadRefused({"data": ["Has more or fewer events than total and pageSize say."]})
    event_types = tuple(
        _event_type(load(_track, event, within=f"data.{at}"))
        for at, event in enumerate(listed["data"])
        if load(_event, event, within=f"data.{at}")["event_type"] == TRACK
    )
    following = _page(credential, page + 1) if before + size < listed["total"] else None
    return Page(event_types, following, listed["total"])


def _event_type(event: Mapping[str, Any]) -> EventType:
    return EventType(
        id=event["id"],
        key=event["name"],
        description=event["description"] or "" if "description" in event else None,
    )


def _page(credential: Mapping[str, str], number: int) -> Request:
    """The oldest first, so that what is made meanwhile comes last and moves nothing to a page that was read."""
    query = urlencode({"page": number, "orderBy": "createdAt:asc"})
    base_url = address(credential, "base_url", _BASE_URL)
    return Request(f"{base_url}/v2/catalog/events?{query}", bearer(credential["token"]))


VERIFIED = (
    "address, authorisation, paging and answer by RudderStack's documentation; not tried against a live workspace"
)

PARTNER = Partner(
    name="rudderstack",
    title="RudderStack",
    list_api=ListApi(
        credential=(
            CredentialField("token", "Service access token of the workspace", secret=True),
            CredentialField("base_url", "API address", default=_BASE_URL),
        ),
        first=first,
        parse=parse,
        verified=VERIFIED,
    ),
    weaknesses=(
        "RudderStack announces no change: import the catalogue, and let it be synced.",
        (
            "RudderStack documents that it gives at most 50 pages, which are 2,500 events: a larger catalogue may be "
            "refused as a whole, never read in part."
        ),
        "Nothing is said of values: a rule has to set any measure but the occurrence.",
        "RudderStack documents no rate.",
    ),
    verified=VERIFIED,
)
