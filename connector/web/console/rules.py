"""The console's rules: what they say, and a box in which an event type shows the metrics that it would give."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, render_template, request

from connector.delivery.applying import rules_of, source_of
from connector.event_types import EventType
from connector.partners import PayloadRefused, standard
from connector.policy import Plan, PolicyError, Rules, Source, plan_metrics
from connector.store import connections
from connector.web.console.desk import Desk

EXAMPLE = {
    "key": "order_completed",
    "name": "Order Completed",
    "value": {"property": "revenue", "type": "number", "unit": "USD"},
    "tags": ["checkout"],
}


def add_pages(routes: Blueprint, desk: Desk) -> None:
    @routes.route("/rules", methods=["GET", "POST"])
    def show_rules() -> str | tuple[str, int]:
        form = request.form
        plan: Plan | None = None
        wrong: str | None = None
        if request.method == "POST":
            try:
                plan = _plan(desk, form.get("event_type", ""), form.get("connection", ""), form.get("rules", ""))
            except (PolicyError, ValueError) as error:
                wrong = str(error)
        with desk.installation.database.read() as tx:
            found = connections.listing(tx)
        page = render_template(
            "console/rules.html",
            text=desk.installation.rules_text,  # what is in the file later counts after a restart only
            connections=found,
            example=json.dumps(EXAMPLE, indent=2),
            form=form,
            plan=plan,
            wrong=wrong,
        )
        return (page, 422) if wrong else page


def _plan(desk: Desk, text: str, connection_id: str, more: str) -> Plan:
    """Raises `PolicyError`, or `ValueError` for what is no event type."""
    event_type = _event_type(text)
    rules, source = desk.installation.rules, Source(partner="standard", partner_title="the partner")
    if connection_id:
        connection = desk.connection(connection_id)
        partner = desk.endpoint(connection).partner
        rules, source = rules_of(connection, rules), source_of(connection, partner, desk.title(partner))
    if more.strip():
        rules += Rules.parse(more, "the rules to try")
    return plan_metrics(event_type, source, rules)


def _event_type(text: str) -> EventType:
    """The event type that a person pasted, as the native protocol writes it. Raises `ValueError` with a sentence."""
    try:
        data: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"The event type is not JSON: {error}") from None
    try:
        return standard.read({"type": "event_type.defined", "data": data}, {}).changes[0].event_type
    except PayloadRefused as refused:
        errors = refused.errors.get("data", refused.errors)
        raise ValueError(f"This is no event type: {json.dumps(errors, ensure_ascii=False)}") from None
