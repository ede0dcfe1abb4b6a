"""Plans and syncs: what it takes to bring a connection's metrics to its source, and what came of it.

What is applied is what was shown: a plan is kept for a day under an id of its own.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from flask import Response
from marshmallow import fields, validate

from connector.catalogue.fetching import SourceError
from connector.catalogue.plans import ActionKind, Plan, PlanMalformed
from connector.catalogue.syncing import SyncRefused, TooManyArchives
from connector.delivery import Runner
from connector.installation import Installation, syncer
from connector.launchdarkly import LaunchDarklyError
from connector.partners import standard
from connector.store import history, shown_plans
from connector.store.rows import new_id
from connector.web.api.access import Access
from connector.web.api.fields import Choice, Flag, Moment, Strict, Text, Whole
from connector.web.api.resource import PREFIX, Resource, connection_of
from connector.web.problems import Problem, respond

MAX_BODY = 16 * 1024 * 1024
"""Bytes of a request to plan: a catalogue may have very many event types."""

_KINDS = list(ActionKind)


class NewPlanSchema(Strict):
    """Without `catalogue` the partner's list API is asked, or where there is none, what the source has said so far."""

    catalogue = fields.Nested(standard.CatalogueSchema)
    adopt = Flag(load_default=False, metadata={"description": "Take over metrics made by others for the same event."})
    only_ = fields.List(
        Text(shortest=1),
        attribute="only",
        data_key="only",
        validate=validate.Length(max=100),
        metadata={"description": "Globs of keys, names or ids."},
    )
    limit = Whole(low=1, high=1_000_000, metadata={"description": "How many event types are acted on at most."})


class StepSchema(Strict):
    key = fields.String(required=True)
    measure = fields.String(required=True)
    step = fields.String(required=True)
    fields_ = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.Raw()),
        required=True,
        attribute="fields",
        data_key="fields",
        metadata={"description": "What is there and what is to be there, by LaunchDarkly's names."},
    )


class ActionSchema(Strict):
    """What is to become of one event type."""

    kind = Choice(*_KINDS, required=True)
    event_type = fields.String(required=True, attribute="label")
    code = fields.String(required=True)
    reason = fields.String(required=True)
    next_step = fields.String(required=True)
    metrics = fields.List(fields.Nested(StepSchema), required=True)


class PlanSchema(Strict):
    """`archives_too_many`: to apply it, allow as many archives as it has: the catalogue may have been cut short."""

    id = fields.String(required=True)
    connection = fields.String(required=True)
    made_at = Moment(required=True)
    counts = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    archives = fields.Integer(required=True)
    archives_too_many = fields.Boolean(required=True)
    left_out = fields.Integer(required=True)
    actions = fields.List(fields.Nested(ActionSchema), required=True)


class ApplySchema(Strict):
    allow_archive = Whole(low=0, load_default=0, metadata={"description": "How many metrics may be archived."})


class StartedSchema(Strict):
    sync = fields.String(required=True, metadata={"description": "The id of the sync, which is a delivery's."})


class SyncRowSchema(Strict):
    event_type = fields.String(required=True)
    action = fields.String(required=True)
    outcome = fields.String(required=True)
    metrics = fields.List(fields.String(), required=True)
    code = fields.String(required=True)
    reason = fields.String(required=True)
    next_step = fields.String(required=True)


class ProgressSchema(Strict):
    total = fields.Integer(required=True)
    done = fields.Integer(required=True)
    parked = fields.Integer(required=True)
    pending = fields.Integer(required=True)
    held = fields.Integer(required=True)


class SyncSchema(Strict):
    """How far a sync is, and a row for each event type. `total` grows until it is not `starting` any more."""

    id = fields.String(required=True)
    connection = fields.String(required=True)
    state = Choice("starting", "running", "done", required=True)
    progress = fields.Nested(ProgressSchema, required=True)
    counts = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    rows = fields.List(fields.Nested(SyncRowSchema), required=True)


