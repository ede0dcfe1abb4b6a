"""`POST /webhooks/{endpoint}`: what was received is stored durably, and only then answered.

It must never know how a request is verified or read: `receiving` does.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from flask import Blueprint, Response, jsonify, request
from sqlalchemy import Connection as Tx
from werkzeug.wrappers import Request

from connector.catalogue.known import new_changes
from connector.delivery import Runner
from connector.event_types import Change, Outcome
from connector.partners import Reading, Refresh
from connector.store import connections, history, inbox
from connector.store.connections import Connection
from connector.store.database import Database
from connector.store.history import ChangeRecord
from connector.store.inbox import REFRESH, MessageIdReused, NewChange
from connector.web.directory import Directory, Target
from connector.web.problems import Problem
from connector.web.receiving import Receiving

log = logging.getLogger(__name__)


class Webhooks:
    """The webhook's way, step by step. `respond_within` is how long an answer waits for the outcome, in seconds."""

    def __init__(
        self,
        database: Database,
        directory: Directory,
        receiving: Receiving,
        runner: Runner,
        *,
        respond_within: float,
        threads: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._directory = directory
        self._receiving = receiving
        self._runner = runner
        self._respond_within = respond_within
        # Requests that wait for an outcome must leave threads for those that only want to be stored.
        self._waiting = threading.BoundedSemaphore(max(1, threads // 2))
        self._clock = clock

    def receive(self, endpoint_id: str, incoming: Request) -> tuple[dict[str, Any], int]:
        """The body and status of the answer. Raises `Problem` or `StoreUnavailable`."""
        target = self._directory.find(endpoint_id)
        received = self._receiving.receive(target.sender, incoming)
        try:
            accepted = self._database.write(
                lambda tx: inbox.accept(
                    tx,
                    endpoint_id=endpoint_id,
                    message_id=received.message_id,
                    body=received.body,
                    headers=received.headers,
                    new_changes=_route(tx, target, received.reading),
                    now=self._clock(),
                )
            )
        except MessageIdReused as error:
            raise Problem(
                409, error.code, "This message id was used before for another body. Give each message its own id."
            ) from None
        records = self._outcome(accepted.delivery_id)
        log.info(
            "delivery accepted",
            extra={
                "delivery": accepted.delivery_id,
                "endpoint": endpoint_id,
                "partner": target.sender.partner.name,
                "duplicate": accepted.duplicate,
                "changes": len(records),
            },
        )
        status = _status(records, duplicate=accepted.duplicate)
        answer = {
            "delivery": accepted.delivery_id,
            "duplicate": accepted.duplicate,
            "changes": [_shown(record) for record in records],
        }
        return answer, target.sender.webhook.answer or status

    def _outcome(self, delivery_id: str) -> Sequence[ChangeRecord]:
        self._runner.ring()
        if self._respond_within > 0 and self._waiting.acquire(blocking=False):
            try:
                self._runner.wait(delivery_id, self._respond_within)
            finally:
                self._waiting.release()
        with self._database.read() as tx:
            return history.changes_of(tx, [delivery_id])[delivery_id]


def _route(tx: Tx, target: Target, reading: Reading) -> list[NewChange]:
    """What a reading means for each connection that it feeds; what feeds none is kept as skipped, for the operator."""
    routed = [NewChange("", skip.what, outcome=Outcome.SKIPPED, reason=skip.reason) for skip in reading.skips]
    for change in reading.changes:
        fed = _fed(target, change.workspace)
        routed.extend(NewChange(change.label, change.kind, change, connection.id) for connection in fed)
        if not fed:
            routed.append(_unrouted(change.label, change.kind, change.workspace, change))
    if reading.catalogue is not None:
        fed = _fed(target, reading.catalogue.workspace)
        for connection in fed:
            routed.extend(new_changes(tx, connection.id, reading.catalogue))
        if not fed:
            routed.append(_unrouted("", "catalogue", reading.catalogue.workspace))
    if reading.refresh is not None:
        fed = _fed(target, reading.refresh.workspace)
        routed.extend(_refresh(tx, target, connection, reading.refresh) for connection in fed)
        if not fed:
            routed.append(_unrouted("", REFRESH, reading.refresh.workspace))
    return routed


def _fed(target: Target, workspace: str | None) -> list[Connection]:
    """One workspace may feed several connections; on a shared endpoint each names its own."""
    return [
        connection
        for connection in target.connections
        if (connection.workspace == workspace if connection.workspace is not None else not target.endpoint.shared)
    ]


def _unrouted(label: str, kind: str, workspace: str | None, change: Change | None = None) -> NewChange:
    reason = (
        f"No connection for the workspace {workspace!r}: add one, then let the partner send it again."
        if workspace
        else "The endpoint has no connection for this."
    )
    return NewChange(label, kind, change, outcome=Outcome.SKIPPED, reason=reason)


def _refresh(tx: Tx, target: Target, connection: Connection, refresh: Refresh) -> NewChange:
    if target.sender.partner.list_api is not None and connections.stored_source(tx, connection.id) is not None:
        return NewChange("", REFRESH, connection_id=connection.id)
    reason = (
        f"{refresh.missing} Give the connection a credential for {target.sender.partner.title}'s list API: "
        "connector connections set-source"
    )
    return NewChange("", REFRESH, connection_id=connection.id, outcome=Outcome.SKIPPED, reason=reason)


def _status(records: Sequence[ChangeRecord], *, duplicate: bool) -> int:
    if any(record.state != "done" for record in records):
        return 202
    created = any(record.outcome == Outcome.CREATED for record in records)
    return 201 if created and not duplicate else 200


def _shown(record: ChangeRecord) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "event_type": record.label,
        "change": record.kind,
        "outcome": record.outcome or "pending",
        "metrics": record.result.get("metrics", []),
    }
    for name in ("code", "reason", "next_step", "notes"):
        if record.result.get(name):
            shown[name] = record.result[name]
    return shown


def blueprint(webhooks: Webhooks) -> Blueprint:
    routes = Blueprint("webhooks", __name__)

    @routes.post("/webhooks/<endpoint_id>", provide_automatic_options=False)
    def receive(endpoint_id: str) -> tuple[Response, int]:
        answer, status = webhooks.receive(endpoint_id, request)
        return jsonify(answer), status

    return routes
