"""What every resource of the API shares: its token, its strict JSON, its problems, its headers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeVar

from flask import Response, request
from flask_smorest import Blueprint  # type: ignore[import-untyped]
from marshmallow import RAISE, Schema, ValidationError
from webargs.core import missing
from webargs.flaskparser import FlaskParser
from werkzeug.wrappers import Request

from connector.connections import ConnectionRefused
from connector.launchdarkly import CredentialRefused
from connector.partners import PayloadRefused, UnknownPartner
from connector.partners.payload import NotJson, decode
from connector.policy import PolicyError
from connector.signatures import SecretRefused
from connector.store import connections
from connector.store.connections import Connection, ConnectionState
from connector.store.database import Database
from connector.store.idempotency import IdempotencyKeyReused
from connector.web.api.access import Access
from connector.web.problems import Problem, respond

PREFIX = "/api/v1"

View = TypeVar("View", bound=Callable[..., Any])

_REFUSED = (ConnectionRefused, CredentialRefused, PolicyError, SecretRefused, UnknownPartner)


class _Parser(FlaskParser):
    """Reads a request by a schema; what is wrong with it is a problem that names the fields."""

    DEFAULT_UNKNOWN_BY_LOCATION = FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION | {"query": RAISE}

    def load_json(self, req: Request, schema: Schema) -> Any:  # noqa: ARG002 - webargs gives it
        body = req.get_data()
        if not body:
            return missing
        if req.mimetype != "application/json" and not req.mimetype.endswith("+json"):
            raise Problem(415, "content_type_not_json", "Send the request with Content-Type: application/json.")
        try:
            return decode(body)
        except NotJson as error:
            raise Problem(400, error.code, str(error)) from None

    def handle_error(self, error: ValidationError, *_: Any, **__: Any) -> NoReturn:
        refuse({field: wrong for part in error.messages_dict.values() for field, wrong in _fields(part)})


class Resource(Blueprint):  # type: ignore[misc]  # the library has no types
    """A blueprint under `/api/v1` that only the operator's token opens."""

    ARGUMENTS_PARSER = _Parser()

    def __init__(self, name: str, description: str, access: Access, *, max_body: int) -> None:
        super().__init__(name, __name__, url_prefix=PREFIX, description=description)

        def judge() -> None:
            access.check(request)
            request.max_content_length = max_body
            if any(not str(part).isprintable() for part in (request.view_args or {}).values()):
                raise Problem(404, "not_found", "There is nothing at this address.")

        def keep_private(response: Response) -> Response:
            response.headers["Cache-Control"] = "no-store"
            response.headers["X-Content-Type-Options"] = "nosniff"
            return response

        self.before_request(judge)
        self.after_request(keep_private)
        for kind in _REFUSED:
            self.register_error_handler(kind, _refused)
        self.register_error_handler(PayloadRefused, _payload_refused)
        self.register_error_handler(IdempotencyKeyReused, _key_reused)

    def route(self, rule: str, **options: Any) -> Callable[[View], View]:
        decorate: Callable[[View], View] = super().route(rule, **options)
        return decorate

    def arguments(self, schema: type[Schema], **options: Any) -> Callable[[View], View]:
        decorate: Callable[[View], View] = super().arguments(schema, **options)
        return decorate

    def response(self, status: int, schema: type[Schema] | None = None, **options: Any) -> Callable[[View], View]:
        decorate: Callable[[View], View] = super().response(status, schema, **options)
        return decorate


def refuse(errors: Mapping[str, Any]) -> NoReturn:
    raise Problem(422, "request_refused", "The request is not as documented; `errors` names the fields.", errors=errors)


def connection_of(database: Database, connection_id: str) -> Connection:
    """The connection of a route. Raises `Problem` where there is none (any more)."""
    with database.read() as tx:
        connection = connections.get(tx, connection_id)
    if connection is None or connection.state is ConnectionState.REMOVED:
        raise Problem(404, "connection_unknown", "There is no such connection. GET /api/v1/connections lists them.")
    return connection


def _fields(part: Any) -> list[tuple[str, Any]]:
    return list(part.items()) if isinstance(part, Mapping) else [("_schema", part)]


def _refused(error: Any) -> Response:
    return respond(Problem(422, error.code, str(error)))


def _payload_refused(error: PayloadRefused) -> Response:
    return respond(
        Problem(
            422,
            "request_refused",
            "The event type is not as documented; `errors` names the fields.",
            errors=error.errors,
        )
    )


def _key_reused(error: IdempotencyKeyReused) -> Response:
    return respond(Problem(409, error.code, str(error)))
