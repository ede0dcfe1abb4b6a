"""Lago: billable metrics, whose `code` is the event name that usage is sent with.

This module does no I/O and must never know LaunchDarkly. Sources: the webhooks and the `BillableMetricObject` of
https://github.com/getlago/lago-openapi, https://getlago.com/docs/api-reference/webhooks/format---signature
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from marshmallow import fields, validate

from connector.event_types import Aggregation, Change, ChangeKind, EventType, Value
from connector.partners.asking import address, bearer
from connector.partners.fields import Key, Moment, PartnerSchema, Text, load
from connector.partners.partner import (
    CredentialField,
    ListApi,
    Page,
    Partner,
    PayloadRefused,
    Reading,
    Request,
    Skip,
    Webhook,
)
from connector.partners.standard import KINDS as NATIVE
from connector.signatures import AnyOf, HmacScheme, JwtBody

# `webhook_type`: https://github.com/getlago/lago-openapi
KINDS = {
    "billable_metric.created": ChangeKind.DEFINED,
    "billable_metric.updated": ChangeKind.UPDATED,
    "billable_metric.deleted": ChangeKind.DELETED,
}

# https://getlago.com/docs/api-reference/billable-metrics/object
AGGREGATIONS = {
    "count_agg": Aggregation.COUNT,
    "sum_agg": Aggregation.SUM,
    "weighted_sum_agg": Aggregation.SUM,
    "max_agg": Aggregation.MAX,
    "unique_count_agg": Aggregation.UNIQUE,
    "latest_agg": Aggregation.LAST,
}

_BASE_URL = "https://api.getlago.com"


class BillableMetricSchema(PartnerSchema):
    lago_id = Key(required=True)
    code = Key(required=True)
    name = Text(required=True)
    description = Text(allow_none=True)
    aggregation_type = Text(required=True, longest=100)
    field_name = Text(allow_none=True, load_default=None)
    created_at = Moment(required=True)


class EnvelopeSchema(PartnerSchema):
    webhook_type = Text(required=True, longest=200, shortest=1)


class WebhookSchema(PartnerSchema):
    organization_id = Key(allow_none=True)
    billable_metric = fields.Nested(BillableMetricSchema, required=True)


class MetaSchema(PartnerSchema):
    current_page = fields.Integer(required=True, strict=True, validate=validate.Range(min=1))
    next_page = fields.Integer(required=True, strict=True, allow_none=True)
    total_pages = fields.Integer(required=True, strict=True)
    total_count = fields.Integer(strict=True, load_default=None, allow_none=True)


class ListSchema(PartnerSchema):
    billable_metrics = fields.List(fields.Nested(BillableMetricSchema), required=True)
    meta = fields.Nested(MetaSchema, required=True)


_envelope, _webhook, _list = EnvelopeSchema(), WebhookSchema(), ListSchema()


def read(payload: Any, _headers: Mapping[str, str]) -> Reading:
    """A webhook about a billable metric. Raises `PayloadRefused`.

    Nothing under the signature tells two webhooks with the same content apart, so the message id is left to the body's
    hash: `X-Lago-Unique-Key` could be replaced by whoever replays a request, which would undo every later change.
    A creation is as old as the metric says, so that one that arrives late never overwrites a later update.
    """
    type_ = load(_envelope, payload)["webhook_type"]
    kind = KINDS.get(type_)
    if kind is None:
        return Reading(skips=(Skip(type_[:100], "not a webhook about a billable metric"),))
    webhook = load(_webhook, payload)
    metric = webhook["billable_metric"]
    change = Change(
        kind=kind,
        event_type=_event_type(metric),
        occurred_at=metric["created_at"] if kind is ChangeKind.DEFINED else None,
        workspace=webhook.get("organization_id"),
    )
    aggregation = metric["aggregation_type"]
    unknown = Skip(aggregation, "not an aggregation that we know: the metric's value is left out")
    return Reading(changes=(change,), skips=() if aggregation in AGGREGATIONS else (unknown,))


def _event_type(metric: Mapping[str, Any]) -> EventType:
    description = metric.get("description")
    return EventType(
        id=metric["lago_id"],
        key=metric["code"],
        name=metric["name"],
        description=description or "" if "description" in metric else None,
        value=_value(metric),
    )


def _value(metric: Mapping[str, Any]) -> Value | None:
    aggregation = AGGREGATIONS.get(metric["aggregation_type"])
    if aggregation is None:
        return None
    if aggregation is Aggregation.COUNT:
        return Value(type="none", aggregation=aggregation)
    # What is counted once each, such as a user's id, is seldom a number.
    type_ = "string" if aggregation is Aggregation.UNIQUE else "number"
    return Value(property=metric["field_name"] or None, type=type_, aggregation=aggregation)


def compose(type_: str, data: Any, now: datetime) -> Any:
    """The webhook that Lago would send for a change of the native protocol. Raises `ValueError` where it has none."""
    kind = NATIVE.get(type_)
    told = ChangeKind.UPDATED if kind is ChangeKind.RENAMED else kind
    webhook_type = next((word for word, meant in KINDS.items() if meant is told), None)
    if webhook_type is None:
        raise ValueError(f"Lago has no webhook for {type_!r}: it tells of created, updated and deleted metrics.")
    if not isinstance(data, Mapping) or not data.get("key"):
        raise ValueError("A billable metric has a code: put a key into the data.")
    value = data.get("value")
    return {
        "webhook_type": webhook_type,
        "object_type": "billable_metric",
        "organization_id": data.get("workspace") or "1a901a90-1a90-1a90-1a90-1a901a901a90",
        "billable_metric": {
            "lago_id": data.get("id") or data["key"],
            "name": data.get("name") or data["key"],
            "code": data["key"],
            "description": data.get("description"),
            "aggregation_type": "sum_agg" if value else "count_agg",
            "weighted_interval": None,
            "recurring": False,
            "created_at": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "field_name": (value or {}).get("property"),
            "filters": [],
        },
    }


def first(credential: Mapping[str, str]) -> Request:
    """https://getlago.com/docs/api-reference/billable-metrics/get-all"""
    return _page(credential, 1)


