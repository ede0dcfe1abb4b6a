"""`/console`: what the operator sees and does in a browser, behind the admin token.

The pages are one module each; this one says who may come in.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, g, redirect, render_template, request, url_for
from flask import Response as FlaskResponse
from werkzeug.wrappers import Response

from connector import __version__
from connector.web import pages
from connector.web.console import connections, deliveries, overview, replays, rules, syncs
from connector.web.console.desk import Desk
from connector.web.console.session import Sessions
from connector.web.pages.forms import Forms
from connector.web.problems import Problem

_OPEN = {"console.sign_in", "console.begin_session"}
_ONWARD = "onward"


def blueprint(desk: Desk, sessions: Sessions, forms: Forms) -> Blueprint:
    routes = Blueprint("console", __name__, url_prefix="/console", template_folder="templates")
    _add_guard(routes, sessions)
    pages.protect(routes, forms, uploads={"console.make_plan"})
    _add_sign_in(routes, sessions)

    @routes.context_processor
    def about() -> dict[str, Any]:
        return {"version": __version__, "now": desk.clock()}

    for room in (overview, connections, deliveries, replays, syncs, rules):
        room.add_pages(routes, desk)

    @routes.route("/<path:_nowhere>", methods=["GET", "POST"])
    def nowhere(_nowhere: str) -> Response:
        raise Problem(404, "not_found", "There is no such page.")

    return routes


def _add_guard(routes: Blueprint, sessions: Sessions) -> None:
    """Nobody gets past the sign-in without a session."""

    @routes.before_request
    def admit() -> Response | str | tuple[str, int] | None:
        g.session = session = sessions.find(request)
        g.session_id = session.id if session else ""
        if session is not None:
            g.error_page = "console/error.html"
            return None
        if not sessions.possible:
            return render_template("console/locked.html"), 503
        if request.endpoint in _OPEN:
            return None
        if request.method == "GET" and _from_elsewhere():
            # A link in a chat or a mail: the browser keeps the session's cookie back until a page of ours leads on.
            here = request.path + "?" + urlencode([*request.args.items(multi=True), (_ONWARD, "1")])
            return render_template("console/onward.html", here=here)
        came_for = request.full_path.rstrip("?") if request.method == "GET" else ""
        return redirect(url_for("console.sign_in", next=came_for or None), 303)

    @routes.after_request
    def keep_session(response: FlaskResponse) -> FlaskResponse:
        if g.get("session") is not None and request.endpoint != "console.end_session":
            sessions.keep(response, g.session)
        return response


def _add_sign_in(routes: Blueprint, sessions: Sessions) -> None:
    @routes.get("/sign-in")
    def sign_in() -> Response | str:
        if g.session is not None:
            return redirect(url_for("console.show_overview"), 303)
        return render_template("console/sign_in.html", next=request.args.get("next", ""), wrong=None)

    @routes.post("/sign-in")
    def begin_session() -> Response | tuple[str, int, dict[str, str]]:
        came_for = request.form.get("next", "")
        try:
            g.session = sessions.begin(request.form.get("token", "").strip(), request.remote_addr or "")
        except Problem as problem:
            page = render_template("console/sign_in.html", next=came_for, wrong=problem.detail)
            return page, problem.status, dict(problem.headers)
        return redirect(_own_path(came_for) or url_for("console.show_overview"), 303)

    @routes.post("/sign-out")
    def end_session() -> Response:
        response = redirect(url_for("console.sign_in"), 303)
        sessions.end(response, g.session)
        return response


def _from_elsewhere() -> bool:
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    return site in {"cross-site", "same-site"} and _ONWARD not in request.args


def _own_path(path: str) -> str | None:
    """A page of the console to go on to; never another site, however it is written."""
    parts = urlsplit(path)
    own = path.startswith("/console") and not parts.scheme and not parts.netloc and "\\" not in path
    return path if own and path.isprintable() else None
