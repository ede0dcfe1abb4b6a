"""Errors as RFC 9457 problem details: one shape, one place, a stable code and what to do."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from connector.store.database import StoreUnavailable

log = logging.getLogger(__name__)


class Problem(Exception):
    """An answer that is not a success. `detail` says what is wrong and what to do next."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}


TITLES = {
    400: "Bad request",
    401: "Not authenticated",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    410: "Gone",
    413: "Body too large",
    415: "Unsupported media type",
    422: "Unprocessable content",
    429: "Too many requests",
    500: "Internal error",
    502: "Somebody else's service failed",
    503: "Not available now",
}


def respond(problem: Problem) -> Response:
    """The answer of a problem, `application/problem+json` (RFC 9457, section 3)."""
    body: dict[str, Any] = {
        "type": f"/errors/{problem.code}",
        "title": TITLES.get(problem.status, "Error"),
        "status": problem.status,
        "code": problem.code,
        "detail": problem.detail,
    }
    if problem.errors:
        body["errors"] = problem.errors
    response = Response(json.dumps(body), status=problem.status, content_type="application/problem+json")
    response.headers.extend(dict(problem.headers))
    return response


def install(app: Flask) -> None:
    """Every error that leaves the app leaves as a problem."""
    app.register_error_handler(Exception, of)


def of(error: Exception) -> Response:
    """The answer to any error."""
    match error:
        case Problem():
            return respond(error)
        case HTTPException():
            return _http(error)
        case StoreUnavailable():
            return _unavailable(error)
        case _:
            return _unexpected(error)


def _http(error: HTTPException) -> Response:
    response = error.get_response()
    status = response.status_code
    code = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}.get(status, f"http_{status}")
    kept = {name: value for name, value in response.headers.items() if name in {"Allow", "Retry-After", "Location"}}
    return respond(Problem(status, code, error.description or "", headers=kept))


def _unavailable(error: StoreUnavailable) -> Response:
    log.error("the store is unavailable: %s", error)
    return respond(
        Problem(
            503,
            error.code,
            "Nothing can be stored durably at the moment, so nothing was accepted. Send it again after Retry-After.",
            headers={"Retry-After": "5"},
        )
    )


def _unexpected(error: Exception) -> Response:
    log.error("a request failed unexpectedly", exc_info=error)
    return respond(
        Problem(
            500, "internal_error", "This is a defect of the connector; its log has the details. Send it again later."
        )
    )
