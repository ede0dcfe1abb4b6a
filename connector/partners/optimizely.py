"""Optimizely Feature Experimentation: webhooks of the change history, of which those of events matter here.

The body names an event by id and display name; the key that `track()` sends is in it only where the key itself
changed. This module must never let a display name pass for a key.
https://docs.developers.optimizely.com/feature-experimentation/docs/configure-webhooks
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from marshmallow import fields, validate

from connector.event_types import Change, ChangeKind, EventType
from connector.partners.asking import address, bearer
from connector.partners.fields import KEY_LENGTH, Key, Moment, PartnerSchema, Text, load
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

EVENT = "event"  # `entity.type`

# `change_type`, from https://docs.developers.optimizely.com/feature-experimentation/docs/change-approval-webhooks;
# only "update" was seen in a real delivery.
CHANGE_TYPES = {
    "create": ChangeKind.DEFINED,
    "update": ChangeKind.RENAMED,  # the one update that tells enough: of the key
    "archive": ChangeKind.ARCHIVED,
    "delete": ChangeKind.DELETED,
}

_PER_PAGE = 100
_MOST_PAGES = 200
_BASE_URL = "https://api.optimizely.com"


class Identifier(Key):
    """Optimizely writes ids as numbers; one that is written as text is the same id."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **options: Any) -> str:
        return super()._deserialize(str(value) if type(value) is int else value, attr, data, **options)


class EntityTypeSchema(PartnerSchema):
    type = Text(required=True)


class EntitySchema(PartnerSchema):
    id = Identifier(required=True)
    name = Text(load_default=None, allow_none=True)
    ui_url = Text(load_default=None, allow_none=True, longest=2048)
    is_deleted = fields.Boolean(load_default=False, truthy={True}, falsy={False})


class PropertyChangeSchema(PartnerSchema):
    property = Text(required=True)
    before = fields.Raw(load_default=None, allow_none=True)
    after = fields.Raw(load_default=None, allow_none=True)


class EntrySchema(PartnerSchema):
    entity = fields.Nested(EntityTypeSchema, required=True)


class EventEntrySchema(PartnerSchema):
    entity = fields.Nested(EntitySchema, required=True)
    change_type = Text(required=True)
    changes = fields.List(fields.Nested(PropertyChangeSchema), load_default=list)
    created = Moment(load_default=None, allow_none=True)
    id = fields.Integer(strict=True, load_default=None, allow_none=True, validate=validate.Range(min=0, max=2**63 - 1))


class KeyChangeSchema(PartnerSchema):
    before = Text(load_default=None, allow_none=True, longest=KEY_LENGTH)
    after = Key(load_default=None, allow_none=True)


class TextChangeSchema(PartnerSchema):
    before = Text(load_default=None, allow_none=True)
    after = Text(load_default=None, allow_none=True)


class EnvelopeSchema(PartnerSchema):
    event = Text(required=True)
    project_id = Identifier(load_default=None, allow_none=True)
    data = fields.Raw(required=True)


class ListedSchema(PartnerSchema):
    """https://docs.developers.optimizely.com/feature-experimentation/docs/create-events"""

    id = Identifier(required=True)
    key = Key(required=True)
    name = Text(load_default=None, allow_none=True)
    description = Text(load_default=None, allow_none=True)
    event_type = Text(required=True)
    archived = fields.Boolean(required=True, truthy={True}, falsy={False})


_envelope, _entry, _event_entry = EnvelopeSchema(), EntrySchema(), EventEntrySchema()
_listed = ListedSchema()
_property = {"key": KeyChangeSchema(), "name": TextChangeSchema(), "description": TextChangeSchema()}


def read(payload: Any, _headers: Mapping[str, str]) -> Reading:
    """A webhook of the change history. Raises `PayloadRefused`."""
    envelope = load(_envelope, payload)
    what, workspace, data = envelope["event"][:100], envelope["project_id"], envelope["data"]
    if isinstance(data, dict):
        return Reading(skips=(Skip(what, "Not of the change history."),))
    if not isinstance(data, list):
        raise PayloadRefused({"data": ["Not a list."]})
    changes, skips, incomplete = [], [], False
    for at, entry in enumerate(data):
        if load(_entry, entry, within=f"data.{at}")["entity"]["type"] != EVENT:
            skips.append(Skip(what, "A change of something else than an event."))
            continue
        said = _said(entry, what, workspace, f"data.{at}")
        if isinstance(said, Change):
            changes.append(said)
        else:
            skips.append(said)
            incomplete = True
    return Reading(
        changes=tuple(changes),
        skips=tuple(dict.fromkeys(skips)),
        refresh=Refresh("the key that the event is sent with", workspace) if incomplete else None,
    )


