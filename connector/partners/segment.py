"""Segment: the audit trail, forwarded through a source and the Webhooks destination.

Audit events are thin: most say that a tracking plan changed, few say which event. This module must never read more of
a batch than its first event: the signature covers no other.
https://segment.com/docs/segment-app/iam/audit-trail/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import NAMESPACE_URL, uuid5

from marshmallow import fields

from connector.event_types import Change, ChangeKind, EventType
from connector.partners.asking import address, bearer, segment
from connector.partners.fields import KEY_LENGTH, Key, Moment, PartnerSchema, Text, load
from connector.partners.json_schema import value_at
from connector.partners.partner import (
    CredentialField,
    ListApi,
    Page,
    Partner,
    PayloadRefused,
    Reading,
    Refresh,
    Request,
    Skip,
    Webhook,
)
from connector.partners.standard import KINDS
from connector.signatures import HmacScheme

AUDIT = "Audit"

# `properties.type`, from https://github.com/segmentio/functions-library/tree/master/sources/audit-forwarding
NEW_EVENT = "New Event Allowed"  # names the event in `details.name`
# These name the event in backticks in `details.description`; confirmed for "blocked" only.
SCHEMA_EVENTS = {
    "Schema Event Archived": ChangeKind.ARCHIVED,
    "Schema Event Blocked": ChangeKind.ARCHIVED,
    "Schema Event Allowed": ChangeKind.RESTORED,
}
# These say that a plan changed, not what in it.
TRACKING_PLAN = {
    "Tracking Plan Created",
    "Tracking Plan Modified",
    "Tracking Plan Updated",
    "Tracking Plan Operations Updated",
    "Tracking Plan Inferred",
    "Tracking Plan Deleted",
    "Tracking Plan New Event Allowed",
    "Tracking Plan New Event Blocked",
}

# The type of a rule of a tracking plan; only TRACK ones are event types.
RULE_TYPES = ("COMMON", "GROUP", "IDENTIFY", "PAGE", "SCREEN", "TRACK")
CARRIED = ("properties", "properties")  # a rule's schema is that of the whole message, this what the event carries

_NAMED = re.compile(rf"`([^`]{{1,{KEY_LENGTH}}})` [^`]+")  # one name in backticks, before what was done to it
_BASE_URL = "https://api.segmentapis.com"


class EventSchema(PartnerSchema):
    event = Text(load_default=None, allow_none=True)
    type = Text(load_default=None, allow_none=True)


class PropertiesSchema(PartnerSchema):
    type = Text(required=True)
    workspace_id = Key(load_default=None, allow_none=True)
    details = fields.Dict(load_default=dict, allow_none=True)


class AuditSchema(PartnerSchema):
    message_id = Text(data_key="messageId", load_default=None, allow_none=True, longest=256, shortest=1)
    timestamp = Moment(load_default=None, allow_none=True)
    properties = fields.Nested(PropertiesSchema, required=True)


class NewEventSchema(PartnerSchema):
    name = Key(required=True)
    type = Text(load_default="track")
    blocked = Text(load_default="false")  # "true" and "false" are sent as texts


class SchemaEventSchema(PartnerSchema):
    description = Text(load_default="")


class JsonSchemaSchema(PartnerSchema):
    description = Text(load_default=None, allow_none=True)
    properties = fields.Raw(load_default=None, allow_none=True)


class RuleSchema(PartnerSchema):
    type = Text(required=True, choices=RULE_TYPES)
    key = Text(load_default=None, allow_none=True)
    json_schema = fields.Nested(JsonSchemaSchema, data_key="jsonSchema", load_default=dict)
    version = fields.Integer(strict=True, load_default=0)


class TrackRuleSchema(PartnerSchema):
    key = Key(required=True)


class PaginationSchema(PartnerSchema):
    current = Text(required=True, longest=2048)
    next = Text(load_default=None, allow_none=True, longest=2048)
    total = fields.Integer(data_key="totalEntries", strict=True, load_default=None, allow_none=True)


class RulesSchema(PartnerSchema):
    rules = fields.List(fields.Nested(RuleSchema), required=True)
    pagination = fields.Nested(PaginationSchema, required=True)


class AnswerSchema(PartnerSchema):
    data = fields.Nested(RulesSchema, required=True)


_event, _audit, _new_event, _schema_event = EventSchema(), AuditSchema(), NewEventSchema(), SchemaEventSchema()
_answer, _track_rule = AnswerSchema(), TrackRuleSchema()


def read(payload: Any, _headers: Mapping[str, str]) -> Reading:
    """One event of the Webhooks destination. Raises `PayloadRefused`."""
    event = load(_event, payload)
    if event["event"] != AUDIT:
        what = event["event"] or event["type"] or "event"
        return Reading(skips=(Skip(what[:100], "Not of the audit trail."),))
    audit = load(_audit, payload)
    message_id, properties = audit["message_id"], audit["properties"]
    type_, workspace = properties["type"], properties["workspace_id"]
    if type_ in TRACKING_PLAN:
        return Reading(
            refresh=Refresh("which events of the tracking plan changed, and how", workspace), message_id=message_id
        )
    if type_ == NEW_EVENT:
        kind, key = ChangeKind.DEFINED, _new_key(properties["details"])
    elif type_ in SCHEMA_EVENTS:
        kind, key = SCHEMA_EVENTS[type_], _named_key(properties["details"])
    else:
        return Reading(skips=(Skip(type_[:100], "Tells nothing of an event type."),), message_id=message_id)
    if key is None:
        skip = Skip(type_[:100], "Does not name one event of the type track beyond doubt.")
        return Reading(skips=(skip,), refresh=Refresh("which event it speaks of", workspace), message_id=message_id)
    change = Change(kind=kind, event_type=EventType(key=key), occurred_at=audit["timestamp"], workspace=workspace)
    return Reading(changes=(change,), message_id=message_id)


def _new_key(details: Any) -> str | None:
    new = load(_new_event, details, within="properties.details")
    return new["name"] if new["type"] == "track" and new["blocked"] == "false" else None


def _named_key(details: Any) -> str | None:
    named = _NAMED.fullmatch(load(_schema_event, details, within="properties.details")["description"])
    return named and named[1]


def compose(type_: str, data: Any, now: datetime) -> Any:
    """Segment's body for a change of the native protocol. Raises `ValueError` where Segment has no word for it."""
    kind = KINDS.get(type_)
    if not isinstance(data, Mapping) or not data.get("key"):
        raise ValueError("Segment names an event by its key: put a key into the data.")
    key = data["key"]
    source = {"resource_id": "source_1", "resource_type": "source", "source_id": "source_1", "target": "JavaScript"}
    if kind is ChangeKind.DEFINED:
        audit, details = NEW_EVENT, {"blocked": "false", "name": key, "planned": "false", "type": "track"}
    elif kind is ChangeKind.ARCHIVED:
        audit, details = "Schema Event Blocked", {"description": f"`{key}` set to block"}
    elif kind is ChangeKind.RESTORED:
        audit, details = "Schema Event Allowed", {"description": f"`{key}` set to allow"}
    else:
        raise ValueError(f"Segment's audit trail has no word for {type_!r}: it tells of allowed and blocked events.")
    moment = now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    properties = {"details": source | details, "type": audit, "workspace_id": data.get("workspace") or "workspace_1"}
    return {
        "channel": "server",
        "event": AUDIT,
        "messageId": f"api-{uuid5(NAMESPACE_URL, f'{type_} {moment} {key}')}",
        "originalTimestamp": moment,
        "properties": properties,
        "receivedAt": moment,
        "timestamp": moment,
        "type": "track",
        "userId": "__system__",
    }


