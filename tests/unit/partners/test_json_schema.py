"""Which property of an event is its value, by a JSON Schema that customers write as they like."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.event_types import NO_VALUE, Value
from connector.partners import PayloadRefused
from connector.partners.json_schema import value_at, value_of

from .payloads import JSON

NUMBER = {"type": "number"}


@pytest.mark.parametrize(
    ("properties", "value"),
    [
        (None, None),
        ({}, NO_VALUE),
        ({"term": {"type": "string"}}, NO_VALUE),
        ({"total": NUMBER, "term": {"type": "string"}}, Value(property="total")),
        ({"results": {"type": "integer"}}, Value(property="results", type="integer")),
        ({"results": {"type": ["integer", "null"]}}, Value(property="results", type="integer")),
        ({"either": {"type": ["number", "string"]}}, NO_VALUE),
        ({"total": NUMBER, "tax": NUMBER}, None),
        ({"fixed": NUMBER | {"const": 1}}, NO_VALUE),
        ({"choice": NUMBER | {"enum": [1, 2]}}, NO_VALUE),
        ({"anything": True, "total": NUMBER}, Value(property="total")),
    ],
)
def test_the_value_is_the_only_number_free_to_vary(properties: Any, value: Value | None) -> None:
    assert value_of(properties) == value


def test_the_object_is_found_inside_of_the_message() -> None:
    message = {"properties": {"properties": {"properties": {"total": NUMBER}}}}
    assert value_at(("properties", "properties"), message, within="schema") == Value(property="total")
    assert value_at(("properties", "context"), message, within="schema") is None


def test_a_property_that_no_database_can_hold_is_refused_where_it_stands() -> None:
    with pytest.raises(PayloadRefused) as refused:
        value_at(("properties",), {"properties": {"properties": {"a\0": NUMBER}}}, within="events.0.schema")
    assert set(refused.value.errors) == {"events.0.schema.properties"}


@given(st.lists(st.text()), JSON)
def test_any_schema_has_a_value_or_none_or_is_refused(path: list[str], schema: Any) -> None:
    try:
        value = value_at(path, schema, within="schema")
    except PayloadRefused:
        return
    assert value is None or value == NO_VALUE or value.numeric
