"""What a plan's JSON Schema says of an event: its description, and which of its properties is its value, if any.

It must never know whose plan it is. https://json-schema.org/draft-07/json-schema-validation
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from marshmallow import fields

from connector.event_types import NO_VALUE, Value
from connector.partners.fields import Key, PartnerSchema, Text, load

NUMERIC = ("integer", "number")


class ObjectSchema(PartnerSchema):
    """A JSON Schema of an object. What stands in a property is the customer's affair: any of it is tolerated."""

    description = Text(allow_none=True)
    properties = fields.Dict(keys=Key(), values=fields.Raw(allow_none=True))


_object = ObjectSchema()


def value_at(path: Sequence[str], schema: Any, *, within: str) -> Value | None:
    """The value of the object whose schema is found by `path` inside of another, nothing stated where there is none.

    Raises `PayloadRefused` with the errors below `within`.
    """
    for step in path:
        schema = schema.get(step) if isinstance(schema, Mapping) else None
    if schema is None:
        return None
    return value_of(load(_object, schema, within=".".join((within, *path))).get("properties"))


def value_of(properties: Mapping[str, Any] | None) -> Value | None:
    """The only property that is a number free to vary. Of several, a plan does not say which one counts: not stated.

    Nothing is stated either where the plan says nothing of properties (`None`).
    """
    if properties is None:
        return None
    numeric = {name: type_ for name, each in properties.items() if (type_ := _numeric_type(each))}
    if len(numeric) > 1:
        return None
    return next((Value(property=name, type=type_) for name, type_ in numeric.items()), NO_VALUE)


def _numeric_type(each: Any) -> str | None:
    if not isinstance(each, Mapping) or "const" in each or "enum" in each:
        return None
    stated = each.get("type")
    types = [type_ for type_ in (stated if isinstance(stated, list) else [stated]) if type_ != "null"]
    return types[0] if len(types) == 1 and types[0] in NUMERIC else None
