"""`/api/v1/partners`: whose webhooks and lists this installation understands."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from connector.installation import Installation
from connector.web.api.access import Access
from connector.web.api.fields import Strict
from connector.web.api.resource import Resource


class FieldSchema(Strict):
    name = fields.String(required=True)
    label = fields.String(required=True)
    secret = fields.Boolean(required=True)
    default = fields.String(required=True, allow_none=True)


class PartnerSchema(Strict):
    """`list_api` are the fields of the credential that opens it; null where there is none that we can ask."""

    name = fields.String(required=True)
    title = fields.String(required=True)
    webhook = fields.Boolean(required=True)
    changes = fields.List(fields.String(), required=True)
    list_api = fields.List(fields.Nested(FieldSchema), required=True, allow_none=True)
    weaknesses = fields.List(fields.String(), required=True)


class PartnersSchema(Strict):
    partners = fields.List(fields.Nested(PartnerSchema), required=True)


def resource(installation: Installation, access: Access) -> Resource:
    partners = installation.partners
    routes = Resource("partners", "Whom we understand.", access, max_body=installation.settings.max_body)

    @routes.route("/partners", methods=["GET"])
    @routes.response(200, PartnersSchema)
    def list_partners() -> dict[str, Any]:
        """All partners, by name"""
        return {
            "partners": [
                {
                    "name": partner.name,
                    "title": partner.title,
                    "webhook": partner.webhook is not None,
                    "changes": [] if partner.webhook is None else partner.webhook.kinds,
                    "list_api": None if partner.list_api is None else partner.list_api.credential,
                    "weaknesses": partner.weaknesses,
                }
                for partner in map(partners.get, partners.names())
            ]
        }

    return routes
