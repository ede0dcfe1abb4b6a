"""JSON in and out of a Flask request, and the sandbox it is for. It must never know what is said."""

from __future__ import annotations

import json

from flask import Response, current_app, request

from connector.sandbox.errors import InvalidRequestError
from connector.sandbox.state import SandboxState


def sandbox() -> SandboxState:
    """The sandbox that serves the current request."""
    state: SandboxState = current_app.extensions["sandbox"]
    return state


def json_body() -> object:
    """The request's body, whatever its content type. Raises `InvalidRequestError`."""
    try:
        return json.loads(request.get_data(cache=False))
    except ValueError:
        raise InvalidRequestError("the body is not valid JSON") from None


def answer(body: object, status: int = 200) -> Response:
    return Response(json.dumps(body, separators=(",", ":")), status, content_type="application/json")
