"""Hightouch: the events of a workspace's event contracts. Hightouch sends no webhook about them: import only.

A track event's `name` is what Hightouch's SDKs send. This module does no I/O and must never know LaunchDarkly.
Source: https://hightouch.com/docs/api-reference#operation/ListContracts
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from marshmallow import fields

from connector.event_types import EventType
from connector.partners.asking import address, bearer
from connector.partners.fields import Key, PartnerSchema, Text, load
from connector.partners.json_schema import value_at
from connector.partners.partner import CredentialField, ListApi, Page, Partner, PayloadRefused, Request

TRACK = "track"  # `type`; the others (identify, page, screen, group) have no name of their own
CARRIED = ("properties", "properties")  # an event's schema is that of the whole message, this what the event carries

_PER_PAGE = 100
_BASE_URL = "https://api.hightouch.com"


class EventSchema(PartnerSchema):
    type = Text(required=True, longest=100)


class TrackSchema(PartnerSchema):
    name = Key(required=True)
    schema = fields.Dict(required=True)


class DescribedSchema(PartnerSchema):
    description = Text(allow_none=True, load_default=None)


class ContractSchema(PartnerSchema):
    events = fields.List(fields.Dict(), load_default=list)


class ListSchema(PartnerSchema):
    data = fields.List(fields.Nested(ContractSchema), required=True)
    has_more = fields.Boolean(data_key="hasMore", truthy={True}, falsy={False})


_list, _event, _track, _described = ListSchema(), EventSchema(), TrackSchema(), DescribedSchema()


def first(credential: Mapping[str, str]) -> Request:
    """The contracts in the order of their ids, so that a new one moves nothing to a page that was read."""
    return _page(credential, 0)


def parse(answer: Any, asked: Request, credential: Mapping[str, str]) -> Page:
    """One page of contracts. Raises `PayloadRefused`.

    `hasMore` stands in the documented example, not in the documented schema: where it is missing, only an empty page
    ends the list.
    """
    listed = load(_list, answer)
    contracts = listed["data"]
    event_types = tuple(
        _event_type(event, f"data.{at}.events.{number}")
        for at, contract in enumerate(contracts)
        for number, event in enumerate(contract["events"])
        if load(_event, event, within=f"data.{at}.events.{number}")["type"] == TRACK
    )
    if not listed.get("has_more", bool(contracts)):
        return Page(event_types)
    if not contracts:
        raise PayloadRefused({"data": ["Is empty, though there is more."]})
    offset = int(parse_qs(urlsplit(asked.url).query)["offset"][0])
    return Page(event_types, _page(credential, offset + len(contracts)))


def _event_type(event: Any, within: str) -> EventType:
    track, schema = load(_track, event, within=within), f"{within}.schema"
    return EventType(
        key=track["name"],
        description=load(_described, track["schema"], within=schema)["description"] or "",
        value=value_at(CARRIED, track["schema"], within=schema),
    )


def _page(credential: Mapping[str, str], offset: int) -> Request:
    query = urlencode({"limit": _PER_PAGE, "offset": offset, "orderBy": "id"})
    base_url = address(credential, "base_url", _BASE_URL)
    return Request(f"{base_url}/api/v1/events/contracts?{query}", bearer(credential["api_key"]))


VERIFIED = (
    "address, authorisation, paging and answer by Hightouch's OpenAPI document; hasMore by its example only; "
    "not tried against a live workspace"
)

PARTNER = Partner(
    name="hightouch",
    title="Hightouch",
    list_api=ListApi(
        credential=(
            CredentialField("api_key", "API key of the workspace", secret=True),
            CredentialField("base_url", "API address", default=_BASE_URL),
        ),
        first=first,
        parse=parse,
        per_second=20,
        verified=VERIFIED,
    ),
    weaknesses=(
        "Hightouch announces no change: import the catalogue, and let it be synced.",
        "An event has no id: a renamed one is a new one, and the old one is archived.",
        "An event that stands in several contracts or versions counts as the first one that is listed says.",
        "A contract does not say which number is an event's value: it is taken only if there is exactly one.",
    ),
    verified=VERIFIED,
)
