"""Stripe: billing meters, from the snapshot events `billing.meter.*`.

A meter's `event_name` is what is sent as the event, and Stripe never changes it. This module does no I/O and must never
know LaunchDarkly. Source: https://docs.stripe.com/changelog/basil/2025-03-31/billing-meter-webhooks.md
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from marshmallow import ValidationError, fields, validate

from connector.event_types import Aggregation, Change, ChangeKind, EventType, Value
from connector.partners.asking import address, basic
from connector.partners.fields import Key, PartnerSchema, Text, load
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
from connector.signatures import HmacScheme

# https://docs.stripe.com/api/events/types
KINDS = {
    "billing.meter.created": ChangeKind.DEFINED,
    "billing.meter.updated": ChangeKind.UPDATED,
    "billing.meter.deactivated": ChangeKind.ARCHIVED,
    "billing.meter.reactivated": ChangeKind.RESTORED,
}

# https://docs.stripe.com/api/billing/meter/object#billing_meter_object-default_aggregation-formula
AGGREGATIONS = {"count": Aggregation.COUNT, "sum": Aggregation.SUM, "last": Aggregation.LAST}

_BASE_URL = "https://api.stripe.com"

_LAST_SECOND = 253_402_300_799  # of the year 9999, the last that `datetime` holds


class UnixSeconds(fields.Integer):
    def __init__(self, **options: Any) -> None:
        super().__init__(strict=True, validate=validate.Range(min=0, max=_LAST_SECOND), **options)


class AggregationSchema(PartnerSchema):
    formula = Text(required=True, longest=100)


class ValueSettingsSchema(PartnerSchema):
    event_payload_key = Key(required=True)


class MeterSchema(PartnerSchema):
    id = Key(required=True)
    event_name = Key(required=True)
    display_name = Text(required=True)
    status = Text(required=True, longest=100)
    default_aggregation = fields.Nested(AggregationSchema, required=True)
    value_settings = fields.Nested(ValueSettingsSchema, required=True)
    updated = UnixSeconds()


class DataSchema(PartnerSchema):
    object = fields.Nested(MeterSchema, required=True)
    previous_attributes = fields.Raw(allow_none=True)


class EnvelopeSchema(PartnerSchema):
    object = Text(required=True, longest=100)
    type = Text(required=True, longest=200, shortest=1)


class EventSchema(PartnerSchema):
    created = UnixSeconds(required=True)
    livemode = fields.Boolean(required=True, truthy={True}, falsy={False})
    data = fields.Nested(DataSchema, required=True)


class ListSchema(PartnerSchema):
    object = Text(required=True, choices=["list"])
    data = fields.List(fields.Nested(MeterSchema), required=True)
    has_more = fields.Boolean(required=True, truthy={True}, falsy={False})


_envelope, _event, _list = EnvelopeSchema(), EventSchema(), ListSchema()


def read(payload: Any, _headers: Mapping[str, str]) -> Reading:
    """A snapshot event. Raises `PayloadRefused`.

    The message id is left to the body's hash: Stripe renders an event anew for every attempt (`pending_webhooks` counts
    down), so that its id can come with other bytes. To read one twice is harmless: `created` and `updated` order it.
    """
    envelope = load(_envelope, payload)
    if envelope["object"] != "event":
        return Reading(skips=(Skip(envelope["type"][:100], "not a snapshot event, which alone holds the meter"),))
    kind = KINDS.get(envelope["type"])
    if kind is None:
        return Reading(skips=(Skip(envelope["type"][:100], "not an event about a billing meter"),))
    event = load(_event, payload)
    meter = event["data"]["object"]
    previous_name = _previous_name(event["data"].get("previous_attributes"))
    change = Change(
        kind=ChangeKind.RENAMED if kind is ChangeKind.UPDATED and previous_name is not None else kind,
        event_type=_event_type(meter),
        occurred_at=datetime.fromtimestamp(event["created"], UTC),
        sequence=meter.get("updated"),
        previous_name=previous_name,
        workspace="live" if event["livemode"] else "test",
    )
    formula = meter["default_aggregation"]["formula"]
    unknown = Skip(f"formula {formula}"[:100], "not an aggregation that we know: the meter's value is left out")
    return Reading(changes=(change,), skips=() if formula in AGGREGATIONS else (unknown,))


def _previous_name(previous_attributes: Any) -> str | None:
    """Unconfirmed for meters, so that anything but a name is as good as nothing."""
    try:
        name: str = Text().deserialize(previous_attributes["display_name"])
    except (TypeError, KeyError, ValidationError):
        return None
    return name


def _event_type(meter: Mapping[str, Any]) -> EventType:
    return EventType(id=meter["id"], key=meter["event_name"], name=meter["display_name"], value=_value(meter))


def _value(meter: Mapping[str, Any]) -> Value | None:
    aggregation = AGGREGATIONS.get(meter["default_aggregation"]["formula"])
    if aggregation is None:
        return None
    if aggregation is Aggregation.COUNT:
        return Value(type="none", aggregation=aggregation)
    return Value(property=meter["value_settings"]["event_payload_key"], aggregation=aggregation)


def compose(type_: str, data: Any, now: datetime) -> Any:
    """The event that Stripe would send for a change of the native protocol. Raises `ValueError` where it has none."""
    kind = NATIVE.get(type_)
    told = ChangeKind.UPDATED if kind is ChangeKind.RENAMED else kind
    event = next((word for word, meant in KINDS.items() if meant is told), None)
    if event is None:
        raise ValueError(
            f"Stripe has no event for {type_!r}: it tells of created, updated, deactivated and reactivated meters."
        )
    if not isinstance(data, Mapping) or not data.get("key"):
        raise ValueError("A meter has an event name: put a key into the data.")
    if data.get("previous_key") not in (None, data["key"]):
        raise ValueError("The event name of a meter never changes: leave out previous_key.")
    at = int(now.timestamp())
    value = data.get("value") or {}
    archived = kind is ChangeKind.ARCHIVED
    meter = {
        "id": data.get("id") or f"mtr_{data['key']}",
        "object": "billing.meter",
        "created": at,
        "customer_mapping": {"event_payload_key": "stripe_customer_id", "type": "by_id"},
        "default_aggregation": {"formula": "sum" if value else "count"},
        "display_name": data.get("name") or data["key"],
        "event_name": data["key"],
        "event_time_window": None,
        "livemode": True,
        "status": "inactive" if archived else "active",
        "status_transitions": {"deactivated_at": at if archived else None},
        "updated": at,
        "value_settings": {"event_payload_key": value.get("property") or "value"},
    }
    changed = {"previous_attributes": {"display_name": data["previous_name"]}} if data.get("previous_name") else {}
    return {
        "id": f"evt_{at}{meter['id']}",
        "object": "event",
        "api_version": None,
        "created": at,
        "data": {"object": meter, **changed},
        "livemode": True,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": event,
    }


def first(credential: Mapping[str, str]) -> Request:
    """The active meters of the account and mode that the key belongs to; https://docs.stripe.com/api/billing/meter/list."""
    return _request(credential)


