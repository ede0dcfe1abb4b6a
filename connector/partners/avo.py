"""Avo: a published tracking plan, whole or only what changed of it, in the JSON Schema format.

The webhook and the export API give the same document. This module does no I/O, keeps no state, so that it never knows
what was there before, and must never know LaunchDarkly. Source: https://www.avo.app/docs/publishing/publishing/webhook-publishing
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from marshmallow import fields

from connector.event_types import Catalogue, ChangeKind, EventType, Value
from connector.partners.asking import address, basic, segment
from connector.partners.fields import Key, Moment, PartnerSchema, Text, load
from connector.partners.json_schema import value_of
from connector.partners.partner import (
    CredentialField,
    ListApi,
    Page,
    Partner,
    PayloadRefused,
    Reading,
    Request,
    Skip,
    Webhook,
)
from connector.partners.standard import CATALOGUE
from connector.partners.standard import KINDS as NATIVE
from connector.signatures import JwtBearer

EVERY_DESTINATION = "all"
MAIN_BRANCH = {"master", "main"}
# What the bodies of the other formats have at their top: Snowplow's schemas, and newline-delimited JSON as text.
SNOWPLOW = "eventSchemas"

LARGEST_PLAN = 16 * 1024 * 1024  # bytes

_BASE_URL = "https://api.avo.app"


class MappingSchema(PartnerSchema):
    name = Key(required=True)
    destination = Text(data_key="destinationId", required=True, longest=500)


class PropertySchema(PartnerSchema):
    type = fields.Raw(allow_none=True)
    system = fields.Raw(data_key="isSystemProperty", allow_none=True)
    const = fields.Raw(allow_none=True)
    enum = fields.Raw(allow_none=True)


class PropertiesSchema(PartnerSchema):
    properties = fields.Dict(keys=Key(), values=fields.Nested(PropertySchema), load_default=dict)


class TopSchema(PartnerSchema):
    properties = fields.Nested(PropertiesSchema)


class RulesSchema(PartnerSchema):
    """The sample says `nameMapping`, the table of fields `nameMappings`."""

    properties = fields.Nested(TopSchema)
    mapping = fields.List(fields.Nested(MappingSchema), data_key="nameMapping", load_default=list)
    mappings = fields.List(fields.Nested(MappingSchema), data_key="nameMappings", load_default=list)


class EventSchema(PartnerSchema):
    id = Key(required=True)
    name = Key(required=True)
    description = Text(allow_none=True)
    tags = fields.List(Text(longest=200))
    rules = fields.Nested(RulesSchema)
    type = Text(data_key="eventType", longest=100)


class PublishInfoSchema(PartnerSchema):
    branch_id = Text(data_key="branchId", allow_none=True)
    branch_name = Text(data_key="branchName", allow_none=True)
    date = Moment(data_key="publishDate", format="rfc", allow_none=True)


class ContextSchema(PartnerSchema):
    publish = fields.Nested(PublishInfoSchema, data_key="publishInfo", load_default=dict)


class PlanSchema(PartnerSchema):
    events = fields.List(fields.Nested(EventSchema), required=True)
    removed = fields.List(Key(), data_key="removedEvents")
    context = fields.Nested(ContextSchema, load_default=lambda: {"publish": {}})


_plan = PlanSchema()


def read(payload: Any, _headers: Mapping[str, str]) -> Reading:
    """A published plan. Raises `PayloadRefused`, also for the plan in another format.

    With `removedEvents` it is only what changed: there an event's absence says nothing. The message id is left to the
    body's hash, which holds the time of publishing.
    """
    plan = _load(payload)
    publish = plan["context"]["publish"]
    branch = publish.get("branch_name") or publish.get("branch_id")
    if branch and not MAIN_BRANCH & {publish.get("branch_id"), publish.get("branch_name")}:
        return Reading(skips=(Skip(f"branch {branch}"[:100], "only the main branch's plan is in force"),))
    catalogue = Catalogue(
        event_types=_event_types(plan),
        complete="removed" not in plan,
        removed=tuple(plan.get("removed", ())),
        occurred_at=publish.get("date"),
    )
    variants = len(plan["events"]) - len(catalogue.event_types)
    skip = Skip("variants", f"sent under the name of their event: {variants} in this plan")
    return Reading(catalogue=catalogue, skips=(skip,) if variants else ())


def _load(payload: Any) -> dict[str, Any]:
    if isinstance(payload, Mapping) and (SNOWPLOW in payload or isinstance(payload.get("events"), str)):
        raise PayloadRefused({"events": ["Are not in the JSON Schema format: choose that one in the integration."]})
    return load(_plan, payload)


def _event_types(plan: Mapping[str, Any]) -> tuple[EventType, ...]:
    return tuple(_event_type(event) for event in plan["events"] if event.get("type") != "variant")


def _event_type(event: Mapping[str, Any]) -> EventType:
    rules = event.get("rules", {})
    return EventType(
        id=event["id"],
        key=_key(event["name"], [*rules.get("mapping", ()), *rules.get("mappings", ())]),
        name=event["name"],
        description=event["description"] or "" if "description" in event else None,
        value=_value(rules),
        tags=tuple(event["tags"]) if "tags" in event else None,
    )


def _key(name: str, mappings: Sequence[Mapping[str, str]]) -> str:
    """What is sent as the event: the name for every destination, else the only other one, else the plan's."""
    everywhere = [mapping for mapping in mappings if mapping["destination"] == EVERY_DESTINATION]
    names = {mapping["name"] for mapping in everywhere or mappings}
    return names.pop() if len(names) == 1 else name


