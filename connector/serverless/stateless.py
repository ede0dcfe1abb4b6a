"""Webhooks without a database: LaunchDarkly itself is the memory, and only what is done is answered with success.

What cannot be finished within the request is the sender's to send again, which is harmless: a change that LaunchDarkly
already shows makes no call that writes. It must never know which cloud it runs in.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

from flask import Blueprint, Flask, Response, jsonify, request
from werkzeug.wrappers import Request

from connector.connections import DEFAULT, environment_connection
from connector.delivery.applying import outcome_of, source_of
from connector.delivery.merging import Clock, Merged
from connector.delivery.metrics import Metrics
from connector.delivery.retrying import opens_at
from connector.event_types import Change, Outcome
from connector.installation import clients, open_partners, open_rules
from connector.launchdarkly import (
    ArchiveNotApplied,
    Forbidden,
    Invalid,
    KeyExists,
    LaunchDarkly,
    LaunchDarklyError,
    NotFound,
    RateLimited,
    Unauthorized,
)
from connector.policy import Plan, PolicyError, Rules, Source, plan_metrics
from connector.serverless.recalling import Intended, Recalled, intend, recall
from connector.settings import EnvironmentConnection, Settings
from connector.store.connections import Connection
from connector.web import problems
from connector.web.problems import Problem
from connector.web.receiving import Received, Receiving, Sender

log = logging.getLogger(__name__)

SOON = 10
"""Seconds until a sender may try again after a fault that passes by itself."""

LATER = 300
"""The same for a fault that a person has to mend, such as a revoked API key."""

Shown = dict[str, Any]


class StatelessApplier:
    """Applies one change to the metrics that LaunchDarkly has of its event type."""

    def __init__(
        self,
        client: LaunchDarkly,
        connection: Connection,
        source: Source,
        rules: Rules,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._connection = connection
        self._source = source
        self._rules = rules
        self._clock = clock

    def apply(self, change: Change, *, message_id: str, position: int) -> Shown:
        """The change as the answer shows it. Raises `LaunchDarklyError` or `PolicyError`."""
        clock = Clock.of(change, received_at=self._clock(), message_id=message_id, position=position)
        intended = self._intend(change, clock)
        shown: Shown = {"event_type": change.label, "change": change.kind, "outcome": Outcome.SKIPPED, "metrics": []}
        if intended.plan.skipped_by is not None:
            return shown | {"reason": intended.plan.skipped_by}
        metrics = Metrics(self._client, self._connection, intended.links, reserve=lambda _link: True)
        if intended.merged.wanted:
            metrics.converge(
                intended.metrics,
                identity=change.event_type.id or intended.merged.key_hint or "",
                status=intended.merged.status,
                delete=False,
            )
        outcome = outcome_of(change.kind, intended.merged, metrics)
        shown |= {"outcome": outcome, "metrics": metrics.summary()}
        notes = [*intended.plan.notes, *metrics.notes]
        return shown | {"notes": notes} if notes else shown

    def _intend(self, change: Change, clock: Clock) -> Intended:
        intended = intend(self._by_event_key(change), change, clock, self._plan)
        known = {link.measure for link in intended.links}
        if change.event_type.id is not None and (
            not known or any(one.measure not in known for one in intended.metrics)
        ):
            # Before a metric is made, or an id is taken for unknown: it may stand under an event key of long ago.
            intended = intend(self._by_id(change), change, clock, self._plan)
        return intended

    def _plan(self, merged: Merged) -> Plan:
        return plan_metrics(merged.event_type, self._source, self._rules, key_hint=merged.key_hint)

    def _by_event_key(self, change: Change) -> list[Recalled]:
        event_type = change.event_type
        # Where a product has no keys its SDK sends the names.
        now, before = (
            (event_type.key, change.previous_key) if event_type.key else (event_type.name, change.previous_name)
        )
        keys = list(dict.fromkeys(key for key in (now, before) if key))
        if not keys:
            return []
        found = self._find(f"eventKeys anyOf {json.dumps(keys)}", change)
        named = [each for each in found if each.metric.get("eventKey") in keys]
        return sorted(named, key=lambda each: keys.index(each.metric["eventKey"]))

    def _by_id(self, change: Change) -> list[Recalled]:
        return self._find(f"tags contains {json.dumps([self._source.partner])}", change)

    def _find(self, condition: str, change: Change) -> list[Recalled]:
        listed = self._client.list_metrics(self._connection.project_key, filter=condition)
        recalled = (recall(metric, change.event_type, self._source) for metric in listed)
        return [each for each in recalled if each is not None]


class StatelessWebhooks:
    """The way of a webhook whose connection is the environment's; a success means that LaunchDarkly has it."""

    def __init__(self, receiving: Receiving, sender: Sender, applier: StatelessApplier) -> None:
        self._receiving = receiving
        self._sender = sender
        self._applier = applier

    def receive(self, endpoint_id: str, incoming: Request) -> tuple[Shown, int]:
        """The body and status of the answer. Raises `Problem`."""
        if endpoint_id != self._sender.endpoint_id:
            raise Problem(404, "endpoint_unknown", "There is no such endpoint. Check the webhook URL.")
        received = self._receiving.receive(self._sender, incoming)
        reading = received.reading
        if reading.catalogue is not None or reading.refresh is not None:
            raise Problem(
                422,
                "database_needed",
                "A catalogue is compared with what was known before, and this installation remembers nothing: "
                "set CONNECTOR_DATABASE_URL, then send it again.",
            )
        skipped = [
            {"event_type": "", "change": skip.what, "outcome": Outcome.SKIPPED, "metrics": [], "reason": skip.reason}
            for skip in reading.skips
        ]
        changes = self._apply(reading.changes, received)
        outcomes = [str(change["outcome"]) for change in changes]
        log.info("webhook applied", extra={"message_id": received.message_id, "outcomes": ",".join(outcomes)})
        answer = {"delivery": received.message_id, "duplicate": False, "changes": [*skipped, *changes]}
        return answer, self._sender.webhook.answer or (201 if Outcome.CREATED in outcomes else 200)

    def _apply(self, changes: Sequence[Change], received: Received) -> list[Shown]:
        """One change that can never be applied does not keep the others from it; a fault that passes ends the work."""
        applied: list[Shown] = []
        refused: Problem | None = None
        for position, change in enumerate(changes):
            try:
                applied.append(self._applier.apply(change, message_id=received.message_id, position=position))
            except (LaunchDarklyError, PolicyError) as error:
                log.warning("a change was not applied: %s", error, extra={"event_type": change.label})
                problem = _problem(error)
                if problem.status == 503:
                    raise problem from None
                refused = refused or problem
        if refused is not None:
            raise refused
        return applied


