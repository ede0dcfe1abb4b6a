"""The console's connections: all of them, a new one, and one with its health and every action on it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from connector.alerts.conditions import expiry_level
from connector.connections import DEFAULT, LONGEST_RULES, OVERLAP, WAITING, ConnectionRefused, NewConnection
from connector.launchdarkly import BASE_URLS, CredentialRefused, metric_url
from connector.partners import UnknownPartner
from connector.policy import PolicyError
from connector.setup_links import EXPIRES
from connector.signatures import SecretRefused
from connector.store import connections, endpoints, overview
from connector.store.connections import Connection
from connector.web.console.desk import Desk
from connector.web.console.probe import EXAMPLE, TYPE, send_probe
from connector.web.problems import Problem
from connector.web.setup.trying import KeyNotUsable, try_key, try_project

SHOWN = 100
METRICS_SHOWN = 50
REFUSED = (ConnectionRefused, CredentialRefused, PolicyError, SecretRefused, UnknownPartner)
OVERLAPS = {"0": "at once", "3600": "in an hour", str(int(OVERLAP)): "in a day", "604800": "in a week"}
LIFETIMES = {"3600": "an hour", "86400": "a day", str(int(EXPIRES)): "a week", "2592000": "30 days"}


DONE = {
    "paused": "The connection is paused: what arrives is kept.",
    "resumed": "The connection is active: what waited is applied now.",
    "key": "The key works and is stored; the connection is active.",
    "rules": "The rules are stored: they hold from the next change of an event type on.",
    "no-rules": "The connection has no rules of its own any more.",
    "removed": "The connection is removed; its metrics stay in LaunchDarkly.",
}


def add_pages(routes: Blueprint, desk: Desk) -> None:
    pages = ConnectionPages(desk)
    one = "/connections/<connection_id>"
    for method, rule, view in (
        ("GET", "/connections", pages.list_connections),
        ("GET", "/connections/new", pages.new_connection),
        ("POST", "/connections/new", pages.add_connection),
        ("GET", one, pages.show_connection),
        ("POST", one + "/pause", pages.pause),
        ("POST", one + "/resume", pages.resume),
        ("POST", one + "/key", pages.set_key),
        ("POST", one + "/secret", pages.rotate_secret),
        ("POST", one + "/setup-link", pages.make_setup_link),
        ("POST", one + "/rules", pages.replace_rules),
        ("POST", one + "/test-webhook", pages.send_test_webhook),
        ("POST", one + "/remove", pages.remove),
    ):
        routes.add_url_rule(rule, view.__name__, view, methods=[method])


class ConnectionPages:
    """Each method is a page or an action."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._operations = desk.installation.connections

    def list_connections(self) -> str:
        with self._desk.installation.database.read() as tx:
            known = connections.listing(tx)
            ids, after = [each.id for each in known], request.args.get("after")
            behind = ids.index(after) + 1 if after in ids else 0
            page = known[behind : behind + SHOWN]
            found = [(each, endpoints.get(tx, each.endpoint_id), overview.brief_of(tx, each.id)) for each in page]
        return render_template(
            "console/connections.html",
            found=found,
            more=page[-1].id if behind + SHOWN < len(known) else None,
            title=self._desk.title,
            done=_done(),
        )

    def new_connection(self) -> str:
        return _new(self._desk)

    def add_connection(self) -> Any:
        form = request.form
        try:
            added = self._operations.add(
                NewConnection(
                    name=form.get("name", ""),
                    partner=form.get("partner", ""),
                    project_key=form.get("project_key", "").strip(),
                    base_url=form.get("base_url", "us"),
                )
            )
            link = self._desk.setup_links.make(added.connection)
        except REFUSED as refused:
            return _new(self._desk, str(refused)), 422
        shown = {"connection": added.connection, "secret": added.secret, "link": link}
        return render_template("console/added.html", **shown, url=self._desk.webhook_url(added.connection))

    def show_connection(self, connection_id: str) -> str:
        return _page(self._desk, self._desk.connection(connection_id))

    def pause(self, connection_id: str) -> Any:
        return _act(self._desk, connection_id, self._operations.pause, "paused")

    def resume(self, connection_id: str) -> Any:
        return _act(self._desk, connection_id, self._operations.resume, "resumed")

    def set_key(self, connection_id: str) -> Any:
        connection = self._desk.connection(connection_id)
        key = request.form.get("api_key", "").strip()
        partner = self._desk.endpoint(connection).partner
        try:
            tried = try_key(self._desk.clients, connection, partner, connection.base_url, key)
            left = try_project(
                self._desk.clients, connection, partner, connection.base_url, key, connection.project_key
            )
            self._operations.set_key(connection, key, expires_at=tried.holder.expires_at)
        except KeyNotUsable as refused:
            return _page(self._desk, connection, refused_key=refused), 422
        except REFUSED as refused:
            return _page(self._desk, connection, wrong=str(refused)), 422
        self._desk.runner.ring()
        if left:
            sentence = f"{DONE['key']} It may not delete metrics: the test metric {left} stayed."
            return _page(self._desk, connection, done=sentence)
        return redirect(url_for("console.show_connection", connection_id=connection_id, done="key"), 303)

    def rotate_secret(self, connection_id: str) -> Any:
        connection = self._desk.connection(connection_id)
        overlap = request.form.get("overlap", "")
        try:
            if overlap not in OVERLAPS:
                raise ConnectionRefused("Choose how long the secret before it works on.")
            fresh = self._operations.rotate_secret(connection, overlap=float(overlap))
        except REFUSED as refused:
            return _page(self._desk, connection, wrong=str(refused)), 422
        return _page(self._desk, connection, fresh_secret=fresh)

    def make_setup_link(self, connection_id: str) -> Any:
        connection = self._desk.connection(connection_id)
        try:
            expires = request.form.get("expires", "")
            if expires not in LIFETIMES:
                raise ConnectionRefused("Choose how long the link works.")
            link = self._desk.setup_links.make(connection, expires=float(expires))
        except REFUSED as refused:
            return _page(self._desk, connection, wrong=str(refused)), 422
        return _page(self._desk, connection, fresh_link=link)

    def replace_rules(self, connection_id: str) -> Any:
        connection = self._desk.connection(connection_id)
        text = request.form.get("rules", "").replace("\r\n", "\n").rstrip()  # a browser ends lines with CR LF
        try:
            if len(text) > LONGEST_RULES:
                raise ConnectionRefused(f"The rules are longer than {LONGEST_RULES:,} characters: shorten them.")
            rules = f"{text}\n" if text else None
            self._operations.change(connection, options=replace(connection.options, rules=rules))
        except REFUSED as refused:
            return _page(self._desk, connection, refused_rules=str(refused)), 422
        done = "no-rules" if rules is None else "rules"
        # The form leads to itself, where a refusal stands; what was done is said at the top.
        return redirect(url_for("console.show_connection", connection_id=connection_id, done=done, _anchor="main"), 303)

    def send_test_webhook(self, connection_id: str) -> Any:
        connection = self._desk.connection(connection_id)
        form = request.form
        return _page(
            self._desk, connection, probe=send_probe(self._desk, connection, form.get("type", ""), form.get("data", ""))
        )

    def remove(self, connection_id: str) -> Any:
        connection = self._desk.connection(connection_id)
        if request.form.get("name", "").strip() != connection.name:
            return _page(self._desk, connection, wrong="To remove it, enter the connection's name exactly."), 422
        if connection.id == DEFAULT:
            wrong = "The connection `default` lives in the environment: take it out there and restart."
            return _page(self._desk, connection, wrong=wrong), 422
        self._operations.remove(connection)
        return redirect(url_for("console.list_connections", done="removed"), 303)


