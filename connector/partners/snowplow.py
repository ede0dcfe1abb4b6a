"""Snowplow: the published event specifications of an organisation's Console. Nothing announces them: import only.

A specification's name is taken for the event key: what forwards the events to LaunchDarkly has to send that. This
module does no I/O and must never know LaunchDarkly.
Source: https://docs.snowplow.io/docs/event-studio/programmatic-management/event-specifications-api/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import fields

from connector.event_types import EventType
from connector.partners.asking import address, bearer, segment
from connector.partners.fields import Key, PartnerSchema, Text, load
from connector.partners.json_schema import ObjectSchema, value_of
from connector.partners.partner import (
    CredentialField,
    ListApi,
    Page,
    Partner,
    PayloadRefused,
    Request,
    TokenExchange,
)

PUBLISHED = "published"  # `status`; the others are `draft` and `deprecated`
ERROR = "Error"  # `errors[].type`; the other one is `Warning`

_BASE_URL = "https://console.snowplowanalytics.com"


class TokenSchema(PartnerSchema):
    token = Text(data_key="accessToken", required=True, shortest=1)


class EventSchema(PartnerSchema):
    schema = fields.Nested(ObjectSchema, allow_none=True, load_default=None)


class SpecificationSchema(PartnerSchema):
    id = Key(required=True)
    name = Key(required=True)
    status = Text(required=True, longest=100)
    description = Text(allow_none=True)
    event = fields.Nested(EventSchema, allow_none=True, load_default=None)


class ErrorSchema(PartnerSchema):
    type = Text(allow_none=True, load_default=None)


class ListSchema(PartnerSchema):
    data = fields.List(fields.Nested(SpecificationSchema), required=True)
    errors = fields.List(fields.Nested(ErrorSchema), load_default=list)


_token, _list = TokenSchema(), ListSchema()


def ask_token(credential: Mapping[str, str]) -> Request:
    """https://docs.snowplow.io/docs/account-management/"""
    headers = {"X-API-Key-ID": credential["api_key_id"], "X-API-Key": credential["api_key"]}
    return Request(f"{_organisation(credential)}/credentials/v3/token", headers)


def read_token(answer: Any) -> dict[str, str]:
    return {"token": load(_token, answer)["token"]}


def first(credential: Mapping[str, str]) -> Request:
    """All published specifications at once."""
    return Request(f"{_organisation(credential)}/event-specs/v1?status={PUBLISHED}", bearer(credential["token"]))


def parse(answer: Any, _asked: Request, _credential: Mapping[str, str]) -> Page:
    """The whole list in one page. Raises `PayloadRefused`, also for a list with an error beside it."""
    listed = load(_list, answer)
    if any(error["type"] == ERROR for error in listed["errors"]):
        raise PayloadRefused({"errors": ["Has an error, so that the list may lack something."]})
    return Page(tuple(_event_type(each) for each in listed["data"] if each["status"] == PUBLISHED))


def _event_type(specification: Mapping[str, Any]) -> EventType:
    schema = (specification["event"] or {}).get("schema") or {}
    return EventType(
        id=specification["id"],
        key=specification["name"],
        name=specification["name"],
        description=specification["description"] or "" if "description" in specification else None,
        value=value_of(schema.get("properties")),
    )


def _organisation(credential: Mapping[str, str]) -> str:
    base_url = address(credential, "base_url", _BASE_URL)
    return f"{base_url}/api/msc/v1/organizations/{segment(credential['organization_id'])}"


VERIFIED = (
    "token, address and answer by Snowplow's documentation; that all specifications come in one answer is "
    "read from it; not tried against a live organisation"
)

PARTNER = Partner(
    name="snowplow",
    title="Snowplow",
    list_api=ListApi(
        credential=(
            CredentialField("organization_id", "Organisation id"),
            CredentialField("api_key_id", "API key id"),
            CredentialField("api_key", "API key", secret=True),
            CredentialField("base_url", "Console's address", default=_BASE_URL),
        ),
        exchange=TokenExchange(ask=ask_token, read=read_token),
        first=first,
        parse=parse,
        verified=VERIFIED,
    ),
    weaknesses=(
        "Snowplow announces no change: import the catalogue, and let it be synced.",
        (
            "A specification's name is taken for the event key: enter it as the event name in the LaunchDarkly tag "
            "that forwards the event, otherwise the metric gets no data."
        ),
        "A specification does not say which number is an event's value: it is taken only if there is exactly one.",
        "Drafts and deprecated specifications are left out.",
        "Snowplow documents no rate.",
    ),
    verified=VERIFIED,
)
