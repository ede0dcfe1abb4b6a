"""`/api/v1/deliveries`: what came in and what became of it; search it, and replay it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import fields as dataclass_fields
from typing import Any

from marshmallow import fields

from connector.delivery import Runner
from connector.event_types import Outcome
from connector.installation import Installation
from connector.store import history, inbox
from connector.store.history import ChangeRecord, DeliveryRecord, Filter
from connector.store.tables import changes
from connector.web.api.access import Access
from connector.web.api.fields import Choice, Moment, PageQuery, Strict, Text
from connector.web.api.resource import Resource
from connector.web.problems import Problem

_SCOPE = {"description": "Only what is of this connection: its id."}


class FilterSchema(Strict):
    """All that is given must hold; of a change's fields, for one and the same change."""

    connection = Text(shortest=1, attribute="connection_id", metadata=_SCOPE)
    endpoint = Text(shortest=1, attribute="endpoint_id")
    message_id = Text(shortest=1)
    event_type = Text(shortest=1, metadata={"description": "The source's id of the event type, else its key."})
    state = Choice("pending", "parked", "done")
    outcome = Choice(*Outcome)
    since = Moment(metadata={"description": "Received then or later."})
    until = Moment(metadata={"description": "Received before that."})


class SearchQuery(PageQuery, FilterSchema):
    delivery = Text(shortest=1, attribute="delivery_id")


class ScopeQuery(Strict):
    connection = Text(shortest=1, metadata=_SCOPE)


class MetricSchema(Strict):
    key = fields.String(required=True)
    measure = fields.String(required=True)
    url = fields.String(required=True)


class AppliedChangeSchema(Strict):
    """What became of one change. `held`: it waits for its connection to be resumed."""

    connection = fields.String(required=True, allow_none=True, attribute="connection_id")
    event_type = fields.String(required=True, attribute="label")
    change = fields.String(required=True, attribute="kind")
    state = Choice("pending", "parked", "done", required=True)
    outcome = Choice(*Outcome, required=True, allow_none=True)
    held = fields.Boolean(required=True)
    attempts = fields.Integer(required=True)
    replays = fields.Integer(required=True)
    next_attempt_at = Moment(required=True, allow_none=True, attribute="due_at")
    finished_at = Moment(required=True, allow_none=True)
    metrics = fields.List(fields.Nested(MetricSchema), required=True)
    code = fields.String(required=True, allow_none=True)
    reason = fields.String(required=True, allow_none=True)
    next_step = fields.String(required=True, allow_none=True)
    notes = fields.List(fields.String(), required=True)


class DeliverySchema(Strict):
    """A delivery; `more` says that it has changes which are not shown here."""

    id = fields.String(required=True)
    endpoint = fields.String(required=True, attribute="endpoint_id")
    message_id = fields.String(required=True)
    received_at = Moment(required=True)
    changes = fields.List(fields.Nested(AppliedChangeSchema), required=True)
    more = fields.Boolean(required=True)


class DeliveriesSchema(Strict):
    deliveries = fields.List(fields.Nested(DeliverySchema), required=True)
    next = fields.String(required=True, allow_none=True)


class CallSchema(Strict):
    """One call to LaunchDarkly."""

    method = fields.String(required=True)
    path = fields.String(required=True)
    status = fields.Integer(required=True, allow_none=True)
    error = fields.String(required=True, allow_none=True)
    started_at = Moment(required=True, attribute="started")
    seconds = fields.Float(required=True)


class AttemptSchema(Strict):
    event_type = fields.String(required=True)
    number = fields.Integer(required=True)
    started_at = Moment(required=True)
    seconds = fields.Float(required=True)
    code = fields.String(required=True)
    message = fields.String(required=True, allow_none=True)
    calls = fields.List(fields.Nested(CallSchema), required=True)


class DetailsSchema(DeliverySchema):
    """A delivery with all there is to see. `body` and `headers` are empty where others than `connection` are in it."""

    headers = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    body = fields.String(required=True)
    attempts = fields.List(fields.Nested(AttemptSchema), required=True)


class QueuedSchema(Strict):
    changes = fields.Integer(required=True, metadata={"description": "How many changes are queued again."})


def resource(installation: Installation, runner: Runner, access: Access) -> Resource:
    database = installation.database
    routes = Resource(
        "deliveries",
        "What came in, and what became of it.",
        access,
        max_body=installation.settings.max_body,
    )

    @routes.route("/deliveries", methods=["GET"])
    @routes.arguments(SearchQuery, location="query")
    @routes.response(200, DeliveriesSchema)
    def search_deliveries(query: Mapping[str, Any]) -> dict[str, Any]:
        """Search the deliveries, newest first

        Each shows the changes that match, at most a hundred.
        """
        wanted = dict(query)
        after, limit = wanted.pop("cursor", None), wanted.pop("limit")
        with database.read() as tx:
            page = history.search(tx, Filter(**wanted), after=after, limit=limit)
        return {"deliveries": [shown(each) for each in page.deliveries], "next": page.next}

    @routes.route("/deliveries/<delivery_id>", methods=["GET"])
    @routes.arguments(ScopeQuery, location="query")
    @routes.response(200, DetailsSchema)
    def read_delivery(scope: Mapping[str, Any], delivery_id: str) -> dict[str, Any]:
        """One delivery: its body, its changes, every attempt and every call to LaunchDarkly"""
        with database.read() as tx:
            details = history.details(tx, delivery_id, connection_id=scope.get("connection"))
        if details is None:
            raise _unknown()
        labels = {change.id: change.label for change in details.delivery.changes}
        attempts = [{**asdict(each), "event_type": labels[each.change_id]} for each in details.attempts]
        return {
            **shown(details.delivery),
            "headers": details.headers,
            "body": details.body.decode(errors="replace"),
            "attempts": attempts,
        }

    @routes.route("/deliveries/<delivery_id>/replay", methods=["POST"])
    @routes.arguments(ScopeQuery, location="query")
    @routes.response(202, QueuedSchema)
    def replay_delivery(scope: Mapping[str, Any], delivery_id: str) -> dict[str, Any]:
        """Queue the changes of a delivery again

        As if they had just come. Safe: what is done already stays as it is.
        """
        where = changes.c.delivery_id == delivery_id
        if "connection" in scope:
            where &= changes.c.connection_id == scope["connection"]
        with database.read() as tx:
            if history.details(tx, delivery_id, connection_id=scope.get("connection")) is None:
                raise _unknown()
        queued = database.write(lambda tx: inbox.replay(tx, where, now=time.time()))
        if not queued:
            raise Problem(
                409, "nothing_to_replay", "The changes of this delivery are still under way, or are for no connection."
            )
        runner.ring()
        return {"changes": queued}

    return routes


def shown(record: DeliveryRecord) -> dict[str, Any]:
    return _flat(record) | {"changes": [_change(each) for each in record.changes]}


def _change(record: ChangeRecord) -> dict[str, Any]:
    said = {name: record.result.get(name) for name in ("code", "reason", "next_step")}
    lists = {name: record.result.get(name, []) for name in ("metrics", "notes")}
    return _flat(record) | said | lists


def _flat(record: DeliveryRecord | ChangeRecord) -> dict[str, Any]:
    """Its fields as they are, where `asdict` would copy all that is in them."""
    return {field.name: getattr(record, field.name) for field in dataclass_fields(record)}


def _unknown() -> Problem:
    return Problem(404, "delivery_unknown", "There is no such delivery. GET /api/v1/deliveries searches them.")
