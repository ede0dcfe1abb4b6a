"""Mapping files: a partner described in TOML, for products that have no module of their own.

The file says how the request is signed and, in JMESPath (https://jmespath.org), where in the body the words of the
native protocol stand. This module must never know a partner by name, and reads no file itself.
"""

from __future__ import annotations

import dataclasses
import math
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions
from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from connector.event_types import Aggregation, Change, ChangeKind, EventType, Value
from connector.partners.fields import Key, Moment, PartnerSchema, Text, load
from connector.partners.partner import MappingRefused, Partner, PayloadRefused, Reading, Skip, Webhook
from connector.partners.standard import JSON_TYPES, EventTypeSchema
from connector.signatures import HmacScheme, JwtBearer, JwtBody, Scheme, StandardWebhooks, TimestampSignature

SCHEMES: dict[str, Callable[..., Scheme]] = {
    "hmac": HmacScheme,
    "standard-webhooks": StandardWebhooks,
    "jwt-bearer": JwtBearer,
    "jwt-body": JwtBody,
    "itsdangerous": TimestampSignature,
}
TIME_FORMATS = {"iso8601": "iso", "s": "timestamp", "ms": "timestamp_ms", "rfc1123": "rfc"}  # in marshmallow's words

OF_THE_EVENT_TYPE = ("id", "key", "name", "previous_key", "previous_name", "description", "tags", "url")
OF_THE_VALUE = ("value_property", "value_type", "unit", "aggregation")
OF_THE_CHANGE = ("event", "occurred_at", "sequence", "workspace")  # an item may leave these to the body around it
OF_THE_BODY = ("items", "message_id")

_NAME = re.compile(r"[a-z][a-z0-9-]{0,63}")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2
_UNSIGNED_BODY = (
    "The signature does not cover the body: whoever sees one request can send others with its token until it expires."
)


def parse_mapping(text: str, source_name: str) -> Partner:
    """The partner that a mapping file describes. Raises `MappingRefused`, which calls the file by its `source_name`."""
    try:
        tables = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also endless numbers and deep nesting
        raise MappingRefused(f"{source_name} is not TOML: {error}.") from None
    try:
        document = _FILE.load(tables)
    except ValidationError as error:
        raise MappingRefused(f"{source_name}, {_first(error.messages_dict)}.") from None
    mapping = _Mapping(
        expressions={name: each for name, each in document["payload"].items() if name != "time_format"},
        events=document["events"],
        aggregations=document["aggregations"],
        schema=_schema(document["payload"].get("time_format", "iso8601")),
    )
    scheme = document["signature"]
    return Partner(
        name=document["name"],
        title=document["title"],
        webhook=Webhook(
            scheme=scheme,
            read=mapping.read,
            kinds=tuple(kind for kind in ChangeKind if kind in mapping.events.values()),
            answer=document.get("answer"),
            max_body=document.get("max_body"),
        ),
        weaknesses=(_UNSIGNED_BODY,) if isinstance(scheme, JwtBearer) else (),
        verified="a mapping file of this installation: its author alone vouches for it",
    )


class EventSchema(PartnerSchema):
    event = Text()


class MessageSchema(PartnerSchema):
    message_id = Text(longest=256, shortest=1)


class MappedSchema(EventTypeSchema):
    """What the expressions found, by our names; what they did not find is left out."""

    previous_key = Key()
    previous_name = Text()
    value_property = Key()
    value_type = Text(choices=JSON_TYPES)
    unit = Text(longest=100)
    aggregation = Text()
    sequence = fields.Integer(strict=True, validate=validate.Range(min=0, max=2**63 - 1))
    workspace = Key()


_event, _message = EventSchema(), MessageSchema()


