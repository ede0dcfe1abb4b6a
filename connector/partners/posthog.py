"""PostHog: changes of event definitions, as the activity log of a project tells them to a webhook.

An event definition's name is the event that PostHog's SDKs send. This module does no I/O and must never know
LaunchDarkly. Source: https://posthog.com/docs/data-pipelines/destinations/webhook
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, uuid5

from marshmallow import ValidationError, fields

from connector.event_types import Change, ChangeKind, EventType
from connector.partners.asking import address, bearer, segment
from connector.partners.fields import Key, Moment, PartnerSchema, Text, load
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
from connector.partners.standard import KINDS as NATIVE
from connector.signatures import STANDARD_WEBHOOKS

ENTRY = "$activity_log_entry_created"
SCOPE = "EventDefinition"
_BASE_URL = "https://us.posthog.com"

# `activity`: https://github.com/PostHog/posthog/blob/master/posthog/api/event_definition.py
KINDS = {"created": ChangeKind.DEFINED, "changed": ChangeKind.UPDATED, "deleted": ChangeKind.DELETED}

# `detail.changes[].field` of a changed definition, and what its value must be to be understood:
# https://github.com/PostHog/posthog/blob/master/ee/api/ee_event_definition.py
CHANGED: Mapping[str, fields.Field[Any]] = {
    "name": Key(),
    "description": Text(allow_none=True),
    "tags": fields.List(Text(longest=200), allow_none=True),
    "hidden": fields.Boolean(truthy={True}, falsy={False}, allow_none=True),
}

ANNOUNCED = (
    ChangeKind.DEFINED,
    ChangeKind.UPDATED,
    ChangeKind.ARCHIVED,
    ChangeKind.RESTORED,
    ChangeKind.DELETED,
)


class BodySchema(PartnerSchema):
    event = fields.Raw(required=True)


class EventSchema(PartnerSchema):
    event = Text(required=True)
    properties = fields.Dict(required=True)


class ActivitySchema(PartnerSchema):
    scope = Text(required=True, longest=200)


class FieldChangeSchema(PartnerSchema):
    field = Text(allow_none=True, load_default=None)
    before = fields.Raw(load_default=None, allow_none=True)
    after = fields.Raw(load_default=None, allow_none=True)


class DetailSchema(PartnerSchema):
    name = Key(required=True)
    changes = fields.List(fields.Nested(FieldChangeSchema), allow_none=True)


class EntrySchema(PartnerSchema):
    activity = Text(required=True, longest=200)
    item_id = Key(required=True)
    detail = fields.Nested(DetailSchema, required=True)
    created_at = Moment(allow_none=True)


class DefinitionSchema(PartnerSchema):
    id = Key(required=True)
    name = Key(required=True)
    description = Text(allow_none=True)
    tags = fields.List(Text(longest=200), allow_none=True)


class ListSchema(PartnerSchema):
    count = fields.Integer(strict=True, load_default=None, allow_none=True)
    next = Text(required=True, allow_none=True, longest=4096)
    results = fields.List(fields.Nested(DefinitionSchema), required=True)


_body, _event, _activity, _entry, _list = BodySchema(), EventSchema(), ActivitySchema(), EntrySchema(), ListSchema()


def read(payload: Any, _headers: Mapping[str, str]) -> Reading:
    """An entry of the activity log in the destination's default body, or with `event` and `properties` at its top.

    Raises `PayloadRefused`. The event's own `timestamp` may lack its UTC offset, the entry's `created_at` does not.
    """
    event = load(_body, payload)["event"]
    nested = not isinstance(event, str)
    loaded = load(_event, event, within="event") if nested else load(_event, payload)
    if loaded["event"] != ENTRY:
        return Reading(skips=(Skip(loaded["event"][:100], "not an entry of PostHog's activity log"),))
    path = "event.properties" if nested else "properties"
    scope = load(_activity, loaded["properties"], within=path)["scope"]
    if scope != SCOPE:
        return Reading(skips=(Skip(f"activity of {scope}"[:100], "not about an event definition"),))
    return _read_entry(load(_entry, loaded["properties"], within=path))


def _read_entry(entry: Mapping[str, Any]) -> Reading:
    name, kind = entry["detail"]["name"], KINDS.get(entry["activity"])
    if kind is None:
        return Reading(skips=(Skip(entry["activity"][:100], "not an activity that changes an event definition"),))
    # The list API is asked for custom events too, so both agree on what is there.
    if name.startswith("$"):
        return Reading(skips=(Skip(name[:100], "one of PostHog's own events"),))
    if kind is ChangeKind.UPDATED:
        return _read_changed(entry)
    missing = Refresh("PostHog tells a new event definition without its description and tags.")
    return Reading(
        changes=(Change(kind, EventType(id=entry["item_id"], key=name), entry.get("created_at")),),
        refresh=missing if kind is ChangeKind.DEFINED else None,
    )


def _read_changed(entry: Mapping[str, Any]) -> Reading:
    """The fields that changed, and nothing of those that did not; a value not as documented is left to the list API."""
    after: dict[str, Any] = {}
    previous_key = None
    skips: list[Skip] = []
    refresh = None
    for change in entry["detail"].get("changes") or ():
        field = change["field"] or "unnamed field"
        try:
            after[field] = CHANGED[field].deserialize(change["after"])
        except KeyError:
            skips.append(Skip(field[:100], "a metric has no such field"))
        except ValidationError:
            skips.append(Skip(field, "its new value is not of the kind that we know"))
            refresh = Refresh(f"The new {field} of the event definition could not be read.")
        else:
            previous_key = _key(change["before"]) if field == "name" else previous_key
    if not after:
        return Reading(skips=tuple(skips) or (Skip("changed", "names no changed field"),), refresh=refresh)
    event_type = EventType(
        id=entry["item_id"],
        key=after.get("name", entry["detail"]["name"]),
        description=after["description"] or "" if "description" in after else None,
        tags=tuple(after["tags"] or ()) if "tags" in after else None,
    )
    change = Change(_kind(after), event_type, entry.get("created_at"), previous_key=previous_key)
    return Reading(changes=(change,), skips=tuple(skips), refresh=refresh)


def _key(before: Any) -> str | None:
    try:
        key: str = Key().deserialize(before)
    except ValidationError:
        return None
    return key


def _kind(after: Mapping[str, Any]) -> ChangeKind:
    """Hidden is PostHog's way to put an event definition aside without deleting it."""
    if "hidden" in after:
        return ChangeKind.ARCHIVED if after["hidden"] else ChangeKind.RESTORED
    return ChangeKind.RENAMED if "name" in after else ChangeKind.UPDATED


