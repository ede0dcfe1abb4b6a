"""A test webhook: signed as the partner signs, and received as the partner's would be, without leaving this process."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder

from connector.signatures import SecretRefused
from connector.store import endpoints
from connector.store.connections import Connection
from connector.web.console.desk import Desk
from connector.web.problems import Problem

TYPE = "event_type.defined"
EXAMPLE = {"id": "connection-test", "key": "connection_test", "name": "Connection test"}
"""What the native protocol's test announces. It becomes a metric, as any other event type would."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What a test webhook came to: an answer's status and body, or, with status 0, why it could not be sent."""

    status: int
    answer: str
    delivery: str | None = None


def send_probe(desk: Desk, connection: Connection, type_: str, data: str) -> Probe:
    """Send `data` (JSON) as the connection's partner would. Raises `StoreUnavailable`."""
    now = desk.clock()
    endpoint = desk.endpoint(connection)
    webhook = desk.installation.partners.get(endpoint.partner).webhook
    with desk.installation.database.read() as tx:
        known = endpoints.secrets(tx, desk.installation.vault, endpoint.id, now=now)
    if webhook is None or not known:
        return Probe(0, "The endpoint takes no webhooks.")
    try:
        payload = webhook.compose(type_ or TYPE, _for(connection, json.loads(data)), datetime.fromtimestamp(now, UTC))
        body = json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()
        headers = webhook.scheme.sign(body, known[0], f"test_{secrets.token_hex(12)}", now)
    except SecretRefused:
        return Probe(0, "Only the partner can sign for this endpoint: it keeps the private half of the key.")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return Probe(0, f"The partner cannot send this: {error}")
    request = EnvironBuilder(
        "/", method="POST", data=body, headers=Headers(headers), content_type="application/json"
    ).get_request()
    try:
        answer, status = desk.webhooks.receive(endpoint.id, request)
    except Problem as problem:
        return Probe(
            problem.status, _pretty({"code": problem.code, "detail": problem.detail, "errors": problem.errors})
        )
    return Probe(status, _pretty(answer), answer.get("delivery"))


def _for(connection: Connection, data: Any) -> Any:
    """On a shared endpoint the workspace says which connection is meant."""
    if isinstance(data, dict) and connection.workspace and "workspace" not in data:
        return data | {"workspace": connection.workspace}
    return data


def _pretty(answer: Any) -> str:
    return json.dumps({name: said for name, said in answer.items() if said is not None}, indent=2, ensure_ascii=False)