def parse(answer: Any, asked: Request, credential: Mapping[str, str]) -> Page:
    """One page; Lago numbers them. Raises `PayloadRefused`."""
    listed = load(_list, answer)
    meta = listed["meta"]
    event_types = tuple(_event_type(metric) for metric in listed["billable_metrics"])
    if asked != _page(credential, meta["current_page"]):
        raise PayloadRefused({"meta": {"current_page": ["Is not the page that was asked for."]}})
    is_last = meta["next_page"] is None
    if meta["next_page"] != (None if is_last else meta["current_page"] + 1):
        raise PayloadRefused({"meta": {"next_page": ["Is not the page after this one."]}})
    if is_last != (meta["current_page"] >= meta["total_pages"]):
        raise PayloadRefused({"meta": {"total_pages": ["Does not agree with next_page."]}})
    return Page(event_types, None if is_last else _page(credential, meta["next_page"]), meta["total_count"])


def _page(credential: Mapping[str, str], number: int) -> Request:
    base_url = address(credential, "base_url", _BASE_URL)
    return Request(f"{base_url}/api/v1/billable_metrics?page={number}&per_page=100", bearer(credential["api_key"]))


PARTNER = Partner(
    name="lago",
    title="Lago",
    webhook=Webhook(
        # The kind of the secret decides, never the request's own header: a PEM public key fits only the second scheme,
        # a shared secret only the first.
        scheme=AnyOf(
            (
                HmacScheme(
                    header="X-Lago-Signature",
                    digest_encoding="base64",
                    pinned_header="X-Lago-Signature-Algorithm",
                    pinned_value="hmac",
                    uncovered_id_header="X-Lago-Unique-Key",
                ),
                JwtBody(
                    header="X-Lago-Signature",
                    pinned_header="X-Lago-Signature-Algorithm",
                    pinned_value="jwt",
                    uncovered_id_header="X-Lago-Unique-Key",
                ),
            )
        ),
        read=read,
        kinds=(ChangeKind.DEFINED, ChangeKind.UPDATED, ChangeKind.DELETED),
        compose=compose,
    ),
    list_api=ListApi(
        credential=(
            CredentialField("api_key", "API key", secret=True),
            CredentialField("base_url", "API address", default=_BASE_URL),
        ),
        first=first,
        parse=parse,
        verified="address, query and paging by Lago's OpenAPI document; not tried against a live organisation",
    ),
    weaknesses=(
        (
            "The signature covers neither a time nor an id, so that a captured webhook can be replayed at any age; the "
            "connector takes each body once."
        ),
        (
            "For the same reason the second of two updates to the very same content (A, then B, A, B) looks "
            "like a duplicate of the first and changes nothing: `connector sync` finds it."
        ),
        "Updates have no time: they count in the order in which they arrive.",
        (
            "With the algorithm jwt all organisations of one Lago installation are signed for with the same key: "
            "choose hmac, or name your organisation's id as the connection's workspace."
        ),
        "Lago does not say what the code was before: a changed code is recognised by `lago_id`.",
    ),
    verified=(
        "webhooks, headers and both signatures by Lago's source and OpenAPI document; that the content of a webhook "
        "is the same in every attempt, by the source; nothing was captured from a live organisation"
    ),
)