@dataclass(frozen=True, slots=True)
class _Mapping:
    """What a file says of the payload; `expressions` are compiled, `events` and `aggregations` lead to our words."""

    expressions: Mapping[str, Any]
    events: Mapping[str, ChangeKind]
    aggregations: Mapping[str, Aggregation]
    schema: Schema

    def read(self, payload: Any, _headers: Mapping[str, str]) -> Reading:
        """Raises `PayloadRefused`, with the field errors by the names that the file has for them."""
        message = load(_message, self._found(("message_id",), payload))
        items: Any = [payload]
        if "items" in self.expressions:
            items = self._found(("items",), payload).get("items")
            if items is None:
                skip = Skip("items", "The mapping file's expression finds none in this body.")
                return Reading(skips=(skip,), message_id=message.get("message_id"))
            if not isinstance(items, list):
                raise PayloadRefused({"items": ["Not a list."]})
        said = [self._said(item, payload, None if item is payload else f"items.{at}") for at, item in enumerate(items)]
        return Reading(
            changes=tuple(each for each in said if isinstance(each, Change)),
            skips=tuple(dict.fromkeys(each for each in said if isinstance(each, Skip))),
            message_id=message.get("message_id"),
        )

    def _said(self, item: Any, body: Any, within: str | None) -> Change | Skip:
        of_the_change = self._found(OF_THE_CHANGE, item)
        if item is not body:
            of_the_change |= self._found([name for name in OF_THE_CHANGE if name not in of_the_change], body)
        event = load(_event, of_the_change, within=within).get("event", "")
        if event not in self.events:
            return Skip((event or "event")[:100], "The mapping file does not name this event.")
        found = self._found(OF_THE_EVENT_TYPE + OF_THE_VALUE, item)
        loaded = load(self.schema, found | of_the_change, within=within)
        return Change(
            kind=self.events[event],
            event_type=EventType(
                id=loaded.get("id"),
                key=loaded.get("key"),
                name=loaded.get("name"),
                description=loaded.get("description"),
                value=self._value(loaded),
                tags=tuple(loaded["tags"]) if "tags" in loaded else None,
                url=loaded.get("url"),
            ),
            occurred_at=loaded.get("occurred_at"),
            sequence=loaded.get("sequence"),
            previous_key=loaded.get("previous_key"),
            previous_name=loaded.get("previous_name"),
            workspace=loaded.get("workspace"),
        )

    def _value(self, loaded: Mapping[str, Any]) -> Value | None:
        value = Value(
            property=loaded.get("value_property"),
            type=loaded.get("value_type", "number"),
            unit=loaded.get("unit"),
            aggregation=self.aggregations.get(loaded.get("aggregation", "")),
        )
        return None if value == Value() and "value_type" not in loaded else value

    def _found(self, names: Sequence[str], where: Any) -> dict[str, Any]:
        """What the expressions of these names find; to JMESPath, absent and null are the same."""
        found = {}
        for name in names:
            if name in self.expressions:
                try:
                    found[name] = self.expressions[name].search(where)
                except Exception:  # noqa: BLE001 - its functions raise all sorts of errors on data of the wrong type
                    raise PayloadRefused({name: ["The mapping file's expression fails on this body."]}) from None
        return {name: value for name, value in found.items() if value is not None}


def _schema(time_format: str) -> Schema:
    return MappedSchema.from_dict({"occurred_at": Moment(format=TIME_FORMATS[time_format])})()


# What a file may hold.


def _text(pattern: re.Pattern[str], allowed: str) -> Callable[[Any], None]:
    def check(value: Any) -> None:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise ValidationError(f"must be {allowed}")

    return check


def _whole(least: int, most: int) -> Callable[[Any], None]:
    def check(value: Any) -> None:
        if type(value) is not int or not least <= value <= most:
            raise ValidationError(f"must be a whole number from {least} to {most}")

    return check


