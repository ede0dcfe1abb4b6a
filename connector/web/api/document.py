"""The OpenAPI 3.1 document: what the routes say of themselves, with the native protocol as its webhooks section.

Made from the schemas that judge the requests, so that it cannot say anything else. It must never know an installation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin, resolver
from flask import Flask
from flask_smorest import Api  # type: ignore[import-untyped]
from marshmallow import Schema, fields

from connector import __version__
from connector.event_types import ChangeKind
from connector.partners import standard

TITLE = "Metric Connector: management API"

_DESCRIPTION = (
    "Connect customers, follow what became of every webhook, and replay it. Every answer that is not a success is a "
    "problem (RFC 9457) with a stable `code` and what to do next. Lists are read page by page: send the `next` of one "
    "as the `cursor` of the one that follows, until it is null."
)
_OAS = "3.1.0"
_METHODS = {"get", "post", "put", "patch", "delete"}
_EXAMPLE_PROBLEM = {
    "type": "/errors/connection_unknown",
    "title": "Not found",
    "status": 404,
    "code": "connection_unknown",
    "detail": "There is no such connection. GET /api/v1/connections lists them.",
}
_EXAMPLE_CHANGE = {
    "type": "event_type.defined",
    "timestamp": "2026-11-22T10:00:00Z",
    "data": {
        "id": "evt_8f2",
        "key": "order_completed",
        "name": "Order Completed",
        "value": {"property": "revenue", "type": "number", "unit": "USD"},
        "tags": ["checkout"],
    },
}
_HAPPENED = {
    ChangeKind.DEFINED: "was defined",
    ChangeKind.RENAMED: "was renamed",
    ChangeKind.UPDATED: "was described anew",
    ChangeKind.ARCHIVED: "is not in use any more",
    ChangeKind.RESTORED: "is in use again",
    ChangeKind.DELETED: "was deleted",
}


class ProblemSchema(Schema):
    """What is wrong and what to do next (RFC 9457); `errors` names the fields of a request that is refused."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    code = fields.String(required=True)
    detail = fields.String(required=True)
    errors = fields.Dict(keys=fields.String())


class ReceivedChangeSchema(Schema):
    event_type = fields.String(required=True)
    change = fields.String(required=True)
    outcome = fields.String(required=True)
    metrics = fields.List(fields.Dict(), required=True)


class ReceivedSchema(Schema):
    """The answer to a webhook: what became of each change, `pending` where it is not finished yet."""

    delivery = fields.String(required=True)
    duplicate = fields.Boolean(required=True)
    changes = fields.List(fields.Nested(ReceivedChangeSchema), required=True)


class ManagementApi(Api):  # type: ignore[misc]  # the library has no types
    """flask-smorest without its error format and its pages: ours are the whole app's."""

    def _register_error_handlers(self) -> None:
        """Errors are problems already, wherever they come from."""

    def _register_doc_blueprint(self) -> None:
        """The document has a route of its own."""

    def _register_responses(self) -> None:
        """Every operation refers to one response for all that is not a success."""

    def _register_pagination_header(self) -> None:
        """Pages say where to go on in their body."""


def api(app: Flask, base_url: str) -> ManagementApi:
    return ManagementApi(
        app,
        spec_kwargs={
            "title": TITLE,
            "version": __version__,
            "openapi_version": _OAS,
            "marshmallow_plugin": MarshmallowPlugin(schema_name_resolver=_name),
            "info": {"description": _DESCRIPTION},
            "servers": [{"url": base_url}],
        },
    )


def complete(spec: APISpec) -> dict[str, Any]:
    """The whole document of the routes that are registered."""
    spec.components.schema("Problem", schema=ProblemSchema)
    for name, schema in (
        ("NativeChange", standard.ChangeSchema),
        ("NativeCatalogue", standard.CatalogueSchema),
        ("Received", ReceivedSchema),
    ):
        if name not in spec.components.schemas:  # else a route has it already
            spec.components.schema(name, schema=schema)
    document = spec.to_dict()
    components = document["components"]
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "The value of CONNECTOR_ADMIN_TOKEN."}
    }
    content = {"schema": {"$ref": "#/components/schemas/Problem"}, "example": _EXAMPLE_PROBLEM}
    components["responses"] = {
        "Problem": {"description": "Not a success.", "content": {"application/problem+json": content}}
    }
    for operation in _operations(document["paths"]):
        responses = {status: said for status, said in operation["responses"].items() if str(status)[0] == "2"}
        operation["responses"] = responses | {"default": {"$ref": "#/components/responses/Problem"}}
        operation["security"] = [{"token": []}]
    for name in ("NativeEventType", "NativeChange"):
        needed = [[{"required": [one]}, {"required": [other]}] for one, other in (("id", "key"), ("name", "key"))]
        components["schemas"][name]["allOf"] = [{"anyOf": either} for either in needed]
    return document | {"webhooks": _webhooks()}


def _operations(paths: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for path in paths.values():
        yield from (operation for method, operation in path.items() if method in _METHODS)


def _webhooks() -> dict[str, Any]:
    """The native protocol, from the side of the partner that sends it to the `webhook_url` of a connection."""
    said = {f"event_type.{kind}": (f"An event type {what}", "NativeChange") for kind, what in _HAPPENED.items()}
    said[standard.CATALOGUE] = ("The event types as they stand", "NativeCatalogue")
    return {name: {"post": _webhook(name, summary, schema)} for name, (summary, schema) in said.items()}


def _webhook(name: str, summary: str, schema: str) -> dict[str, Any]:
    types = [each for each, kind in standard.KINDS.items() if name in {each, f"event_type.{kind}"}] or [name]
    body: dict[str, Any] = {
        "schema": {
            "type": "object",
            "required": ["type", "data"],
            "properties": {
                "type": {"type": "string", "enum": types},
                "timestamp": {"type": ["string", "null"], "format": "date-time"},
                "data": {"$ref": f"#/components/schemas/{schema}"},
            },
        }
    }
    if name == _EXAMPLE_CHANGE["type"]:
        body["example"] = _EXAMPLE_CHANGE
    signed = ("webhook-id", "webhook-timestamp", "webhook-signature")
    answer = {"application/json": {"schema": {"$ref": "#/components/schemas/Received"}}}
    return {
        "operationId": name.replace(".", "_"),
        "summary": summary,
        "description": "Signed by Standard Webhooks 1.0 with the secret of the connection's endpoint.",
        "tags": ["webhooks"],
        "parameters": [
            {"name": header, "in": "header", "required": True, "schema": {"type": "string"}} for header in signed
        ],
        "requestBody": {"required": True, "content": {"application/json": body}},
        "responses": {
            "200": {"description": "Done, and no metric was created.", "content": answer},
            "201": {"description": "A metric was created.", "content": answer},
            "202": {"description": "Safely stored, not finished yet.", "content": answer},
            "default": {"$ref": "#/components/responses/Problem"},
        },
    }


def _name(schema: Any) -> str:
    """Like apispec, but the native protocol's schemas are called so: a partner's event type is not our view of it."""
    name: str = resolver(schema)
    kind = schema if isinstance(schema, type) else type(schema)
    return f"Native{name}" if kind.__module__ == standard.__name__ else name
