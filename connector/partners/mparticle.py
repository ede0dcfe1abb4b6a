"""mParticle: the custom events of a data plan that is active in production. Nothing announces them: import only.

A custom event's `event_name` is what mParticle's SDKs send. This module does no I/O and must never know LaunchDarkly.
Source: https://docs.mparticle.com/developers/apis/dataplanning-api/
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from marshmallow import fields

from connector.event_types import EventType
from connector.partners.asking import address, bearer, segment
from connector.partners.fields import Key, PartnerSchema, Text, load
from connector.partners.json_schema import value_at
from connector.partners.partner import (
    CredentialField,
    ListApi,
    Page,
    Partner,
    PayloadRefused,
    Request,
    TokenExchange,
)

CUSTOM_EVENT = "custom_event"  # `match.type`; screen views, commerce and user attributes have no name of one's own
PRODUCTION = "production"  # `activated_environment`, in force for real users; the others are `development` and `none`
ATTRIBUTES = ("properties", "data", "properties", "custom_attributes")  # where a validator's JSON Schema has them

_BASE_URL = "https://api.mparticle.com"
_TOKEN_URL = "https://sso.auth.mparticle.com"  # noqa: S105 - an address
_AUDIENCE = "https://api.mparticle.com"  # the same whatever the address


class TokenSchema(PartnerSchema):
    token = Text(data_key="access_token", required=True, shortest=1)


class CriteriaSchema(PartnerSchema):
    event_name = Key(required=True)


class ValidatorSchema(PartnerSchema):
    definition = fields.Raw(allow_none=True, load_default=None)


class MatchSchema(PartnerSchema):
    type = Text(required=True, longest=100)
    criteria = fields.Raw(allow_none=True, load_default=None)


class PointSchema(PartnerSchema):
    match = fields.Nested(MatchSchema, required=True)


class EventPointSchema(PartnerSchema):
    description = Text(allow_none=True, load_default=None)
    validator = fields.Nested(ValidatorSchema, load_default=dict)


class DocumentSchema(PartnerSchema):
    data_points = fields.List(fields.Dict(), required=True)


class VersionSchema(PartnerSchema):
    version = fields.Integer(required=True, strict=True)
    environment = Text(data_key="activated_environment", required=True, longest=100)
    document = fields.Raw(data_key="version_document", allow_none=True, load_default=None)


class PlanSchema(PartnerSchema):
    id = Key(data_key="data_plan_id", required=True)
    versions = fields.List(fields.Nested(VersionSchema), data_key="data_plan_versions", required=True)


_token, _plan, _document = TokenSchema(), PlanSchema(), DocumentSchema()
_point, _criteria, _event_point = PointSchema(), CriteriaSchema(), EventPointSchema()


def ask_token(credential: Mapping[str, str]) -> Request:
    """OAuth's client credentials: https://docs.mparticle.com/developers/credential-management/"""
    body = {
        "client_id": credential["client_id"],
        "client_secret": credential["client_secret"],
        "audience": _AUDIENCE,
        "grant_type": "client_credentials",
    }
    return Request(
        f"{address(credential, 'token_url', _TOKEN_URL)}/oauth/token",
        {"Content-Type": "application/json"},
        method="POST",
        body=json.dumps(body).encode(),
    )


def read_token(answer: Any) -> dict[str, str]:
    return {"token": load(_token, answer)["token"]}


def first(credential: Mapping[str, str]) -> Request:
    """One data plan with all its versions: the list of the plans comes without their data points."""
    base_url = address(credential, "base_url", _BASE_URL)
    workspace, plan = segment(credential["workspace_id"]), segment(credential["plan_id"])
    return Request(f"{base_url}/platform/v2/workspaces/{workspace}/plans/{plan}", bearer(credential["token"]))


def parse(answer: Any, _asked: Request, credential: Mapping[str, str]) -> Page:
    """The custom events of all versions that are active in production, which may be several, the newest one's first.

    Raises `PayloadRefused`, also where none is: an empty list would archive every metric.
    """
    plan = load(_plan, answer)
    if plan["id"] != credential["plan_id"]:
        raise PayloadRefused({"data_plan_id": ["Is not the plan that was asked for."]})
    active = [(at, version) for at, version in enumerate(plan["versions"]) if version["environment"] == PRODUCTION]
    if not active:
        raise PayloadRefused({"data_plan_versions": ["None is active in production: activate one in mParticle."]})
    newest_first = sorted(active, key=lambda each: each[1]["version"], reverse=True)
    return Page(
        tuple(
            event_type
            for at, version in newest_first
            for event_type in _event_types(version["document"], f"data_plan_versions.{at}.version_document")
        )
    )


def _event_types(document: Any, within: str) -> list[EventType]:
    points = load(_document, document, within=within)["data_points"]
    found = [_event_type(point, f"{within}.data_points.{number}") for number, point in enumerate(points)]
    return [event_type for event_type in found if event_type is not None]


def _event_type(point: Any, within: str) -> EventType | None:
    match = load(_point, point, within=within)["match"]
    if match["type"] != CUSTOM_EVENT:
        return None
    criteria = load(_criteria, match["criteria"], within=f"{within}.match.criteria")
    event = load(_event_point, point, within=within)
    return EventType(
        key=criteria["event_name"],
        description=event["description"] or "",
        value=value_at(ATTRIBUTES, event["validator"].get("definition"), within=f"{within}.validator.definition"),
    )


VERIFIED = (
    "token, address and answer by mParticle's documentation and OpenAPI document; not tried against a live workspace"
)

PARTNER = Partner(
    name="mparticle",
    title="mParticle",
    list_api=ListApi(
        credential=(
            CredentialField("workspace_id", "Workspace id"),
            CredentialField("plan_id", "Data plan id"),
            CredentialField("client_id", "Client id of an API credential for Data Planning"),
            CredentialField("client_secret", "Its client secret", secret=True),
            CredentialField("base_url", "API address", default=_BASE_URL),
            CredentialField("token_url", "Address that gives the token", default=_TOKEN_URL),
        ),
        exchange=TokenExchange(ask=ask_token, read=read_token),
        first=first,
        parse=parse,
        per_second=50,
        verified=VERIFIED,
    ),
    weaknesses=(
        "mParticle announces no change: import the catalogue, and let it be synced.",
        "A connection reads one data plan: make one for each.",
        "A custom event has no id: a renamed one is a new one, and the old one is archived.",
        "Only custom events are read: screen views, commerce and user attributes have no event key of their own.",
        "A plan does not say which number is an event's value: it is taken only if there is exactly one.",
    ),
    verified=VERIFIED,
)
