"""`/api/v1/replays`: many changes again, by what they have in common; watched, and cancelled."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from marshmallow import fields

from connector.delivery import Runner
from connector.installation import Installation
from connector.store import replays
from connector.store.history import Filter
from connector.store.replays import Replay
from connector.web.api.access import Access
from connector.web.api.deliveries import FilterSchema
from connector.web.api.fields import Choice, Moment, PageQuery, Strict, Whole
from connector.web.api.resource import Resource, refuse
from connector.web.problems import Problem


class NewReplaySchema(Strict):
    filter = fields.Nested(FilterSchema, required=True)
    cap = Whole(
        low=1,
        high=replays.MOST,
        load_default=replays.MOST,
        metadata={"description": "How many changes at most; the oldest come first."},
    )


class ReplaySchema(Strict):
    """`changes` were queued, `more` says that others match beyond the cap.

    `states` counts where they are now: by outcome, those under way as `pending`.
    """

    id = fields.String(required=True)
    filter = fields.Nested(FilterSchema, required=True)
    state = Choice("running", "done", "cancelled", required=True)
    changes = fields.Integer(required=True)
    more = fields.Boolean(required=True)
    states = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    created_at = Moment(required=True)
    cancelled_at = Moment(required=True, allow_none=True)


class ReplaysSchema(Strict):
    replays = fields.List(fields.Nested(ReplaySchema), required=True)
    next = fields.String(required=True, allow_none=True)


def resource(installation: Installation, runner: Runner, access: Access) -> Resource:
    database = installation.database
    routes = Resource("replays", "Many changes again, at once.", access, max_body=installation.settings.max_body)

    @routes.route("/replays", methods=["POST"])
    @routes.arguments(NewReplaySchema)
    @routes.response(202, ReplaySchema)
    def start_replay(new: Mapping[str, Any]) -> dict[str, Any]:
        """Queue every change that a filter finds again

        The filter needs at least one field. Safe: what is done already stays as it is.
        """
        if not new["filter"]:
            refuse({"filter": ["Needs at least one field."]})
        wanted = Filter(**new["filter"])
        replay = database.write(lambda tx: replays.start(tx, wanted, cap=new["cap"], now=time.time()))
        runner.ring()
        return _shown(replay)

    @routes.route("/replays", methods=["GET"])
    @routes.arguments(PageQuery, location="query")
    @routes.response(200, ReplaysSchema)
    def list_replays(page: Mapping[str, Any]) -> dict[str, Any]:
        """The replays of the last thirty days, newest first"""
        limit: int = page["limit"]
        with database.read() as tx:
            found = replays.listing(tx, after=page.get("cursor"), limit=limit + 1)
        shown = [_shown(each) for each in found[:limit]]
        return {"replays": shown, "next": found[limit - 1].id if len(found) > limit else None}

    @routes.route("/replays/<replay_id>", methods=["GET"])
    @routes.response(200, ReplaySchema)
    def read_replay(replay_id: str) -> dict[str, Any]:
        """How far a replay is"""
        with database.read() as tx:
            return _known(replays.get(tx, replay_id))

    @routes.route("/replays/<replay_id>/cancel", methods=["POST"])
    @routes.response(200, ReplaySchema)
    def cancel_replay(replay_id: str) -> dict[str, Any]:
        """Make what still waits what it was before

        What has begun is finished. One that is done or cancelled already stays as it is.
        """
        return _known(database.write(lambda tx: replays.cancel(tx, replay_id, now=time.time())))

    return routes


def _known(replay: Replay | None) -> dict[str, Any]:
    if replay is None:
        raise Problem(404, "replay_unknown", "There is no such replay (any more). GET /api/v1/replays lists them.")
    return _shown(replay)


def _shown(replay: Replay) -> dict[str, Any]:
    given = {name: value for name, value in asdict(replay.filter).items() if value is not None}
    return {**asdict(replay), "filter": given, "state": replay.state}
