"""`/api/v1/connections/{connection}/event-types`: what a partner has told of, and the metrics that stand for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import fields

from connector.delivery.merging import Merged
from connector.installation import Installation
from connector.launchdarkly import metric_url
from connector.store import linked
from connector.store.connections import Connection
from connector.store.linked import Linked
from connector.web.api.access import Access
from connector.web.api.fields import Choice, Moment, PageQuery, Strict, Text
from connector.web.api.resource import Resource, connection_of, refuse
from connector.web.problems import Problem

_LARGEST = 2**63 - 1


class EventTypesQuery(PageQuery):
    event_type = Text(shortest=1, metadata={"description": "The source's id of the event type, or a key that it had."})


class ValueSchema(Strict):
    property = fields.String(required=True, allow_none=True)
    type = fields.String(required=True)
    unit = fields.String(required=True, allow_none=True)


class LinkSchema(Strict):
    key = fields.String(required=True)
    measure = fields.String(required=True)
    state = Choice("creating", "live", "archived", required=True)
    name = fields.String(required=True, allow_none=True)
    url = fields.String(required=True)


class KnownEventTypeSchema(Strict):
    """An event type as its source has stated it so far; what was not stated is null. `id` is ours, for addresses."""

    id = fields.Integer(required=True)
    source_id = fields.String(required=True, allow_none=True)
    key = fields.String(required=True, allow_none=True)
    name = fields.String(required=True, allow_none=True)
    description = fields.String(required=True, allow_none=True)
    url = fields.String(required=True, allow_none=True)
    tags = fields.List(fields.String(), required=True)
    value = fields.Nested(ValueSchema, required=True, allow_none=True)
    status = Choice("active", "archived", "deleted", required=True)
    first_seen_at = Moment(required=True)
    metrics = fields.List(fields.Nested(LinkSchema), required=True)


class EventTypesSchema(Strict):
    event_types = fields.List(fields.Nested(KnownEventTypeSchema), required=True)
    next = fields.String(required=True, allow_none=True)


def resource(installation: Installation, access: Access) -> Resource:
    database = installation.database
    routes = Resource("event types", "Event types and their metrics.", access, max_body=installation.settings.max_body)

    @routes.route("/connections/<connection_id>/event-types", methods=["GET"])
    @routes.arguments(EventTypesQuery, location="query")
    @routes.response(200, EventTypesSchema)
    def list_event_types(query: Mapping[str, Any], connection_id: str) -> dict[str, Any]:
        """The event types of a connection with their metrics, oldest first"""
        connection = connection_of(database, connection_id)
        limit: int = query["limit"]
        with database.read() as tx:
            found = linked.page(tx, connection_id, label=query.get("event_type"), after=_cursor(query), limit=limit + 1)
        shown = [_shown(connection, each) for each in found[:limit]]
        return {"event_types": shown, "next": str(found[limit - 1].id) if len(found) > limit else None}

    @routes.route("/connections/<connection_id>/event-types/<int:event_type_id>", methods=["GET"])
    @routes.response(200, KnownEventTypeSchema)
    def read_event_type(connection_id: str, event_type_id: int) -> dict[str, Any]:
        """One event type with its metrics"""
        connection = connection_of(database, connection_id)
        with database.read() as tx:
            found = linked.one(tx, connection_id, event_type_id) if event_type_id <= _LARGEST else None
        if found is None:
            raise Problem(
                404, "event_type_unknown", "The connection has no such event type. Its event-types lists those it has."
            )
        return _shown(connection, found)

    return routes


def _cursor(query: Mapping[str, Any]) -> int | None:
    cursor: str | None = query.get("cursor")
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdigit()) or int(cursor) > _LARGEST:
        refuse({"cursor": ["Is not the `next` of a page."]})
    return int(cursor)


def _shown(connection: Connection, found: Linked) -> dict[str, Any]:
    merged = Merged(found.registers, frozenset())
    stated: dict[str, Any] = merged.event_type.to_dict() if found.registers else {}
    return {
        **{name: stated.get(name) for name in ("key", "name", "description", "url", "value")},
        "id": found.id,
        "source_id": stated.get("id"),
        "tags": stated.get("tags", []),
        "status": merged.status,
        "first_seen_at": found.created_at,
        "metrics": [
            {
                "key": link.metric_key,
                "measure": link.measure,
                "state": link.state,
                "name": link.body.get("name"),
                "url": metric_url(connection.base_url, connection.project_key, link.metric_key),
            }
            for link in found.links
        ],
    }
