"""`/api/v1/connections`: one POST connects a customer, and answers the webhook URL and, once, its secret."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from marshmallow import fields, validate

from connector.connections import OVERLAP, NewConnection
from connector.installation import Installation, client_of
from connector.launchdarkly import CredentialRefused, LaunchDarklyError
from connector.setup_links import EXPIRES, LONGEST, SetupLinks
from connector.store import connections, endpoints
from connector.store.connections import Connection, Options
from connector.store.idempotency import Once
from connector.web.api.access import Access
from connector.web.api.fields import Choice, Flag, Moment, PageQuery, Seconds, Strict, Text, Whole
from connector.web.api.resource import PREFIX, Resource, connection_of

_LONGEST_OVERLAP = 30 * 24 * 3600.0


class OptionsSchema(Strict):
    """What a customer may decide about the metrics."""

    key_prefix = Text(longest=40, metadata={"description": "In front of every metric key."})
    tags = fields.List(Text(longest=64, shortest=1), validate=validate.Length(max=20))
    maintainer_id = Text(allow_none=True, metadata={"description": "A LaunchDarkly member id."})
    analysis_units = fields.List(Text(shortest=1), validate=validate.Length(max=10))
    on_delete = Choice("archive", "delete")


class ConnectionSchema(Strict):
    """One customer's link. Secrets and keys are never in it."""

    id = fields.String(required=True)
    name = fields.String(required=True)
    partner = fields.String(required=True)
    state = Choice("active", "paused", required=True)
    state_code = fields.String(required=True, allow_none=True)
    state_reason = fields.String(required=True, allow_none=True)
    project_key = fields.String(required=True)
    base_url = fields.String(required=True)
    workspace = fields.String(required=True, allow_none=True)
    key_expires_at = Moment(
        required=True,
        allow_none=True,
        metadata={"description": "Null for a key without an end, or none that is known."},
    )
    endpoint = fields.String(required=True)
    webhook_url = fields.String(
        required=True, allow_none=True, metadata={"description": "Null for a partner that sends no webhooks."}
    )
    options = fields.Nested(OptionsSchema, required=True)


class AddedConnectionSchema(ConnectionSchema):
    """A new connection: `secret` is shown this once, null where the endpoint was there before or has none."""

    secret = fields.String(required=True, allow_none=True)


class ConnectionsSchema(Strict):
    connections = fields.List(fields.Nested(ConnectionSchema), required=True)
    next = fields.String(required=True, allow_none=True)


class ConnectionChangeSchema(Strict):
    """What to change; all else stays."""

    name = Text(shortest=1)
    project_key = Text(shortest=1)
    base_url = Text(shortest=1, metadata={"description": "us, eu, federal, or a URL."})
    workspace = Text(metadata={"description": "The customer's workspace at the partner; empty for none."})
    options = fields.Nested(OptionsSchema)


class NewConnectionSchema(ConnectionChangeSchema):
    """A customer to connect. Without `api_key` the connection waits until its customer gives one."""

    name = Text(required=True, shortest=1)
    partner = Text(shortest=1, load_default="standard", metadata={"description": "See /api/v1/partners."})
    api_key = Text(shortest=1, metadata={"description": "The customer's LaunchDarkly API key.", "writeOnly": True})
    endpoint = Text(shortest=1, metadata={"description": "Use this endpoint instead of making one."})
    shared = Flag(load_default=False, metadata={"description": "The new endpoint serves many customers."})
    secret = Text(shortest=1, metadata={"description": "Where the partner chose it.", "writeOnly": True})


class OnceHeader(Strict):
    idempotency_key = Text(
        data_key="Idempotency-Key",
        shortest=1,
        longest=200,
        metadata={"description": "The same request with the same key within a day gives the same connection again."},
    )


class RotationSchema(Strict):
    secret = Text(shortest=1, metadata={"description": "Where the partner chose it.", "writeOnly": True})
    overlap = Seconds(
        most=_LONGEST_OVERLAP,
        load_default=OVERLAP,
        metadata={"description": "Seconds that the secret before still verifies."},
    )


class SecretSchema(Strict):
    """Shown this once."""

    secret = fields.String(required=True)


class KeySchema(Strict):
    api_key = Text(required=True, shortest=1, metadata={"writeOnly": True})