def _said(entry: Any, what: str, workspace: str | None, within: str) -> Change | Skip:
    loaded = load(_event_entry, entry, within=within)
    entity = loaded["entity"]
    kind = ChangeKind.DELETED if entity["is_deleted"] else CHANGE_TYPES.get(loaded["change_type"])
    order = {"occurred_at": loaded["created"], "sequence": loaded["id"], "workspace": workspace}
    if kind in {ChangeKind.ARCHIVED, ChangeKind.DELETED}:
        return Change(kind=kind, event_type=EventType(id=entity["id"]), **order)
    properties = _properties(loaded["changes"], f"{within}.changes")
    key = properties.get("key")
    if kind is None or key is None or key["after"] is None:
        return Skip(what, "Does not tell the key that the event is sent with: only its id and display name.")
    name, description = properties.get("name"), properties.get("description")
    return Change(
        kind=kind,
        event_type=EventType(
            id=entity["id"],
            key=key["after"],
            name=entity["name"],
            description=None if description is None else description["after"] or "",
            url=entity["ui_url"],
        ),
        previous_key=key["before"] or None,
        previous_name=None if name is None else name["before"],
        **order,
    )


def _properties(changes: list[dict[str, Any]], within: str) -> dict[str, dict[str, Any]]:
    """What `changes` tell of the properties that we know, before and after."""
    return {
        change["property"]: load(_property[change["property"]], change, within=f"{within}.{at}")
        for at, change in enumerate(changes)
        if change["property"] in _property
    }


def compose(type_: str, data: Any, now: datetime) -> Any:
    """Optimizely's body for a change of the native protocol. Raises `ValueError` where Optimizely has no word for it.

    As far as is known, only a rename tells the key; the body of any other change leaves the rest to the list API.
    """
    kind = KINDS.get(type_)
    change_type = (
        "update" if kind is ChangeKind.UPDATED else next((w for w, k in CHANGE_TYPES.items() if k is kind), None)
    )
    if change_type is None:
        raise ValueError(f"Optimizely has no webhook for {type_!r}: it tells of create, update, archive and delete.")
    if not isinstance(data, Mapping) or not data.get("id"):
        raise ValueError("Optimizely names an event by its id: put an id into the data.")
    changes = []
    if kind is ChangeKind.RENAMED:
        changes = [
            {"property": field, "before": data.get(f"previous_{field}"), "after": data.get(field)}
            for field in ("key", "name")
            if data.get(f"previous_{field}") != data.get(field)
        ]
    project_id = data.get("workspace") or 1
    entry = {
        "entity": {
            "id": data["id"],
            "name": data.get("name"),
            "is_deleted": kind is ChangeKind.DELETED,
            "type": EVENT,
        },
        "project_id": project_id,
        "id": int(now.timestamp() * 1000),
        "created": now.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "change_type": change_type,
        "changes": changes,
        "source": "ui",
    }
    event = f"project.event_{change_type.removesuffix('e')}ed"
    return {"project_id": project_id, "timestamp": int(now.timestamp()), "event": event, "data": [entry]}


def first(credential: Mapping[str, str]) -> Request:
    base_url = address(credential, "base_url", _BASE_URL)
    query = urlencode({"project_id": credential["project_id"], "per_page": _PER_PAGE, "page": 1})
    return Request(f"{base_url}/v2/events?{query}", bearer(credential["token"]))


def parse(answer: Any, request: Request, _credential: Mapping[str, str]) -> Page:
    """The event types of a page. Only an empty page ends the list: a short one may be a cap that we do not know.

    Raises `PayloadRefused`, also for a list without an end.
    """
    if not isinstance(answer, list):
        raise PayloadRefused({"_schema": ["Not a list of events."]})
    if not answer:
        return Page(())
    events = [load(_listed, event, within=str(at)) for at, event in enumerate(answer)]
    event_types = tuple(
        EventType(id=event["id"], key=event["key"], name=event["name"], description=event["description"])
        for event in events
        if event["event_type"] == "custom" and not event["archived"]
    )
    return Page(event_types, _next(request))


def _next(request: Request) -> Request:
    parts = urlsplit(request.url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    page = int(query["page"]) + 1
    if page > _MOST_PAGES:
        raise PayloadRefused({"_schema": [f"More than {_MOST_PAGES} pages: the list does not seem to end."]})
    return Request(parts._replace(query=urlencode(query | {"page": page})).geturl(), request.headers)


PARTNER = Partner(
    name="optimizely",
    title="Optimizely Feature Experimentation",
    webhook=Webhook(
        scheme=HmacScheme(header="X-Hub-Signature", prefix="sha1=", algorithm="sha1"),
        read=read,
        kinds=(ChangeKind.RENAMED, ChangeKind.ARCHIVED, ChangeKind.DELETED),
        compose=compose,
    ),
    list_api=ListApi(
        credential=(
            CredentialField("token", "API token", secret=True),
            CredentialField("project_id", "Project id"),
            CredentialField("base_url", "API address", default=_BASE_URL),
        ),
        first=first,
        parse=parse,
        verified="one event's shape by the vendor's documentation; address and paging are not confirmed",
    ),
    weaknesses=(
        "The body of a new event does not tell its key: whatever does not change a key needs the list API.",
        "The signature is HMAC-SHA1 without a time and without a message id: a replay is known only by its bytes.",
        "Retries and their order are not documented.",
    ),
    verified=(
        "The signature by the vendor's documentation and agent, the envelope by the documentation and a captured "
        "delivery of another entity; the body of an event's change is not confirmed."
    ),
)