def _problem(error: LaunchDarklyError | PolicyError) -> Problem:
    """422 where sending again can never help: a success would say that it is done, and a 503 come back for ever."""
    code = error.code
    if isinstance(error, Invalid | KeyExists | ArchiveNotApplied | PolicyError):
        return Problem(422, code, str(error))
    wait = SOON
    if isinstance(error, Unauthorized | Forbidden) or (isinstance(error, NotFound) and error.missing == "project"):
        wait = LATER
    elif isinstance(error, RateLimited) and (opens := opens_at(error.limits)) is not None:
        wait = max(1, math.ceil(opens - time.time()))
    detail = f"This was not finished, and nothing was kept: send it again after Retry-After. {error}"
    return Problem(503, code, detail, headers={"Retry-After": str(wait)})


def create_stateless_app(settings: Settings, environment: EnvironmentConnection) -> Flask:
    """The WSGI application of one connection. Raises `SettingsError`, `MappingRefused` or `PolicyError`."""
    partners = open_partners(settings)
    connection = environment_connection(environment, partners)
    partner = partners.get(environment.partner)
    webhook = partner.webhook
    assert webhook is not None  # noqa: S101 - `environment_connection` has judged it
    webhooks = StatelessWebhooks(
        Receiving(max_body=settings.max_body, endpoint_rate=settings.endpoint_rate),
        Sender(DEFAULT, partner, webhook, [environment.webhook_secret]),
        StatelessApplier(
            clients(settings)(connection, partner.name, environment.api_key),
            connection,
            source_of(connection, partner.name, partner.title),
            open_rules(settings),
        ),
    )
    routes = Blueprint("webhooks", __name__)

    @routes.post("/webhooks/<endpoint_id>", provide_automatic_options=False)
    def receive(endpoint_id: str) -> tuple[Response, int]:
        answer, status = webhooks.receive(endpoint_id, request)
        return jsonify(answer), status

    app = Flask("connector", static_folder=None)
    problems.install(app)
    app.register_blueprint(routes)
    return app
