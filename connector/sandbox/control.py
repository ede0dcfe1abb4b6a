"""The sandbox's own pages under `/sandbox/`: what it saw, what it holds, what it plays. For this machine only.

Nothing here is part of LaunchDarkly's API, and the connector must never call it.
"""

from __future__ import annotations

import ipaddress

from flask import Blueprint, Response, request

from connector.sandbox.errors import ForbiddenError, InvalidRequestError
from connector.sandbox.exchange import answer, json_body, sandbox
from connector.sandbox.faults import Fault
from connector.sandbox.limits import Limits

control = Blueprint("control", __name__, url_prefix="/sandbox")

_PAGES = {
    "GET /sandbox/requests?since=N": "the LaunchDarkly calls it saw, oldest first; X-Sandbox-Next is the next N",
    "DELETE /sandbox/requests": "forget these calls",
    "GET /sandbox/faults": "the faults in force, and how often each struck",
    "PUT /sandbox/faults": "an array of faults, in the place of all others",
    "GET /sandbox/limits": "the rate limits per ten seconds",
    "PUT /sandbox/limits": 'an object of "global", "route", "token", "ip"; null or missing is no limit',
    "GET /sandbox/expiries": "when access tokens end, in epoch milliseconds",
    "PUT /sandbox/expiries": "an object of token and epoch milliseconds, in the place of all others",
    "GET /sandbox/metrics/{project}": "every metric, unpaged, with every field",
    "PATCH /sandbox/metrics/{project}/{key}": "set fields as a person or LaunchDarkly itself would; null removes one",
    "GET /sandbox/oauth": "how often each kind of OAuth token was asked for",
    "POST /sandbox/oauth/expire": "end every OAuth access token; refresh tokens stay good",
    "POST /sandbox/oauth/revoke": "end every OAuth token, as a customer who takes the consent back",
    "POST /sandbox/reset": "back to how it was started",
}


@control.before_request
def _refuse_strangers() -> None:
    try:
        local = ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        local = False
    if not local:
        raise ForbiddenError("the sandbox is controlled from its own machine only: call it at 127.0.0.1")


@control.get("/")
def get_pages() -> Response:
    return answer(_PAGES)


@control.get("/requests")
def get_requests() -> Response:
    since = request.args.get("since", "0")
    if not (since.isascii() and since.isdigit()):
        raise InvalidRequestError("since must be a whole number")
    seen, following = sandbox().requests.since(int(since))
    response = answer([call.to_dict() for call in seen])
    response.headers["X-Sandbox-Next"] = str(following)
    return response


@control.delete("/requests")
def clear_requests() -> Response:
    sandbox().requests.clear()
    return Response(status=204)


@control.get("/faults")
def get_faults() -> Response:
    return answer(sandbox().faults.to_list())


@control.put("/faults")
def put_faults() -> Response:
    stated = json_body()
    if not isinstance(stated, list):
        raise InvalidRequestError("the body must be a JSON array of faults")
    sandbox().faults.set([Fault.from_dict(fault) for fault in stated])
    return get_faults()


@control.get("/limits")
def get_limits() -> Response:
    return answer(sandbox().limiter.limits.to_dict())


@control.put("/limits")
def put_limits() -> Response:
    sandbox().limiter.set(Limits.from_dict(json_body()))
    return get_limits()


@control.get("/expiries")
def get_expiries() -> Response:
    return answer(dict(sandbox().expiries))


@control.put("/expiries")
def put_expiries() -> Response:
    stated = json_body()
    if not isinstance(stated, dict) or not all(type(each) is int for each in stated.values()):
        raise InvalidRequestError("the body must be a JSON object of token and epoch milliseconds")
    sandbox().expiries = stated
    return get_expiries()


@control.get("/metrics/<project>")
def get_metrics(project: str) -> Response:
    return answer(sandbox().book(project).all())


@control.patch("/metrics/<project>/<key>")
def edit_metric(project: str, key: str) -> Response:
    fields = json_body()
    if not isinstance(fields, dict):
        raise InvalidRequestError("the body must be a JSON object of fields")
    return answer(sandbox().book(project).edit(key, fields))


@control.get("/oauth")
def get_oauth() -> Response:
    return answer(dict(sandbox().grants.asked))


@control.post("/oauth/<what>")
def end_tokens(what: str) -> Response:
    if what not in {"expire", "revoke"}:
        raise InvalidRequestError("expire or revoke")
    grants = sandbox().grants
    (grants.expire if what == "expire" else grants.revoke)()
    return Response(status=204)


@control.post("/reset")
def reset() -> Response:
    sandbox().reset()
    return Response(status=204)