def compose(type_: str, data: Any, now: datetime) -> Any:
    """The destination's default body for a change of the native protocol. Raises `ValueError` where there is none."""
    kind = NATIVE.get(type_)
    if kind not in ANNOUNCED:
        raise ValueError(f"PostHog has no activity for {type_!r}: it never renames an event definition.")
    if not isinstance(data, Mapping) or not data.get("key"):
        raise ValueError("An event definition has a name: put a key into the data.")
    changed = {field: data[field] for field in ("description", "tags") if field in data}
    if kind in {ChangeKind.ARCHIVED, ChangeKind.RESTORED}:
        changed = {"hidden": kind is ChangeKind.ARCHIVED}
    activity = {ChangeKind.DEFINED: "created", ChangeKind.DELETED: "deleted"}.get(kind, "changed")
    at = now.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return {
        "event": {
            "uuid": str(uuid5(NAMESPACE_URL, f"event {type_} {at} {data['key']}")),
            "event": ENTRY,
            "distinct_id": "team_1",
            "properties": {
                "id": str(uuid5(NAMESPACE_URL, f"entry {type_} {at} {data['key']}")),
                "user": {"first_name": "Ada", "email": "ada@example.com"},
                "activity": activity,
                "scope": SCOPE,
                "item_id": data.get("id") or data["key"],
                "detail": {
                    "id": None,
                    "changes": [
                        {"type": SCOPE, "action": "changed", "field": field, "before": None, "after": value}
                        for field, value in changed.items()
                    ]
                    if activity == "changed"
                    else None,
                    "merge": None,
                    "trigger": None,
                    "name": data["key"],
                    "short_id": None,
                    "type": None,
                },
                "created_at": at,
            },
            "timestamp": at.removesuffix("Z"),
            "elements_chain": "",
            "url": "https://us.posthog.com/projects/1/events/",
        },
        "person": {"id": "1", "name": "Ada", "properties": {}, "url": "https://us.posthog.com/projects/1/persons/1"},
    }


def first(credential: Mapping[str, str]) -> Request:
    """The custom event definitions that are not hidden; https://posthog.com/docs/api/event-definitions"""
    base_url = address(credential, "base_url", _BASE_URL)
    project = segment(credential["project_id"])
    query = "limit=100&event_type=event_custom&ordering=name&exclude_hidden=true"
    return Request(
        f"{base_url}/api/projects/{project}/event_definitions/?{query}",
        bearer(credential["api_key"]),
    )


def parse(answer: Any, asked: Request, _credential: Mapping[str, str]) -> Page:
    """One page. `count` may be capped, so that `next` alone says where the list ends. Raises `PayloadRefused`."""
    listed = load(_list, answer)
    event_types = tuple(_listed(definition) for definition in listed["results"])
    link, total = listed["next"], listed["count"]
    if link is None:
        return Page(event_types, total=total)
    here = urlsplit(asked.url)
    # As text: where two parsers of addresses could disagree, the credential must not go.
    if not link.startswith(f"{here.scheme}://{here.netloc}/"):
        raise PayloadRefused({"next": ["Leads away from the API address."]})
    return Page(event_types, Request(link, asked.headers), total)


def _listed(definition: Mapping[str, Any]) -> EventType:
    """Without the Enterprise fields, which PostHog leaves out where it is not licensed, nothing is said of them."""
    return EventType(
        id=definition["id"],
        key=definition["name"],
        description=definition["description"] or "" if "description" in definition else None,
        tags=tuple(definition["tags"] or ()) if "tags" in definition else None,
    )


PARTNER = Partner(
    name="posthog",
    title="PostHog",
    webhook=Webhook(scheme=STANDARD_WEBHOOKS, read=read, kinds=ANNOUNCED, compose=compose),
    list_api=ListApi(
        credential=(
            CredentialField("api_key", "Personal API key with the scope event_definition:read", secret=True),
            CredentialField("project_id", "Project id"),
            CredentialField("base_url", "API address", default=_BASE_URL),
        ),
        first=first,
        parse=parse,
        verified="address, query, paging and fields by PostHog's source; not tried against a live project",
    ),
    weaknesses=(
        (
            "Event definitions that PostHog makes by itself from the first event it receives are probably not "
            "announced: import the catalogue, and sync it now and then."
        ),
        "A new definition arrives without its description and tags: they need the credential of the list API.",
        "PostHog does not rename event definitions: a new name is a new definition.",
        "The body is a template that can be edited: keep the default one, or at least its `event` and `properties`.",
        "Older self-hosted releases cannot sign: their webhooks are refused.",
    ),
    verified=(
        "signature and body's frame by PostHog's source and tests; the entry of an event definition is put together "
        "from its serialisers and tests and was not captured from a live project"
    ),
)