def parse(answer: Any, _asked: Request, credential: Mapping[str, str]) -> Page:
    """One page; the next one starts after the last meter of this. Raises `PayloadRefused`."""
    listed = load(_list, answer)
    meters = listed["data"]
    event_types = tuple(_event_type(meter) for meter in meters if meter["status"] == "active")
    if not listed["has_more"]:
        return Page(event_types)
    if not meters:
        raise PayloadRefused({"data": ["Is empty, though there is more."]})
    return Page(event_types, _request(credential, starting_after=meters[-1]["id"]))


def _request(credential: Mapping[str, str], **after: str) -> Request:
    query = {"limit": "100", "status": "active", **after}
    base_url = address(credential, "base_url", _BASE_URL)
    return Request(f"{base_url}/v1/billing/meters?{urlencode(query)}", basic(credential["api_key"], ""))


PARTNER = Partner(
    name="stripe",
    title="Stripe",
    webhook=Webhook(
        scheme=HmacScheme(
            header="Stripe-Signature", prefix="v1=", separator=",", template="{ts}.{body}", timestamp_prefix="t="
        ),
        read=read,
        kinds=(
            ChangeKind.DEFINED,
            ChangeKind.RENAMED,
            ChangeKind.UPDATED,
            ChangeKind.ARCHIVED,
            ChangeKind.RESTORED,
        ),
        compose=compose,
    ),
    list_api=ListApi(
        credential=(
            CredentialField("api_key", "Secret or restricted key that may read billing meters", secret=True),
            CredentialField("base_url", "API address", default=_BASE_URL),
        ),
        first=first,
        parse=parse,
        verified="address, query and paging by Stripe's API reference; not tried against a live account",
    ),
    weaknesses=(
        "A meter cannot be deleted and its event name never changes, so that no such change ever arrives.",
        (
            "Events of test mode are read like those of live mode: give each mode its own endpoint, or its connection "
            'the workspace "live" or "test".'
        ),
        (
            "Stripe sends events in no particular order, and times them in whole seconds: two changes of one meter "
            "within a second are told apart by the meter's own `updated` alone."
        ),
        "Meters have neither a description nor a unit.",
    ),
    verified=(
        "signature by Stripe's own library; event and meter put together from Stripe's published fixtures; "
        "previous_attributes on billing.meter.updated is not confirmed, and only tells a rename from an update"
    ),
)