def _expression(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValidationError("must be a text with a JMESPath expression")
    try:
        compiled = jmespath.compile(value)
        unknown = set(_functions(compiled.parsed)) - set(Functions.FUNCTION_TABLE)
    except (JMESPathError, RecursionError) as error:
        reason = str(error).partition("\n")[0].rpartition("expression: ")[2].rstrip(":. ")
        raise ValidationError(f"is not a JMESPath expression: {reason}") from None
    if unknown:
        known = ", ".join(sorted(Functions.FUNCTION_TABLE))
        raise ValidationError(f"uses {min(unknown)}(), which is no JMESPath function; there are {known}")
    return compiled


def _functions(node: Mapping[str, Any]) -> Iterator[str]:
    if node["type"] == "function_expression":
        yield node["value"]
    for child in node["children"]:
        if isinstance(child, Mapping):
            yield from _functions(child)


def _words(value: Any, ours: type[StrEnum]) -> dict[str, StrEnum]:
    if not isinstance(value, dict) or not value:
        raise ValidationError("must be a table from the partner's words to ours")
    for word, our in value.items():
        if our not in list(ours):
            raise ValidationError({word: [f"must be one of {', '.join(ours)} (and a word with dots stands in quotes)"]})
    return {word: ours(our) for word, our in value.items()}


def _signature(value: Any) -> Scheme:
    if not isinstance(value, dict):
        raise ValidationError("must be a table")
    parameters = dict(value)
    kind = parameters.pop("kind", None)
    if kind not in list(SCHEMES):
        raise ValidationError({"kind": [f"must be one of {', '.join(SCHEMES)}"]})
    scheme = SCHEMES[kind]
    known = {each.name: each for each in dataclasses.fields(scheme)}  # type: ignore[arg-type]  # all are
    for name, given in parameters.items():
        if name not in known:
            raise ValidationError({name: [f"is not known; {kind} allows {', '.join(known)}"]})
        _check_parameter(name, given)
    for name, each in known.items():
        if each.default is dataclasses.MISSING and name not in parameters:
            raise ValidationError({name: ["is missing"]})
    if bool(parameters.get("pinned_header")) != bool(parameters.get("pinned_value")):
        raise ValidationError({"pinned_header": ["must be given together with pinned_value"]})
    try:
        return scheme(**parameters)
    except ValueError as error:
        raise ValidationError({"_schema": [str(error)]}) from None


def _check_parameter(name: str, given: Any) -> None:
    if name == "tolerance":
        if type(given) not in {int, float} or not (math.isfinite(given) and given > 0):
            raise ValidationError({name: ["must be a number of seconds above 0"]})
    elif not isinstance(given, str):
        raise ValidationError({name: ["must be a text"]})
    elif name.endswith("header") and not _HEADER.fullmatch(given):
        raise ValidationError({name: ["must be the name of a header"]})


class TableSchema(Schema):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.error_messages["type"] = "must be a table"
        self.error_messages["unknown"] = f"is not known; allowed are {', '.join(self.fields)}"


_MISSING: dict[str, Any] = {"required": "is missing"}
_EXPRESSIONS = {
    name: fields.Function(deserialize=_expression)
    for name in (*OF_THE_BODY, *OF_THE_CHANGE, *OF_THE_EVENT_TYPE, *OF_THE_VALUE)
}
_time_format = validate.OneOf(list(TIME_FORMATS), error=f"must be one of {', '.join(TIME_FORMATS)}")
PayloadSchema = TableSchema.from_dict({**_EXPRESSIONS, "time_format": fields.Raw(validate=_time_format)})


class FileSchema(TableSchema):
    name = fields.Raw(
        required=True,
        error_messages=_MISSING,
        validate=_text(_NAME, "1 to 64 small letters, digits and '-', starting with a letter"),
    )
    title = fields.Raw(
        required=True, error_messages=_MISSING, validate=_text(re.compile(r"\S.{0,99}"), "1 to 100 characters")
    )
    answer = fields.Raw(validate=_whole(200, 299))
    max_body = fields.Raw(validate=_whole(1, 64 * 1024 * 1024))
    signature = fields.Function(deserialize=_signature, required=True, error_messages=_MISSING)
    payload = fields.Nested(PayloadSchema, required=True, error_messages=_MISSING)
    events = fields.Function(deserialize=partial(_words, ours=ChangeKind), required=True, error_messages=_MISSING)
    aggregations = fields.Function(
        deserialize=partial(_words, ours=Aggregation), load_default={each.value: each for each in Aggregation}
    )

    @validates_schema
    def enough(self, document: Mapping[str, Any], **_: Any) -> None:
        payload = document["payload"]
        for missing, *ways in (("event", "event"), ("id", "id", "key"), ("name", "name", "key")):
            if not any(way in payload for way in ways):
                raise ValidationError({"payload": {missing: [f"is missing{' (key would do)' if ways[1:] else ''}"]}})


_FILE = FileSchema()


def _first(messages: Mapping[Any, Any]) -> str:
    """The first of marshmallow's messages, behind its table and key."""
    at, inner = next(iter(messages.items()))
    if not isinstance(inner, dict):
        return f"{at}: {inner[0]}"
    key, inner = next(iter(inner.items()))
    return f"[{at}]: {inner[0]}" if key == "_schema" else f"[{at}] {key}: {inner[0]}"
