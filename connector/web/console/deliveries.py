"""The console's deliveries: a search, and a page for each with all that was received, said and done."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for

from connector.event_types import Outcome
from connector.store import connections, history, inbox
from connector.store.history import DeliveryDetails, Filter
from connector.store.tables import changes
from connector.web.console.desk import Desk
from connector.web.console.searching import STATES, asked_for, filled, filter_of
from connector.web.problems import Problem

SHOWN = 50
_LONGEST_BODY = 200_000
"""Bytes of a body that the page shows."""


def add_pages(routes: Blueprint, desk: Desk) -> None:
    database = desk.installation.database

    @routes.get("/deliveries")
    def list_deliveries() -> str | tuple[str, int]:
        asked = asked_for(request.args)
        wrong = None
        try:
            wanted: Filter | None = filter_of(asked)
        except ValueError as error:
            wanted, wrong = None, str(error)
        with database.read() as tx:
            known = connections.listing(tx)
            page = None if wanted is None else history.search(tx, wanted, after=_after(), limit=SHOWN)
        shown = render_template(
            "console/deliveries.html",
            asked=asked,
            page=page,
            wrong=wrong,
            connections=known,
            names={each.id: each.name for each in known},
            states=STATES,
            outcomes=[outcome for outcome in Outcome if outcome is not Outcome.PARKED],
            given=filled(asked),
            next={**filled(asked), "after": page.next} if page and page.next else None,
        )
        return (shown, 422) if wrong else shown

    @routes.get("/deliveries/<delivery_id>")
    def show_delivery(delivery_id: str) -> str:
        with database.read() as tx:
            details = history.details(tx, delivery_id)
            names = {each.id: each.name for each in connections.listing(tx)}
        if details is None:
            raise Problem(404, "delivery_unknown", "There is no such delivery; they are kept for 30 days.")
        pending = any(change.state == "pending" and not change.held for change in details.delivery.changes)
        return render_template(
            "console/delivery.html",
            delivery=details.delivery,
            details=details,
            body=details.body[:_LONGEST_BODY],
            left_out=max(0, len(details.body) - _LONGEST_BODY),
            line=_time_line(details),
            names=names,
            pending=pending,
            replayed=request.args.get("replayed"),
        )

    @routes.post("/deliveries/<delivery_id>/replay")
    def replay(delivery_id: str) -> Any:
        of_it = changes.c.delivery_id == delivery_id
        queued = database.write(lambda tx: inbox.replay(tx, of_it, now=desk.clock()))
        if queued:
            desk.runner.ring()
        return redirect(url_for("console.show_delivery", delivery_id=delivery_id, replayed=queued), 303)


def _after() -> str | None:
    after = request.args.get("after", "")
    return after if after.isascii() and after.isprintable() and after else None


def _time_line(details: DeliveryDetails) -> list[dict[str, Any]]:
    """What happened when, oldest first: the receipt, each attempt with its calls, the end of each change."""
    labels = {change.id: change.label for change in details.delivery.changes}
    line: list[dict[str, Any]] = [{"at": details.delivery.received_at, "kind": "received", "mood": "good"}]
    for attempt in details.attempts:
        good = attempt.code in set(Outcome) - {Outcome.PARKED}
        mood = "good" if good else "bad" if attempt.code == Outcome.PARKED else "warn"
        line.append(
            {"at": attempt.started_at, "kind": "attempt", "mood": mood, "attempt": attempt}
            | {"label": labels.get(attempt.change_id, "")}
        )
    for change in details.delivery.changes:
        if change.finished_at is not None:
            mood = "bad" if change.state == "parked" else "good"
            line.append({"at": change.finished_at, "kind": "finished", "mood": mood, "change": change})
    return sorted(line, key=lambda entry: float(entry["at"]))