def _done() -> str | None:
    """What the action before the redirect to this page did."""
    return DONE.get(request.args.get("done", ""))


def _act(desk: Desk, connection_id: str, act: Callable[[Connection], None], done: str) -> Response | tuple[str, int]:
    connection = desk.connection(connection_id)
    try:
        act(connection)
    except ConnectionRefused as refused:
        return _page(desk, connection, wrong=str(refused)), 422
    desk.runner.ring()
    return redirect(url_for("console.show_connection", connection_id=connection_id, done=done), 303)


def _new(desk: Desk, wrong: str | None = None) -> str:
    partners = [
        desk.installation.partners.get(name)
        for name in desk.installation.partners.names()
        if desk.installation.partners.get(name).webhook is not None
    ]
    return render_template("console/new.html", partners=partners, base_urls=BASE_URLS, wrong=wrong, form=request.form)


def _page(desk: Desk, connection: Connection, **said: Any) -> str:
    """The page of a connection as it stands now; `said` is what an action has to say once."""
    after = request.args.get("after", "0")
    if not (after.isascii() and after.isdigit() and len(after) < 18):
        raise Problem(404, "not_found", "There is no such page.")
    connection = desk.connection(connection.id)
    endpoint = desk.endpoint(connection)
    with desk.installation.database.read() as tx:
        figures = overview.figures_of(tx, connection.id)
        metrics = overview.metrics_of(tx, connection.id, after=int(after), limit=METRICS_SHOWN + 1)
        secrets = overview.secrets_of(tx, endpoint.id, now=desk.clock())
    return render_template(
        "console/connection.html",
        connection=connection,
        endpoint=endpoint,
        partner=desk.installation.partners.get(endpoint.partner),
        url=desk.webhook_url(connection),
        figures=figures,
        metrics=metrics[:METRICS_SHOWN],
        more=metrics[METRICS_SHOWN - 1].id if len(metrics) > METRICS_SHOWN else None,
        secrets=secrets,
        waiting=connection.state_code == WAITING,
        expiring=expiry_level(connection.key_expires_at, desk.clock()) > 0,
        fixed=connection.id == DEFAULT,
        example={"type": TYPE, "data": json.dumps(EXAMPLE, indent=2)},
        longest_rules=LONGEST_RULES,
        overlaps=OVERLAPS,
        lifetimes=LIFETIMES,
        metric_url=lambda key: metric_url(connection.base_url, connection.project_key, key),
        **{"done": _done(), **said},
    )