def resource(installation: Installation, runner: Runner, access: Access) -> Resource:
    database, syncing = installation.database, syncer(installation)
    routes = Resource(
        "syncs",
        "Bring all metrics of a connection to its source.",
        access,
        max_body=max(MAX_BODY, installation.settings.max_body),
    )
    for refused, status in ((SyncRefused, 409), (SourceError, 502), (LaunchDarklyError, 502)):
        routes.register_error_handler(refused, _answer(status))
    routes.register_error_handler(TooManyArchives, _too_many)

    def stored(connection_id: str, plan_id: str) -> Plan:
        connection = connection_of(database, connection_id)
        with database.read() as tx:
            found = shown_plans.get(tx, plan_id, connection.id)
        try:
            return Plan.from_dict(found or {})
        except PlanMalformed:
            raise Problem(404, "plan_unknown", "There is no such plan (any more): make it again.") from None

    @routes.route("/connections/<connection_id>/plans", methods=["POST"])
    @routes.arguments(NewPlanSchema)
    @routes.response(201, PlanSchema)
    def make_plan(wanted: Mapping[str, Any], connection_id: str) -> Any:
        """Plan what it takes to bring the metrics to the source

        Changes nothing. LaunchDarkly is asked for the metrics that there are, which can take a while.
        """
        connection = connection_of(database, connection_id)
        catalogue = None if "catalogue" not in wanted else standard.catalogue(wanted["catalogue"])
        only = tuple(wanted.get("only", ()))
        plan = syncing.plan(connection.id, catalogue, adopt=wanted["adopt"], only=only, limit=wanted.get("limit"))
        now = time.time()
        plan_id = new_id("plan", now)
        database.write(lambda tx: shown_plans.add(tx, plan_id, connection.id, plan.to_dict(), now=now))
        location = {"Location": f"{PREFIX}/connections/{connection.id}/plans/{plan_id}"}
        return _plan(plan_id, plan), 201, location

    @routes.route("/connections/<connection_id>/plans/<plan_id>", methods=["GET"])
    @routes.response(200, PlanSchema)
    def read_plan(connection_id: str, plan_id: str) -> dict[str, Any]:
        """A plan as it was made"""
        return _plan(plan_id, stored(connection_id, plan_id))

    @routes.route("/connections/<connection_id>/plans/<plan_id>/apply", methods=["POST"])
    @routes.arguments(ApplySchema, required=False)
    @routes.response(202, StartedSchema)
    def apply_plan(allowed: Mapping[str, Any], connection_id: str, plan_id: str) -> dict[str, Any]:
        """Apply a plan

        Refused where something has changed since it was made. The same plan again is the same sync.
        """
        plan = stored(connection_id, plan_id)
        sync = syncing.apply(plan, allow_archive=allowed["allow_archive"])
        runner.ring()
        return {"sync": sync}

    @routes.route("/connections/<connection_id>/syncs/<sync_id>", methods=["GET"])
    @routes.response(200, SyncSchema)
    def read_sync(connection_id: str, sync_id: str) -> dict[str, Any]:
        """How far a sync is, and what became of every event type"""
        connection = connection_of(database, connection_id)
        with database.read() as tx:
            mine = history.details(tx, sync_id, connection_id=connection.id)
        if mine is None or not mine.delivery.message_id.startswith("sync-"):
            raise Problem(404, "sync_unknown", "There is no such sync of this connection.")
        tally, report = syncing.progress(sync_id), syncing.report(sync_id)
        return {
            "id": sync_id,
            "connection": connection.id,
            "state": "starting" if not tally.unpacked else "running" if tally.pending else "done",
            "progress": asdict(tally),
            "counts": report.counts,
            "rows": report.rows,
        }

    return routes


def _plan(plan_id: str, plan: Plan) -> dict[str, Any]:
    return {
        "id": plan_id,
        "connection": plan.connection_id,
        "made_at": plan.made_at,
        "counts": plan.counts,
        "archives": plan.archives,
        "archives_too_many": plan.archives_too_many,
        "left_out": plan.left_out,
        "actions": plan.actions,
    }


def _answer(status: int) -> Any:
    def answer(error: Any) -> Response:
        return respond(Problem(status, error.code, str(error)))

    return answer


def _too_many(error: TooManyArchives) -> Response:
    sentence = (
        f"The plan archives {error.archives} metrics: the catalogue may have been cut short. Check it; if it is right, "
        f'apply it with {{"allow_archive": {error.archives}}}.'
    )
    return respond(Problem(409, error.code, sentence))