def _value(rules: Mapping[str, Any]) -> Value | None:
    """By the properties that the event's maker fills in, not Avo."""
    if "properties" not in rules:
        return None
    properties = rules["properties"].get("properties", {}).get("properties", {})
    return value_of({name: each for name, each in properties.items() if each.get("system") is not True})


def compose(type_: str, data: Any, now: datetime) -> Any:
    """What Avo would publish: of one event only what changed, of `event_type.catalogue` the plan.

    Raises `ValueError` for anything else.
    """
    kind = NATIVE.get(type_)
    if not isinstance(data, Mapping) or (kind is None and type_ != CATALOGUE):
        raise ValueError(f"Avo cannot publish {type_!r} with this data: it takes an event, or a catalogue of events.")
    partial = kind is not None or not data.get("complete", True)
    gone = kind in {ChangeKind.ARCHIVED, ChangeKind.DELETED}
    events = [data] if kind is not None else data.get("event_types", [])
    plan = {
        "name": "Metric Connector",
        "events": [] if gone else [_composed(event) for event in events],
        "context": {
            "publishInfo": {
                "branchId": "master",
                "branchName": "main",
                "integrationName": "Webhook",
                "publishDate": format_datetime(now.astimezone(UTC), usegmt=True),
                "publishMethod": {"type": "Manual"},
            }
        },
    }
    return plan | ({"removedEvents": [_name(data)] if gone else []} if partial else {})


def _name(event: Mapping[str, Any]) -> Any:
    name = event.get("name") or event.get("key")
    if not name:
        raise ValueError("Avo names an event: put a key or a name into the data.")
    return name


def _composed(event: Mapping[str, Any]) -> dict[str, Any]:
    name, value = _name(event), event.get("value") or {}
    properties = {value.get("property") or "value": {"type": value.get("type") or "number"}} if value else {}
    rules: dict[str, Any] = {
        "type": "object",
        "properties": {"properties": {"type": "object", "properties": properties}},
    }
    if event.get("key") not in (None, name):
        rules["nameMapping"] = [{"name": event["key"], "destinationId": EVERY_DESTINATION}]
    return {
        "id": event.get("id") or event.get("key") or name,
        "name": name,
        "description": event.get("description") or "",
        "tags": event.get("tags") or [],
        "rules": rules,
    }


def first(credential: Mapping[str, str]) -> Request:
    """The plan of the main branch: https://www.avo.app/docs/reference/public-api/export-tracking-plan"""
    base_url = address(credential, "base_url", _BASE_URL)
    workspace = segment(credential["workspace_id"])
    return Request(
        f"{base_url}/workspaces/{workspace}/branches/main/export/v1?payloadFormat=jsonSchema",
        basic(credential["account"], credential["secret"]),
    )


def parse(answer: Any, _asked: Request, _credential: Mapping[str, str]) -> Page:
    """The whole plan in one page. Raises `PayloadRefused`, also for a plan of what changed only."""
    plan = _load(answer)
    if "removed" in plan:
        raise PayloadRefused({"removedEvents": ["Has no place in a whole plan."]})
    return Page(_event_types(plan))


PARTNER = Partner(
    name="avo",
    title="Avo",
    webhook=Webhook(
        scheme=JwtBearer(),
        read=read,
        kinds=(
            ChangeKind.DEFINED,
            ChangeKind.RENAMED,
            ChangeKind.UPDATED,
            ChangeKind.ARCHIVED,
            ChangeKind.RESTORED,
        ),
        answer=200,
        max_body=LARGEST_PLAN,
        compose=compose,
    ),
    list_api=ListApi(
        credential=(
            CredentialField("workspace_id", "Workspace id"),
            CredentialField("account", "Service account name"),
            CredentialField("secret", "Service account secret", secret=True),
            CredentialField("base_url", "API address", default=_BASE_URL),
        ),
        first=first,
        parse=parse,
        verified="address and document by Avo's documentation; not tried against a live workspace",
        per_second=1,
    ),
    weaknesses=(
        (
            "Avo signs a token, not the body: whoever sees one request can send any plan with its token for five "
            "minutes. Use HTTPS only, and let nothing log the header Authorization."
        ),
        "A plan is a state: what changed is found by comparing it, by event id, with what is known.",
        "A removed event is told by its name only: one that was renamed since the last plan stays until a whole plan.",
        (
            "A plan does not say which number is an event's value: the connector takes it only if there is exactly "
            "one; otherwise a rule has to set the measure."
        ),
        "Avo does not document retries.",
    ),
    verified="body, token and export by Avo's documentation; removedEvents and nameMapping were not captured live",
)