class SourceSchema(Strict):
    credential = fields.Dict(
        keys=Text(),
        values=Text(),
        required=True,
        metadata={"description": "The fields that /api/v1/partners names for its list API.", "writeOnly": True},
    )


class NewLinkSchema(Strict):
    expires = Whole(low=60, high=int(LONGEST), load_default=int(EXPIRES), metadata={"description": "In seconds."})


class LinkToSetupSchema(Strict):
    """For the customer alone: whoever has it can set the key. The one before does not work any more."""

    url = fields.String(required=True)


class PauseSchema(Strict):
    reason = Text(shortest=1, metadata={"description": "For people who wonder."})


class TestSchema(Strict):
    """Whether LaunchDarkly can be reached with the stored key; `code` and `detail` say what is wrong."""

    ok = fields.Boolean(required=True)
    code = fields.String(required=True, allow_none=True)
    detail = fields.String(required=True, allow_none=True)
    who = fields.String(required=True, allow_none=True)
    project = fields.String(required=True, allow_none=True)


def resource(installation: Installation, access: Access) -> Resource:  # noqa: C901, PLR0915 - one function per route
    database, rooms = installation.database, installation.connections
    links = SetupLinks(database, installation.vault, base_url=installation.settings.base_url)
    routes = Resource(
        "connections", "Customers, their projects and their keys.", access, max_body=installation.settings.max_body
    )

    def shown(connection: Connection) -> dict[str, Any]:
        with database.read() as tx:
            partner = endpoints.partner_of(tx, connection.id)
        partners = installation.partners
        sends = partner not in partners.names() or partners.get(partner).webhook is not None
        options = asdict(connection.options)
        return {
            **asdict(connection),
            "partner": partner,
            "endpoint": connection.endpoint_id,
            "webhook_url": f"{installation.settings.base_url}/webhooks/{connection.endpoint_id}" if sends else None,
            "options": {name: options[name] for name in OptionsSchema().fields},
        }

    def again(connection_id: str) -> dict[str, Any]:
        return shown(connection_of(database, connection_id))

    @routes.route("/connections", methods=["GET"])
    @routes.arguments(PageQuery, location="query")
    @routes.response(200, ConnectionsSchema)
    def list_connections(page: Mapping[str, Any]) -> dict[str, Any]:
        """All connections, oldest first"""
        limit: int = page["limit"]
        with database.read() as tx:
            found = connections.page(tx, after=page.get("cursor"), limit=limit + 1)
        return {
            "connections": [shown(each) for each in found[:limit]],
            "next": found[limit - 1].id if len(found) > limit else None,
        }

    @routes.route("/connections", methods=["POST"])
    @routes.arguments(OnceHeader, location="headers", unknown="exclude")
    @routes.arguments(NewConnectionSchema)
    @routes.response(201, AddedConnectionSchema)
    def add_connection(header: Mapping[str, Any], new: Mapping[str, Any]) -> Any:
        """Connect a customer

        Answers the webhook URL and its secret. The secret is not shown again: enter both at the partner.
        """
        wanted = NewConnection(
            name=new["name"],
            partner=new["partner"],
            project_key=new.get("project_key", ""),
            credential=new.get("api_key"),
            base_url=new.get("base_url", "us"),
            endpoint=new.get("endpoint"),
            workspace=new.get("workspace") or None,
            shared=new["shared"],
            secret=new.get("secret"),
            options=_options(Options(), new.get("options", {})),
        )
        key = header.get("idempotency_key")
        added = rooms.add(wanted, None if key is None else Once(key, json.dumps(new, sort_keys=True)))
        location = {"Location": f"{PREFIX}/connections/{added.connection.id}"}
        return {**shown(added.connection), "secret": added.secret}, 201, location

    @routes.route("/connections/<connection_id>", methods=["GET"])
    @routes.response(200, ConnectionSchema)
    def read_connection(connection_id: str) -> dict[str, Any]:
        """One connection"""
        return again(connection_id)

    @routes.route("/connections/<connection_id>", methods=["PATCH"])
    @routes.arguments(ConnectionChangeSchema)
    @routes.response(200, ConnectionSchema)
    def change_connection(change: Mapping[str, Any], connection_id: str) -> dict[str, Any]:
        """Change what is given

        Another project or LaunchDarkly instance is refused once there are metrics: add another connection for it.
        """
        connection = connection_of(database, connection_id)
        given = dict(change)
        if "options" in given:
            given["options"] = _options(connection.options, given["options"])
        rooms.change(connection, **given)
        return again(connection_id)

    @routes.route("/connections/<connection_id>", methods=["DELETE"])
    @routes.response(204)
    def remove_connection(connection_id: str) -> None:
        """Forget a connection and its key

        Its metrics stay in LaunchDarkly; an endpoint that nobody uses any more answers 410 from now on.
        """
        rooms.remove(connection_of(database, connection_id))

    @routes.route("/connections/<connection_id>/rotate-secret", methods=["POST"])
    @routes.arguments(RotationSchema, required=False)
    @routes.response(200, SecretSchema)
    def rotate_secret(wanted: Mapping[str, Any], connection_id: str) -> dict[str, Any]:
        """Make a new webhook secret

        It is shown this once; the one before verifies for `overlap` more seconds.
        """
        connection = connection_of(database, connection_id)
        return {"secret": rooms.rotate_secret(connection, wanted.get("secret"), overlap=wanted["overlap"])}

    @routes.route("/connections/<connection_id>/key", methods=["PUT"])
    @routes.arguments(KeySchema)
    @routes.response(200, ConnectionSchema)
    def set_key(key: Mapping[str, Any], connection_id: str) -> dict[str, Any]:
        """Store another LaunchDarkly API key

        Resumes the connection with all that waited.
        """
        rooms.set_key(connection_of(database, connection_id), key["api_key"])
        return again(connection_id)

    @routes.route("/connections/<connection_id>/source", methods=["PUT"])
    @routes.arguments(SourceSchema)
    @routes.response(204)
    def set_source(source: Mapping[str, Any], connection_id: str) -> None:
        """Store what opens the partner's list API"""
        rooms.set_source(connection_of(database, connection_id), source["credential"])

    @routes.route("/connections/<connection_id>/setup-link", methods=["POST"])
    @routes.arguments(NewLinkSchema, required=False)
    @routes.response(201, LinkToSetupSchema)
    def make_setup_link(wanted: Mapping[str, Any], connection_id: str) -> dict[str, Any]:
        """Make a link for the customer to enter a LaunchDarkly key

        It works once, until it expires.
        """
        return {"url": links.make(connection_of(database, connection_id), expires=wanted["expires"])}

    @routes.route("/connections/<connection_id>/pause", methods=["POST"])
    @routes.arguments(PauseSchema, required=False)
    @routes.response(200, ConnectionSchema)
    def pause(why: Mapping[str, Any], connection_id: str) -> dict[str, Any]:
        """Let everything wait

        Webhooks are still accepted, and applied when the connection is resumed.
        """
        rooms.pause(connection_of(database, connection_id), **why)
        return again(connection_id)

    @routes.route("/connections/<connection_id>/resume", methods=["POST"])
    @routes.response(200, ConnectionSchema)
    def resume(connection_id: str) -> dict[str, Any]:
        """Go on with all that waited"""
        rooms.resume(connection_of(database, connection_id))
        return again(connection_id)

    @routes.route("/connections/<connection_id>/test", methods=["POST"])
    @routes.response(200, TestSchema)
    def test(connection_id: str) -> dict[str, Any]:
        """Try the stored key: who it is, and whether the project's metrics can be read"""
        connection = connection_of(database, connection_id)
        verdict: dict[str, Any] = dict.fromkeys(TestSchema().fields) | {"ok": False}
        try:
            client = client_of(installation, connection)
            identity = client.caller_identity()
            verdict["who"] = identity.get("tokenName") or identity.get("tokenKind")
            verdict["project"] = client.project(connection.project_key).get("name")
            next(iter(client.list_metrics(connection.project_key, page_size=1)), None)
        except (CredentialRefused, LaunchDarklyError) as error:
            return verdict | {"code": error.code, "detail": str(error)}
        return verdict | {"ok": True}

    return routes


def _options(before: Options, given: Mapping[str, Any]) -> Options:
    lists = {name: tuple(given[name]) for name in ("tags", "analysis_units") if name in given}
    return replace(before, **{**given, **lists})
