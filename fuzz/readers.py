"""The partners whose readers are fuzzed, with payloads to start from: composed, recorded, or made from a mapping file.

The recorded ones are those of the tests. This module must never know how a payload is spoilt.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from connector.partners import ListApi, Page, Partner, Partners, PayloadRefused, Request, Webhook, built_in
from connector.partners.mapping import parse_mapping
from connector.partners.standard import CATALOGUE, KINDS

HOUSE = Path(__file__).parents[1]
NOW = 1614265330.0

_PLAIN = {"id": "evt_8f2", "key": "order_completed", "name": "Order Completed"}
_FULL = {
    "id": "evt_8f3",
    "key": "Cart Viewed",
    "name": "Cart viewed",
    "description": "Somebody looked.",
    "previous_key": "cart_viewed",
    "previous_name": "Cart",
    "value": {"property": "revenue", "type": "number", "unit": "USD"},
    "tags": ["checkout", "web"],
    "url": "https://partner.example/events/8f3",
    "version": 3,
    "workspace": "ws_7",
}
_TIMES = {
    "iso8601": "2021-02-25T15:02:10Z",
    "s": 1614265330,
    "ms": 1614265330000,
    "rfc1123": "Thu, 25 Feb 2021 15:02:10 GMT",
}
_PATH = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")


@dataclass(frozen=True)
class Reader:
    """A partner's webhook, and payloads of it."""

    partner: Partner
    webhook: Webhook
    payloads: tuple[Any, ...]


@dataclass(frozen=True)
class Lister:
    """A partner's list API, answers of it, and the request that they answer."""

    partner: Partner
    api: ListApi
    answers: tuple[Any, ...]
    asked: Request
    credential: Mapping[str, str]


_ENTERED = {"mparticle": {"plan_id": "mobile_data_plan"}}
"""What a person has to have entered for the recorded answer to be an answer to it."""


@cache
def readers() -> tuple[Reader, ...]:
    """The built-in partners, and those of the example mapping files."""
    partners = [Partners().get(name) for name in built_in()]
    found = [
        Reader(partner, partner.webhook, (*_composed(partner.webhook), *_recorded(partner.name)))
        for partner in partners
        if partner.webhook is not None
    ]
    for path in sorted((HOUSE / "config/mappings").glob("*.toml")):
        partner = parse_mapping(path.read_text(), path.name)
        if partner.webhook is not None:
            found.append(Reader(partner, partner.webhook, tuple(_mapped(tomllib.loads(path.read_text())))))
    return tuple(found)


@cache
def listers() -> tuple[Lister, ...]:
    """The built-in partners with a list API. What they page through, the recordings hold."""
    found = []
    for partner in (Partners().get(name) for name in built_in()):
        if partner.list_api is not None:
            credential = {each.name: each.default or "1" for each in partner.list_api.credential}
            credential |= _ENTERED.get(partner.name, {})
            if partner.list_api.exchange is not None:
                credential |= partner.list_api.exchange.read(_recording(partner.name, "token"))
            asked = partner.list_api.first(credential)
            answers = tuple(
                answer
                for answer in _recorded(partner.name)
                if isinstance(_parsed(partner.list_api, answer, asked, credential), Page)
            )
            found.append(Lister(partner, partner.list_api, answers, asked, credential))
    return tuple(found)


def _parsed(api: ListApi, answer: Any, asked: Request, credential: Mapping[str, str]) -> Page | None:
    try:
        return api.parse(answer, asked, credential)
    except PayloadRefused:
        return None


def _recorded(name: str) -> list[Any]:
    """Every body of the partner that there is, and not what the tests expect of it."""
    paths = sorted((HOUSE / "tests/fixtures/partners" / name).glob("*.json"))
    return [_recording(name, path.stem) for path in paths if path.stem != "expected_metrics"]


def _recording(name: str, what: str) -> Any:
    return json.loads((HOUSE / "tests/fixtures/partners" / name / f"{what}.json").read_text())


def _composed(webhook: Webhook) -> Iterator[Any]:
    """Every change that the partner has a word for, and a catalogue where it has one."""
    moment = datetime.fromtimestamp(NOW, UTC)
    said = [(type_, data) for type_ in KINDS for data in (_PLAIN, _FULL)]
    for type_, data in [*said, (CATALOGUE, {"complete": True, "event_types": [_PLAIN, _FULL]})]:
        try:
            yield webhook.compose(type_, data, moment)
        except ValueError:
            continue


def _mapped(document: Mapping[str, Any]) -> Iterator[Any]:
    """A body per event that the file names, with a value wherever one of its expressions first looks."""
    expressions = document["payload"]
    values = {"sequence": 7, "value_type": "number", "occurred_at": _TIMES[expressions.get("time_format", "iso8601")]}
    for word in document["events"]:
        item: dict[str, Any] = {}
        for name, expression in expressions.items():
            path = _PATH.search(expression)
            if name not in {"items", "message_id", "time_format"} and path is not None:
                _put(item, path[0].split("."), values.get(name, f"{name}_1") if name != "event" else word)
        if "items" in expressions:
            body: dict[str, Any] = {"delivery_id": "msg_1"}
            _put(body, expressions["items"].split("."), [item, item])
            yield body | {name: each for name, each in item.items() if name not in body}
        else:
            yield item


def _put(place: dict[str, Any], path: list[str], value: Any) -> None:
    for part in path[:-1]:
        inner = place.setdefault(part, {})
        if not isinstance(inner, dict):
            return
        place = inner
    place.setdefault(path[-1], value)