def first(credential: Mapping[str, str]) -> Request:
    base_url = address(credential, "base_url", _BASE_URL)
    plan = segment(credential["tracking_plan_id"])
    headers = {**bearer(credential["token"]), "Accept": "application/vnd.segment.v1+json"}
    return Request(f"{base_url}/tracking-plans/{plan}/rules?{urlencode({'pagination.count': 200})}", headers)


def parse(answer: Any, request: Request, _credential: Mapping[str, str]) -> Page:
    """The event types of a page of a tracking plan's rules. Raises `PayloadRefused`."""
    data = load(_answer, answer)["data"]
    pagination = data["pagination"]
    asked = parse_qs(urlsplit(request.url).query).get("pagination.cursor")
    # A server that did not heed the cursor would give the first page for ever.
    if (asked and asked != [pagination["current"]]) or pagination["next"] == pagination["current"]:
        raise PayloadRefused({"data": {"pagination": {"current": ["Not the page that was asked for."]}}})
    event_types = {}
    for at, rule in sorted(enumerate(data["rules"]), key=lambda numbered: numbered[1]["version"]):
        if rule["type"] == "TRACK":
            key = load(_track_rule, rule, within=f"data.rules.{at}")["key"]
            schema = rule["json_schema"]
            value = value_at(CARRIED, schema, within=f"data.rules.{at}.jsonSchema")
            event_types[key] = EventType(key=key, description=schema.get("description"), value=value)
    following = _next(request, pagination["next"]) if pagination["next"] else None
    return Page(tuple(event_types.values()), following, pagination["total"])


def _next(request: Request, cursor: str) -> Request:
    query = urlencode({"pagination.count": 200, "pagination.cursor": cursor})
    return Request(urlsplit(request.url)._replace(query=query).geturl(), request.headers)


PARTNER = Partner(
    name="segment",
    title="Segment",
    webhook=Webhook(
        scheme=HmacScheme(header="X-Signature", algorithm="sha1", covers="first_element"),
        read=read,
        kinds=(ChangeKind.DEFINED, ChangeKind.ARCHIVED, ChangeKind.RESTORED),
        compose=compose,
    ),
    list_api=ListApi(
        credential=(
            CredentialField("token", "Public API token", secret=True),
            CredentialField("tracking_plan_id", "Tracking plan id"),
            CredentialField("base_url", "API address", default=_BASE_URL),
        ),
        first=first,
        parse=parse,
        verified="the shape by the vendor's SDK; its address and the spelling of its query are not confirmed",
    ),
    weaknesses=(
        "Every source connected to the destination can send an event named Audit: connect the audit source alone.",
        "The signature covers only the first event of a batch, and only that is read: turn batching off.",
        "Most audit events do not say which event changed: the rest comes from the list API.",
        "An event that is blocked or archived in one source archives the metric, though another source may send it.",
        "Events have no id: a renamed one is a new one.",
        "A rule does not say which number is an event's value: it is taken only if there is exactly one.",
        "The signature is HMAC-SHA1 without a time: a replay is known only by the message id.",
    ),
    verified=(
        "Envelope and two of the audit events by samples in the vendor's repository, the signature by the vendor's "
        "source; the list of audit events is of 2019, and not all of their bodies are confirmed."
    ),
)
