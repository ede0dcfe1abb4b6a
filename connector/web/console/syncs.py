"""The console's syncs: make a plan, look at it, apply it, and watch it go."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.datastructures import FileStorage

from connector.catalogue.fetching import SourceError
from connector.catalogue.files import FileRefused, read_catalogue
from connector.catalogue.plans import Plan, PlanMalformed
from connector.catalogue.syncing import SyncRefused, TooManyArchives
from connector.event_types import Catalogue
from connector.installation import syncer
from connector.launchdarkly import CredentialRefused, LaunchDarklyError
from connector.policy import PolicyError
from connector.store import connections, history, shown_plans
from connector.store.connections import Connection
from connector.store.rows import new_id
from connector.web.console.desk import Desk
from connector.web.problems import Problem

REFUSED = (CredentialRefused, FileRefused, LaunchDarklyError, PlanMalformed, PolicyError, SourceError, SyncRefused)
MOST_SHOWN = 200
"""Rows of a plan or a report that a page shows."""


def add_pages(routes: Blueprint, desk: Desk) -> None:
    syncing = syncer(desk.installation)
    database = desk.installation.database

    @routes.get("/connections/<connection_id>/sync")
    def show_sync(connection_id: str) -> str:
        return _form(desk, desk.connection(connection_id), unfinished=syncing.unfinished(connection_id))

    @routes.post("/connections/<connection_id>/sync")
    def make_plan(connection_id: str) -> Any:
        connection, form = desk.connection(connection_id), request.form
        only = tuple(each for each in form.get("only", "").split() if each)
        try:
            catalogue = _catalogue(desk, connection, request.files.get("file"))
            plan = syncing.plan(connection_id, catalogue, adopt="adopt" in form, only=only)
        except REFUSED as refused:
            return _form(desk, connection, wrong=str(refused)), 422
        now = desk.clock()
        plan_id = new_id("plan", now)
        database.write(lambda tx: shown_plans.add(tx, plan_id, connection_id, plan.to_dict(), now=now))
        return redirect(url_for("console.show_plan", connection_id=connection_id, plan_id=plan_id), 303)

    @routes.get("/connections/<connection_id>/plans/<plan_id>")
    def show_plan(connection_id: str, plan_id: str) -> str:
        return _plan(desk, desk.connection(connection_id), plan_id)

    @routes.post("/connections/<connection_id>/plans/<plan_id>/apply")
    def apply_plan(connection_id: str, plan_id: str) -> Any:
        connection = desk.connection(connection_id)
        plan = _stored(desk, connection, plan_id)
        try:
            delivery = syncing.apply(plan, allow_archive=plan.archives if "allow_archive" in request.form else 0)
        except TooManyArchives:
            return _plan(
                desk, connection, plan_id, wrong="Tick the box to allow that many metrics to be archived."
            ), 422
        except REFUSED as refused:
            return _plan(desk, connection, plan_id, wrong=str(refused)), 422
        desk.runner.ring()
        return redirect(url_for("console.show_progress", connection_id=connection_id, delivery_id=delivery), 303)

    @routes.get("/connections/<connection_id>/syncs/<delivery_id>")
    def show_progress(connection_id: str, delivery_id: str) -> str:
        connection = desk.connection(connection_id)
        with database.read() as tx:
            mine = history.details(tx, delivery_id, connection_id=connection_id)
        if mine is None or not mine.delivery.message_id.startswith("sync-"):
            raise Problem(404, "delivery_unknown", "There is no such sync of this connection.")
        tally = syncing.progress(delivery_id)
        report = syncing.report(delivery_id)
        # What comes first is what a person has to look at.
        rows = sorted(report.rows, key=lambda row: row.went)
        return render_template(
            "console/progress.html",
            connection=connection,
            tally=tally,
            report=report,
            rows=rows[:MOST_SHOWN],
            left_out=max(0, len(rows) - MOST_SHOWN),
            running=not tally.unpacked or tally.pending > tally.held,
        )


def _form(desk: Desk, connection: Connection, **said: Any) -> str:
    partner = desk.installation.partners.get(desk.endpoint(connection).partner)
    with desk.installation.database.read() as tx:
        listed = partner.list_api is not None and connections.stored_source(tx, connection.id) is not None
    return render_template(
        "console/sync.html", connection=connection, partner=partner, listed=listed, form=request.form, **said
    )


def _plan(desk: Desk, connection: Connection, plan_id: str, wrong: str | None = None) -> str:
    plan = _stored(desk, connection, plan_id)
    return render_template(
        "console/plan.html",
        connection=connection,
        plan_id=plan_id,
        plan=plan,
        actions=plan.actions[:MOST_SHOWN],
        left_out=max(0, len(plan.actions) - MOST_SHOWN),
        wrong=wrong,
    )


def _stored(desk: Desk, connection: Connection, plan_id: str) -> Plan:
    """Raises `Problem`."""
    with desk.installation.database.read() as tx:
        stored = shown_plans.get(tx, plan_id, connection.id)
    try:
        return Plan.from_dict(stored or {})
    except PlanMalformed:
        raise Problem(404, "plan_unknown", "There is no such plan (any more): make it again.") from None


def _catalogue(desk: Desk, connection: Connection, file: FileStorage | None) -> Catalogue | None:
    """The catalogue of an uploaded file; None where there is none. Raises `FileRefused`."""
    if file is None or not file.filename:
        return None
    partner = desk.installation.partners.get(desk.endpoint(connection).partner)
    # The name that a stranger gave a file is not one to use on this machine.
    with tempfile.TemporaryDirectory(prefix="connector-") as directory:
        path = Path(directory) / "catalogue"
        file.save(path)
        try:
            return read_catalogue(path, partner=partner)
        except FileRefused as refused:
            raise FileRefused("The file", str(refused).replace(f"{path}: ", "").replace(f"{path}", "it"), "") from None
