"""Statsig: webhooks of configuration changes, of which those of metrics tell of an event type. Experimental.

Statsig's events have no schema, so no definition of one can change; a metric is the nearest thing. This module must
never take a metric's name for more than it is: only the list API knows which events the metric counts.
https://docs.statsig.com/integrations/event_webhook
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urljoin, urlsplit

from marshmallow import fields, validate

from connector.event_types import Change, ChangeKind, EventType
from connector.partners.asking import address
from connector.partners.fields import Key, PartnerSchema, Text, load
from connector.partners.partner import (
    CredentialField,
    ListApi,
    Page,
    Partner,
    PayloadRefused,
    Reading,
    Refresh,
    Request,
    Skip,
    Webhook,
)
from connector.partners.standard import KINDS
from connector.signatures import HmacScheme

CONFIG_CHANGE = "statsig::config_change"
METRIC = "Metric"  # `metadata.type`; unverified: the documentation shows only Gate and Experiment

# `metadata.action` of a metric's change, from the same page; unverified for metrics.
ACTIONS = {
    "created": ChangeKind.DEFINED,
    "updated": ChangeKind.UPDATED,
    "deleted": ChangeKind.DELETED,
}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MILLISECOND = 253_402_300_799_999  # of the year 9999, where datetime ends
_BASE_URL = "https://statsigapi.net"


class MetadataSchema(PartnerSchema):
    type = Text(load_default=None, allow_none=True)
    name = Text(load_default=None, allow_none=True)
    action = Text(load_default=None, allow_none=True)


class EventSchema(PartnerSchema):
    event_name = Text(required=True, data_key="eventName")


class ConfigChangeSchema(PartnerSchema):
    timestamp = fields.Integer(
        strict=True, load_default=None, allow_none=True, validate=validate.Range(min=0, max=_LAST_MILLISECOND)
    )
    metadata = fields.Nested(MetadataSchema, required=True)


class MetricSchema(PartnerSchema):
    name = Key(required=True)


class BatchSchema(PartnerSchema):
    data = fields.List(fields.Dict(), required=True)


class LineageSchema(PartnerSchema):
    events = fields.List(Key(), required=True)


class ListedMetricSchema(PartnerSchema):
    lineage = fields.Nested(LineageSchema, required=True)


class PaginationSchema(PartnerSchema):
    next_page = Text(required=True, allow_none=True, longest=2048, data_key="nextPage")
    total = fields.Integer(data_key="totalItems", strict=True, load_default=None, allow_none=True)


class ListSchema(PartnerSchema):
    data = fields.List(fields.Nested(ListedMetricSchema), required=True)
    pagination = fields.Nested(PaginationSchema, required=True)


_batch, _event, _config_change, _metric = BatchSchema(), EventSchema(), ConfigChangeSchema(), MetricSchema()
_list = ListSchema()


def read(payload: Any, _headers: Mapping[str, str]) -> Reading:
    """A batch of Statsig's webhook. Raises `PayloadRefused`."""
    said = [_said(event, f"data.{at}") for at, event in enumerate(load(_batch, payload)["data"])]
    return Reading(
        changes=tuple(each for each in said if isinstance(each, Change)),
        # A batch may hold a thousand exposures: they are told of once.
        skips=tuple(dict.fromkeys(each for each in said if isinstance(each, Skip))),
        refresh=Refresh("which events the changed metric counts") if any(map(_of_a_metric, said)) else None,
    )


def _said(event: Any, within: str) -> Change | Skip:
    event_name = load(_event, event, within=within)["event_name"]
    if event_name != CONFIG_CHANGE:
        return Skip(event_name[:100], "Not a change of configuration.")
    change = load(_config_change, event, within=within)
    metadata, timestamp = change["metadata"], change["timestamp"]
    if metadata["type"] != METRIC:
        return Skip((metadata["type"] or CONFIG_CHANGE)[:100], "A change of something else than a metric.")
    if metadata["action"] not in ACTIONS:
        return Skip(METRIC, f"Not known what happened to the metric: the action is {metadata['action'] or ''!r:.60}.")
    return Change(
        kind=ACTIONS[metadata["action"]],
        event_type=EventType(key=load(_metric, metadata, within=f"{within}.metadata")["name"]),
        occurred_at=None if timestamp is None else _EPOCH + timedelta(milliseconds=timestamp),
    )


def _of_a_metric(said: Change | Skip) -> bool:
    return isinstance(said, Change) or said.what == METRIC


def compose(type_: str, data: Any, now: datetime) -> Any:
    """Statsig's body for a change of the native protocol. Raises `ValueError` where Statsig has no word for it."""
    action = next((action for action, kind in ACTIONS.items() if kind is KINDS.get(type_)), None)
    if action is None:
        raise ValueError(f"Statsig has no webhook for {type_!r}: it tells of created, updated and deleted metrics.")
    if not isinstance(data, Mapping) or not data.get("key"):
        raise ValueError("Statsig names a metric by its key: put a key into the data.")
    event = {
        "user": {"name": "Metric Connector", "email": "connector@example.com"},
        "timestamp": (now - _EPOCH) // timedelta(milliseconds=1),
        "eventName": CONFIG_CHANGE,
        "metadata": {"type": METRIC, "name": data["key"], "description": f"Metric {action}", "action": action},
    }
    return {"data": [event]}


def first(credential: Mapping[str, str]) -> Request:
    base_url = address(credential, "base_url", _BASE_URL)
    return Request(
        f"{base_url}/console/v1/metrics/list?limit=100&page=1", {"STATSIG-API-KEY": credential["console_api_key"]}
    )


def parse(answer: Any, request: Request, _credential: Mapping[str, str]) -> Page:
    """The events that the metrics of a page count; one that several count is there several times, but the same."""
    page = load(_list, answer)
    keys = dict.fromkeys(key for metric in page["data"] for key in metric["lineage"]["events"])
    link, total = page["pagination"]["next_page"], page["pagination"]["total"]
    return Page(tuple(EventType(key=key) for key in keys), _next(request, link) if link else None, total)


def _next(request: Request, link: str) -> Request:
    """The next page has the API key sent to it: it must be at the same place, written the same way."""
    try:
        url = urljoin(request.url, link)
        followed = urlsplit(url)[:2] == urlsplit(request.url)[:2] and url != request.url
    except ValueError:
        followed = False
    if not followed:
        raise PayloadRefused({"pagination": {"nextPage": ["Not another page of the same API."]}})
    return Request(url, request.headers)


PARTNER = Partner(
    name="statsig",
    title="Statsig",
    webhook=Webhook(
        scheme=HmacScheme(
            header="X-Statsig-Signature",
            prefix="v0=",
            template="v0:{ts}:{body}",
            timestamp_header="X-Statsig-Request-Timestamp",
            timestamp_unit="ms",
        ),
        read=read,
        kinds=tuple(ACTIONS.values()),
        compose=compose,
    ),
    list_api=ListApi(
        credential=(
            CredentialField("console_api_key", "Console API key", secret=True),
            CredentialField("base_url", "API address", default=_BASE_URL),
        ),
        first=first,
        parse=parse,
        per_second=10,
        verified="the shape by the vendor's documentation; not tried against the product",
    ),
    weaknesses=(
        "The body names the metric, not its events: one that is not named like its event gets no data.",
        "A metric has no id in the body: a renamed one is a new one.",
        "Retries and their order are not documented; batches are read whole.",
    ),
    verified=(
        "Experimental: signature and envelope by the vendor's documentation; that changes of metrics are sent at all, "
        "and the words for what happened to them, are not confirmed."
    ),
)
