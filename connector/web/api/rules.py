"""Rules: the installation's to read, a connection's to replace, and both to try out on an event type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from marshmallow import fields

from connector.connections import LONGEST_RULES
from connector.delivery.applying import source_of
from connector.installation import Installation
from connector.partners import standard
from connector.policy import Rules, plan_metrics
from connector.store import endpoints
from connector.web.api.access import Access
from connector.web.api.fields import Strict, Text
from connector.web.api.resource import Resource, connection_of


class RulesSchema(Strict):
    """Rules as TOML; null where there are none."""

    rules = Text(
        required=True,
        allow_none=True,
        longest=LONGEST_RULES,
        lines=True,
        metadata={"description": "[[rules]] tables, TOML."},
    )


class TrySchema(Strict):
    """An event type as the native protocol sends it, and (to try others than the connection's own) rules."""

    event_type = fields.Nested(standard.EventTypeSchema, required=True)
    rules = Text(longest=LONGEST_RULES, lines=True, metadata={"description": "[[rules]] tables, TOML."})


class WantedSchema(Strict):
    measure = fields.String(required=True)
    body = fields.Dict(required=True, metadata={"description": "What LaunchDarkly would be told."})


class TriedSchema(Strict):
    """The metrics that the event type would get, or the rule that says skip."""

    skipped_by = fields.String(required=True, allow_none=True)
    metrics = fields.List(fields.Nested(WantedSchema), required=True)
    notes = fields.List(fields.String(), required=True)


def resource(installation: Installation, access: Access) -> Resource:
    database, settings = installation.database, installation.settings
    # What is in the file later counts after a restart only.
    routes = Resource("rules", "What is done differently with which event types.", access, max_body=settings.max_body)

    @routes.route("/rules", methods=["GET"])
    @routes.response(200, RulesSchema)
    def read_rules() -> dict[str, Any]:
        """The rules of the installation

        They are those of the file CONNECTOR_RULES; a connection's own have the last word.
        """
        return {"rules": installation.rules_text}

    @routes.route("/connections/<connection_id>/rules", methods=["GET"])
    @routes.response(200, RulesSchema)
    def read_connection_rules(connection_id: str) -> dict[str, Any]:
        """The rules of a connection"""
        return {"rules": connection_of(database, connection_id).options.rules}

    @routes.route("/connections/<connection_id>/rules", methods=["PUT"])
    @routes.arguments(RulesSchema)
    @routes.response(200, RulesSchema)
    def replace_connection_rules(new: Mapping[str, Any], connection_id: str) -> dict[str, Any]:
        """Replace the rules of a connection

        They hold from the next change of an event type on; null takes them away.
        """
        connection = connection_of(database, connection_id)
        options = replace(connection.options, rules=new["rules"])
        return {"rules": installation.connections.change(connection, options=options).options.rules}

    @routes.route("/connections/<connection_id>/rules/try", methods=["POST"])
    @routes.arguments(TrySchema)
    @routes.response(200, TriedSchema)
    def try_rules(tried: Mapping[str, Any], connection_id: str) -> dict[str, Any]:
        """See the metrics that an event type would get; nothing is stored or sent"""
        connection = connection_of(database, connection_id)
        with database.read() as tx:
            endpoint = endpoints.get(tx, connection.endpoint_id)
        partner = installation.partners.get(endpoint.partner if endpoint is not None else "standard")
        catalogue = standard.catalogue({"complete": False, "event_types": [tried["event_type"]]})
        own = tried.get("rules", connection.options.rules)
        rules = installation.rules + (Rules.parse(own, "the connection's rules") if own else Rules())
        plan = plan_metrics(catalogue.event_types[0], source_of(connection, partner.name, partner.title), rules)
        return {
            "skipped_by": plan.skipped_by,
            "metrics": [{"measure": each.measure, "body": each.body} for each in plan.metrics],
            "notes": plan.notes,
        }

    return routes
