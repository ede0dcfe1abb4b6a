"""What every HTML page of the connector shares: its style, its headers, its forms, and how an error looks.

It must never know what a page is about.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Any

from flask import Blueprint, Flask, Response, g, render_template, request
from werkzeug.exceptions import HTTPException

from connector.store.database import StoreUnavailable
from connector.web.pages import wording
from connector.web.pages.forms import Forms
from connector.web.problems import TITLES, Problem

log = logging.getLogger(__name__)

MAX_FORM = 256 * 1024
MAX_UPLOAD = 32 * 1024 * 1024
"""Bytes of a form, and of one with a file."""

# https://www.w3.org/TR/CSP3/: nothing but our own files, and no inline script or style at all.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def install(app: Flask) -> None:
    """The style sheet and the script under `/static`, the base templates, and the words for times and foreign text."""
    routes = Blueprint(
        "pages", __name__, static_folder="static", static_url_path="/static", template_folder="templates"
    )

    @routes.after_request
    def add_headers(response: Response) -> Response:
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    app.register_blueprint(routes)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters |= {
        "foreign": wording.foreign,
        "plain": wording.plain,
        "moment": wording.moment,
        "ago": wording.ago,
        "pretty": wording.pretty,
        "number": wording.number,
        "seconds": wording.seconds,
    }


def protect(routes: Blueprint, forms: Forms, *, uploads: Collection[str] = ()) -> None:
    """Give every answer of `routes` the headers of a page, every form its token, and every error a page.

    `uploads` are the endpoints whose form carries a file.
    """

    @routes.before_request
    def judge_form() -> None:
        request.max_content_length = MAX_UPLOAD if request.endpoint in uploads else MAX_FORM
        request.max_form_memory_size = MAX_FORM
        if request.method == "POST":
            forms.check(request)

    @routes.after_request
    def add_headers(response: Response) -> Response:
        response.headers.extend(HEADERS)
        forms.remember(response)
        return response

    @routes.context_processor
    def form_token() -> dict[str, Any]:
        return {"form_token": forms.token}

    routes.register_error_handler(Problem, _problem)
    routes.register_error_handler(HTTPException, _http)
    routes.register_error_handler(StoreUnavailable, _unavailable)
    routes.register_error_handler(Exception, _unexpected)


def error_page(status: int, code: str, sentence: str) -> tuple[str, int]:
    page = g.get("error_page", "pages/error.html")
    return render_template(page, title=TITLES.get(status, "Error"), code=code, sentence=sentence), status


def _problem(problem: Problem) -> tuple[str, int, dict[str, str]]:
    return (*error_page(problem.status, problem.code, problem.detail), dict(problem.headers))


def _http(error: HTTPException) -> Any:
    status = error.code or 500
    if status < 400:
        return error.get_response()
    code = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}.get(status, f"http_{status}")
    sentence = "There is no such page." if status == 404 else error.description or ""
    return error_page(status, code, sentence)


def _unavailable(error: StoreUnavailable) -> tuple[str, int]:
    log.error("the store is unavailable: %s", error)
    return error_page(503, error.code, "The database cannot be reached at the moment. Try again in a few seconds.")


def _unexpected(error: Exception) -> tuple[str, int]:
    log.error("a page failed unexpectedly", exc_info=error)
    return error_page(500, "internal_error", "This is a defect of the connector; its log has the details.")
