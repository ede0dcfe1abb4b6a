"""`/openapi.json`, and the same for people under `/docs`: one page, made on the server, without a script.

It must never know more than the document says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, render_template

_METHODS = ("get", "post", "put", "patch", "delete")
_LIMITS = {
    "enum": "one of {}",
    "format": "{}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minimum": "from {}",
    "maximum": "to {}",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "default": "{} by default",
}

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def blueprint(document: Mapping[str, Any]) -> Blueprint:
    routes = Blueprint(
        "api_document", __name__, template_folder="templates", static_folder="static", static_url_path="/docs/static"
    )
    written = json.dumps(document, indent=2)
    groups = _groups(document)

    @routes.get("/openapi.json")
    def openapi() -> Response:
        return Response(written, content_type="application/json")

    @routes.get("/docs")
    def docs() -> tuple[str, dict[str, str]]:
        return render_template("api/docs.html", document=document, groups=groups), _HEADERS

    return routes


def _groups(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The operations under their tags, and the webhooks last, as the template shows them."""
    schemas = document["components"]["schemas"]
    by_tag: dict[str, list[dict[str, Any]]] = {tag["name"]: [] for tag in document["tags"]}
    for path, methods in document["paths"].items():
        shared = methods.get("parameters", [])
        for method in _METHODS:
            if method in methods:
                operation = methods[method]
                by_tag[operation["tags"][0]].append(_operation(method.upper(), path, operation, shared, schemas))
    said = {tag["name"]: tag["description"] for tag in document["tags"]}
    groups = [{"name": name, "description": said[name], "operations": found} for name, found in by_tag.items()]
    hooks = [_operation("POST", name, path["post"], [], schemas) for name, path in document["webhooks"].items()]
    description = "What a partner without a webhook of its own sends to the webhook URL of a connection."
    return [*groups, {"name": "webhooks", "description": description, "operations": hooks}]


def _operation(
    method: str, path: str, operation: Mapping[str, Any], shared: list[Any], schemas: Mapping[str, Any]
) -> dict[str, Any]:
    body = _json(operation.get("requestBody", {}))
    status, success = next(each for each in operation["responses"].items() if str(each[0])[0] == "2")
    return {
        "id": f"{method}-{path}".lower().translate(str.maketrans("/{}", "---")),
        "method": method,
        "path": path,
        "summary": operation.get("summary", ""),
        "description": operation.get("description", ""),
        "parameters": [_parameter(each) for each in (*shared, *operation.get("parameters", ()))],
        "body": _properties(body.get("schema", {}), schemas),
        "example": json.dumps(body["example"], indent=2) if "example" in body else "",
        "status": status,
        "answer": _properties(_json(success).get("schema", {}), schemas),
    }


def _json(content: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = content.get("content", {}).get("application/json", {})
    return found


def _parameter(said: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": said["name"],
        "required": said.get("required", False),
        "type": _type(said["schema"]),
        "description": said.get("description", "")
        or {"path": "In the address.", "header": "A header."}.get(said["in"], ""),
    }


def _properties(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The fields of an object; those of its objects follow it, by their paths, two levels deep."""
    return list(_walk(schema, schemas, "", 3))


def _walk(schema: Mapping[str, Any], schemas: Mapping[str, Any], before: str, depth: int) -> list[dict[str, Any]]:
    found = []
    resolved = _resolved(schema, schemas)
    for name, said in resolved.get("properties", {}).items():
        inner = said.get("items", said)
        found.append(
            {
                "name": before + name,
                "required": name in resolved.get("required", ()),
                "type": _type(said),
                "description": said.get("description", ""),
            }
        )
        if depth > 1:
            found += _walk(inner, schemas, f"{before}{name}{'[]' if 'items' in said else ''}.", depth - 1)
    return found


def _resolved(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    for part in (schema, *schema.get("allOf", ()), *schema.get("anyOf", ())):
        if "$ref" in part:
            found: Mapping[str, Any] = schemas[part["$ref"].rpartition("/")[2]]
            return found
    return schema


def _type(schema: Mapping[str, Any]) -> str:
    types = schema.get("type", "object")
    word = " or ".join(types) if isinstance(types, list) else str(types)
    if "items" in schema:
        word = f"list of {_type(schema['items'])}"
    limits = [words.format(_said(schema[name])) for name, words in _LIMITS.items() if schema.get(name)]
    return ", ".join([word, *limits])


def _said(value: Any) -> str:
    return ", ".join("null" if each is None else str(each) for each in value) if isinstance(value, list) else str(value)
