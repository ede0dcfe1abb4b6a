"""LaunchDarkly's API as a Flask application: who may call, what is called, how it is answered. The rules are elsewhere.

https://launchdarkly.com/docs/api. It must never sleep, fail at random or touch a socket: `wire` does.
"""

from __future__ import annotations

import hashlib
from typing import Any

from flask import Blueprint, Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from connector.sandbox.config import ApiKey, Role, SandboxConfig
from connector.sandbox.control import control
from connector.sandbox.errors import (
    ApiError,
    ForbiddenError,
    NotFoundError,
    UnauthorizedError,
    error_body,
)
from connector.sandbox.exchange import answer, json_body, sandbox
from connector.sandbox.listing import list_metrics, paged
from connector.sandbox.metrics import MetricBook, expanded
from connector.sandbox.oauth import oauth
from connector.sandbox.state import SandboxState
from connector.sandbox.wire import Wire

api = Blueprint("api", __name__, url_prefix="/api/v2")
_METRICS = "/metrics/<project>"
_METRIC = "/metrics/<project>/<key>"


def create_sandbox(config: SandboxConfig | None = None) -> Flask:
    """A sandbox as a WSGI application. All that it remembers is in its memory: serve it from one process."""
    state = SandboxState(config or SandboxConfig())
    app = Flask("connector.sandbox", static_folder=None)
    app.extensions["sandbox"] = state
    app.register_blueprint(api)
    app.register_blueprint(control)
    app.register_blueprint(oauth)
    app.register_error_handler(ApiError, _refused)
    app.register_error_handler(HTTPException, _not_served)
    app.wsgi_app = Wire(app.wsgi_app, state)  # type: ignore[method-assign]
    return app


@api.before_request
def _admit() -> None:
    state = sandbox()
    state.limiter.spend_address(request.remote_addr or "")
    g.key = key = _authenticated(state)
    g.limit_headers = state.limiter.spend(key.account, f"{request.method} {request.url_rule}", key.token)
    if key.role is Role.READER and request.method not in {"GET", "HEAD", "OPTIONS"}:
        raise ForbiddenError("The access token has no permission to change this resource")


@api.after_request
def _tell_limits(response: Response) -> Response:
    response.headers.update(g.get("limit_headers", {}))
    return response


@api.post(_METRICS)
def create_metric(project: str) -> Response:
    metric = _book(project).create(json_body(), g.key.member_id)
    return answer(expanded(metric), 201)


@api.get(_METRICS)
def get_metrics(project: str) -> Response:
    page = list_metrics(_book(project).all(), request.args, request.path)
    expand = _expand()
    return answer(page.to_dict() | {"items": [expanded(metric, expand) for metric in page.items]})


@api.get(_METRIC)
def get_metric(project: str, key: str) -> Response:
    return answer(expanded(_book(project).get(key), _expand()))


@api.patch(_METRIC)
def patch_metric(project: str, key: str) -> Response:
    return answer(expanded(_book(project).patch(key, json_body())))


@api.delete(_METRIC)
def delete_metric(project: str, key: str) -> Response:
    _book(project).delete(key)
    return Response(status=204)


@api.get("/caller-identity")
def get_caller_identity() -> Response:
    key: ApiKey = g.key
    identity: dict[str, Any] = {
        "accountId": key.account,
        "authKind": "oauth" if key.oauth else "token",
        "tokenKind": "auth",
        "tokenName": f"sandbox {key.role}",
        "tokenId": _stable_id(key.token),
        "serviceToken": key.member_id is None,
        "scopes": [key.role],
    }
    if key.member_id is not None:
        identity["memberId"] = key.member_id
    if (expires_at := sandbox().expiries.get(key.token)) is not None:
        identity["expiresAt"] = expires_at
    return answer(identity)


@api.get("/projects")
def get_projects() -> Response:
    projects = [project for project in sandbox().config.projects if _is_visible(project)]
    page = paged(projects, request.args, request.path)
    return answer(page.to_dict() | {"items": [_project(project) for project in page.items]})


@api.get("/projects/<project>")
def get_project(project: str) -> Response:
    return answer(_project(_book(project).project))


def _authenticated(state: SandboxState) -> ApiKey:
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    key = state.keys.get(bearer or scheme) or state.grants.key(bearer)
    wrong_scheme = key is not None and (key.oauth is not bool(bearer) or (bearer and scheme.casefold() != "bearer"))
    if key is None or wrong_scheme or state.expired(key.token):
        raise UnauthorizedError("Invalid access token")
    return key


def _is_visible(project: str) -> bool:
    projects: tuple[str, ...] | None = g.key.projects
    return projects is None or project in projects


def _book(project: str) -> MetricBook:
    if not _is_visible(project):
        raise NotFoundError(f'Unknown project key "{project}"')
    return sandbox().book(project)


def _project(key: str) -> dict[str, Any]:
    path = f"/api/v2/projects/{key}"
    return {
        "_links": {
            "self": {"href": path, "type": "application/json"},
            "environments": {"href": f"{path}/environments", "type": "application/json"},
        },
        "_id": _stable_id(key),
        "key": key,
        "name": key.replace("-", " ").capitalize(),
        "includeInSnippetByDefault": False,
        "defaultClientSideAvailability": {"usingMobileKey": False, "usingEnvironmentId": False},
        "tags": [],
    }


def _stable_id(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _expand() -> list[str]:
    return request.args.get("expand", "").split(",")


def _refused(error: ApiError) -> Response:
    response = answer(error.body(), error.status)
    response.headers.update(error.headers)
    return response


def _not_served(error: HTTPException) -> Response:
    code = "_".join(error.name.lower().split())
    response = answer(error_body(code, error.description or error.name), error.code or 500)
    response.headers.extend((name, value) for name, value in error.get_headers() if name != "Content-Type")
    return response
