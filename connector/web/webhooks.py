"""`POST /webhooks/{endpoint}`: what was received is stored durably, and only then answered.

It must never know how a request is verified or read: `receiving` does.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, jsonify, request
from sqlalchemy import Connection as Tx
from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.wrappers import Request

from connector import observing
from connector.catalogue.known import new_changes
from connector.delivery import Runner
from connector.delivery.runner import Seat
from connector.event_types import Change, Outcome
from connector.partners import Reading, Refresh
from connector.store import connections, inbox, standing
from connector.store.connections import Connection, ConnectionState
from connector.store.database import Database
from connector.store.inbox import REFRESH, Accepted, MessageIdReused, NewChange
from connector.store.standing import Standing
from connector.web import problems
from connector.web.directory import Directory, Target
from connector.web.problems import Problem
from connector.web.receiving import Receiving

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


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
        with observing.webhook(endpoint_id) as seen:
            answer, seen.status = self._receive(endpoint_id, incoming, seen)
            return answer, seen.status

    def _receive(self, endpoint_id: str, incoming: Request, seen: observing.Webhook) -> tuple[dict[str, Any], int]:
        target = self._directory.find(endpoint_id)
        seen.partner = target.sender.partner.name
        received = self._receiving.receive(target.sender, incoming)
        routed = _routed(target, received.reading)
        moving = any(connection.state is not ConnectionState.PAUSED for connection in target.connections)
        seat = self._seat(routed, received.reading) if moving else None

        def store(tx: Tx) -> tuple[Accepted, list[NewChange]]:
            new_changes = [*routed, *_looked_up(tx, target, received.reading)]
            accepted = inbox.accept(
                tx,
                endpoint_id=endpoint_id,
                message_id=received.message_id,
                body=received.body,
                headers=received.headers,
                new_changes=new_changes,
                now=self._clock(),
                lease=None if seat is None else seat.lease,
            )
            if seat is not None and accepted.work is not None:
                seat.begin(tx, accepted.work)
            return accepted, new_changes

        leased = False
        try:
            accepted, stored = self._database.write(store)
            leased = accepted.work is not None
        except MessageIdReused as error:
            raise Problem(
                409, error.code, "This message id was used before for another body. Give each message its own id."
            ) from None
        finally:
            if seat is not None and not leased:
                seat.leave()
        seen.stored(accepted.delivery_id, duplicate=accepted.duplicate)
        changes = self._outcome(accepted, stored, seat if leased else None, moving=moving)
        answer = {
            "delivery": accepted.delivery_id,
            "duplicate": accepted.duplicate,
            "changes": [_shown(change) for change in changes],
        }
        return answer, target.sender.webhook.answer or _status(changes, duplicate=accepted.duplicate)

    def _seat(self, routed: Sequence[NewChange], reading: Reading) -> Seat | None:
        """A thread for the only change of a delivery, the usual case, where one is free.

        It is leased with its receipt then, and its attempt begins in the same transaction: that saves the look for
        work, the claim and their commits.
        """
        if len(routed) != 1 or reading.catalogue is not None or reading.refresh is not None:
            return None
        (alone,) = routed
        if alone.connection_id is None or alone.state != "pending":
            return None
        return self._runner.seat(alone.connection_id)

    def _outcome(
        self, accepted: Accepted, stored: Sequence[NewChange], seat: Seat | None, *, moving: bool
    ) -> Sequence[Standing]:
        """How the changes stand when it is time to answer."""
        changes = [standing.of_new(new) for new in stored]
        if seat is not None:
            seat.go()
        elif accepted.duplicate or any(change.state == "pending" for change in changes):
            if moving:  # what a pause holds is looked for when it ends
                self._runner.ring()
        else:
            return changes
        # Wait for the outcome, where that is wanted and there is a thread to spare for it.
        if self._respond_within > 0 and self._waiting.acquire(blocking=False):
            deadline = time.monotonic() + self._respond_within
            try:
                if seat is not None:
                    settled = seat.wait(self._respond_within)
                    if settled is not None and settled.outcome is not None:
                        return [standing.of_settled(stored[0], settled)]
                self._runner.wait(accepted.delivery_id, deadline - time.monotonic())
            finally:
                self._waiting.release()
        elif not accepted.duplicate:
            return changes
        with self._database.read() as tx:
            return standing.of_delivery(tx, accepted.delivery_id)


def _routed(target: Target, reading: Reading) -> list[NewChange]:
    """What a reading means for each connection that it feeds; what feeds none is kept as skipped, for the operator."""
    routed = [NewChange("", skip.what, outcome=Outcome.SKIPPED, reason=skip.reason) for skip in reading.skips]
    for change in reading.changes:
        fed = _fed(target, change.workspace)
        routed.extend(NewChange(change.label, change.kind, change, connection.id) for connection in fed)
        if not fed:
            routed.append(_unrouted(change.label, change.kind, change.workspace, change))
    return routed


def _looked_up(tx: Tx, target: Target, reading: Reading) -> list[NewChange]:
    """Likewise for what is no change yet: a catalogue, and the wish to ask the partner what changed."""
    routed: list[NewChange] = []
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


def _status(changes: Sequence[Standing], *, duplicate: bool) -> int:
    if any(change.state != "done" for change in changes):
        return 202
    created = any(change.outcome == Outcome.CREATED for change in changes)
    return 201 if created and not duplicate else 200


def _shown(change: Standing) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "event_type": change.label,
        "change": change.kind,
        "outcome": change.outcome or "pending",
        "metrics": change.result.get("metrics", []),
    }
    for name in ("code", "reason", "next_step", "notes"):
        if change.result.get(name):
            shown[name] = change.result[name]
    return shown


class Shortcut:
    """The way of a webhook past Flask, whose routing, contexts and hooks take longer than all that is done for it.

    A special case, for speed alone: it answers as the app would, and leaves to the app all that is no webhook.
    """

    def __init__(self, app: WSGIApplication, webhooks: Webhooks) -> None:
        self._app = app
        self._webhooks = webhooks

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        endpoint_id = path.removeprefix(_PREFIX)
        if environ["REQUEST_METHOD"] != "POST" or endpoint_id == path or not _ENDPOINT.fullmatch(endpoint_id):
            return self._app(environ, start_response)
        try:
            answer, status = self._webhooks.receive(endpoint_id, Request(environ))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is answered
            return problems.of(error)(environ, start_response)
        body = json.dumps(answer, separators=(",", ":")).encode() + b"\n"
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        start_response(f"{status} {HTTP_STATUS_CODES[status].upper()}", headers)
        return [body]


_PREFIX = "/webhooks/"
_ENDPOINT = re.compile(r"[A-Za-z0-9_.~-]+")


def blueprint(webhooks: Webhooks) -> Blueprint:
    routes = Blueprint("webhooks", __name__)

    @routes.post("/webhooks/<endpoint_id>", provide_automatic_options=False)
    def receive(endpoint_id: str) -> tuple[Response, int]:
        answer, status = webhooks.receive(endpoint_id, request)
        return jsonify(answer), status

    return routes
