"""Avo: a published plan becomes a catalogue, whole or partial as it was published."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.event_types import NO_VALUE, Catalogue, ChangeKind, EventType, Value
from connector.partners import Page, PayloadRefused, Reading, Skip
from connector.partners.avo import PARTNER, compose, first, parse, read
from connector.partners.payload import decode

FIXTURES = Path(__file__).parents[2] / "fixtures" / "partners" / "avo"
NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
PUBLISHED = datetime(2021, 6, 18, 13, 54, 1, tzinfo=UTC)
CREDENTIAL = {"workspace_id": "ws 1", "account": "name", "secret": "secret", "base_url": "https://api.avo.app"}
DEBUGGER = EventType(
    id="ev_debugger",
    key="Mapped Event Name",
    name="Debugger Started",
    description="Sent when the web debugger is started.",
    value=NO_VALUE,
    tags=(),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
EVENT = ("events", 0)
RULES = (*EVENT, "rules")
PROPERTIES = (*RULES, "properties", "properties", "properties")
MAPPING = (*RULES, "nameMapping")
FIELDS: list[tuple[str | int, ...]] = [
    ("events",), EVENT, (*EVENT, "id"), (*EVENT, "name"), (*EVENT, "description"), (*EVENT, "tags"),
    (*EVENT, "eventType"), RULES, (*RULES, "properties"), PROPERTIES[:-1], PROPERTIES, MAPPING,
    (*MAPPING, 0), (*MAPPING, 0, "name"), (*MAPPING, 0, "destinationId"), ("removedEvents",), ("context",),
    ("context", "publishInfo"), ("context", "publishInfo", "publishDate"), ("context", "publishInfo", "branchId"),
    ("context", "publishInfo", "branchName"),
]  # fmt: skip


def sent(*replaced: tuple[tuple[str | int, ...], Any]) -> Any:
    """The plan as Avo sends it, with what is at a path replaced."""
    body = json.loads((FIXTURES / "plan.json").read_text())
    for (*way, last), value in replaced:
        at = body
        for step in way:
            at = at[step]
        at[last] = value
    return body


def only(*replaced: tuple[tuple[str | int, ...], Any]) -> EventType:
    catalogue = read(sent(*replaced), {}).catalogue
    assert catalogue is not None
    (event_type,) = catalogue.event_types
    return event_type


def test_a_plan_is_a_complete_catalogue_at_the_time_of_its_publication() -> None:
    assert read(sent(), {}) == Reading(catalogue=Catalogue((DEBUGGER,), complete=True, occurred_at=PUBLISHED))


@pytest.mark.parametrize("removed", [[], ["Debugger Stopped"]])
def test_a_plan_of_what_changed_is_partial_and_names_what_is_gone(removed: list[str]) -> None:
    catalogue = Catalogue((DEBUGGER,), complete=False, removed=tuple(removed), occurred_at=PUBLISHED)
    assert read(sent((("removedEvents",), removed)), {}) == Reading(catalogue=catalogue)


@pytest.mark.parametrize(
    ("mapping", "key"),
    [
        ([], "Debugger Started"),
        ([{"name": "everywhere", "destinationId": "all"}], "everywhere"),
        ([{"name": "in one", "destinationId": "mixpanel"}], "in one"),
        ([{"name": "in one", "destinationId": "a"}, {"name": "everywhere", "destinationId": "all"}], "everywhere"),
        ([{"name": "same", "destinationId": "a"}, {"name": "same", "destinationId": "b"}], "same"),
        ([{"name": "one", "destinationId": "a"}, {"name": "other", "destinationId": "b"}], "Debugger Started"),
    ],
)
@pytest.mark.parametrize("spelling", ["nameMapping", "nameMappings"])
def test_the_key_is_the_mapped_name_where_the_mappings_agree_on_one(mapping: Any, key: str, spelling: str) -> None:
    event_type = only((MAPPING, []), ((*RULES, spelling), mapping))
    assert (event_type.key, event_type.name) == (key, "Debugger Started")


@pytest.mark.parametrize(
    ("properties", "value"),
    [
        ({}, NO_VALUE),
        ({"page": {"type": "string"}}, NO_VALUE),
        ({"page": {"type": "string"}, "price": {"type": "number"}}, Value(property="price")),
        ({"items": {"type": "integer"}}, Value(property="items", type="integer")),
        ({"price": {"type": ["number", "null"]}}, Value(property="price")),
        ({"price": {"type": ["number", "string"]}}, NO_VALUE),
        ({"price": {"type": "number"}, "items": {"type": "integer"}}, None),
        ({"price": {"type": "number"}, "version": {"type": "number", "const": 2}}, Value(property="price")),
        ({"step": {"type": "integer", "enum": [1, 2, 3]}}, NO_VALUE),
        (
            {"price": {"type": "number"}, "build": {"type": "integer", "isSystemProperty": True}},
            Value(property="price"),
        ),
        ({"odd": {"type": {"of": "another kind"}}, "none": {}, "null": {"type": None, "const": None}}, NO_VALUE),
    ],
)
def test_the_value_is_the_only_number_that_varies_and_unstated_where_there_are_several(
    properties: Any, value: Value | None
) -> None:
    assert only((PROPERTIES, properties)).value == value


def test_an_event_without_rules_says_nothing_of_its_value() -> None:
    assert only((RULES, {})).value is None


def test_variants_are_sent_under_the_name_of_their_event_and_make_no_event_type() -> None:
    base, variant = sent()["events"][0], sent()["events"][0] | {"id": "va_1", "eventType": "variant"}
    reading = read(sent((("events",), [base | {"eventType": "event"}, variant])), {})
    assert reading.catalogue == Catalogue((DEBUGGER,), complete=True, occurred_at=PUBLISHED)
    assert reading.skips == (Skip("variants", "sent under the name of their event: 1 in this plan"),)


def test_a_plan_of_another_branch_is_skipped() -> None:
    body = sent((("context", "publishInfo", "branchId"), "br_1"), (("context", "publishInfo", "branchName"), "draft"))
    assert read(body, {}) == Reading(skips=(Skip("branch draft", "only the main branch's plan is in force"),))


def test_a_plan_that_does_not_say_when_and_where_it_was_published_counts_from_its_receipt() -> None:
    assert read({"events": []}, {}) == Reading(catalogue=Catalogue((), complete=True))


@pytest.mark.parametrize(
    "other",
    [
        {"eventSchemas": [], "contextSchemas": [], "context": {}},
        {"events": '{"id":"1"}\n', "properties": "", "context": {}},
    ],
)
def test_the_other_formats_are_refused_with_what_to_choose(other: Any) -> None:
    with pytest.raises(PayloadRefused) as refused:
        read(other, {})
    assert refused.value.errors == {
        "events": ["Are not in the JSON Schema format: choose that one in the integration."]
    }


@pytest.mark.parametrize("path", FIELDS, ids=lambda path: ".".join(map(str, path)))
@pytest.mark.parametrize("wrong", [5, True, [5]])
def test_a_field_of_the_wrong_type_is_refused_by_its_name(path: tuple[str | int, ...], wrong: Any) -> None:
    with pytest.raises(PayloadRefused) as refused:
        read(sent((path, wrong)), {})
    errors: Any = refused.value.errors
    for step in path:
        assert step in errors
        errors = errors[step]


@pytest.mark.parametrize(
    "date",
    [
        "2021-06-18T13:54:01Z",
        "",
        "yesterday",
        "Fri, 31 Feb 2021 13:54:01 GMT",
        "Fri, 18 Jun 9999999999999999999 13:54:01 GMT",
        "Fri, 18 Jun 2021 13:59999999999999999994:01 GMT",
    ],
)
def test_a_date_that_is_not_written_as_avo_writes_it_is_refused(date: str) -> None:
    with pytest.raises(PayloadRefused):
        read(sent((("context", "publishInfo", "publishDate"), date)), {})


def answer(payload: Any) -> Reading | PayloadRefused:
    try:
        return read(payload, {})
    except PayloadRefused as refused:
        return refused


@given(payload=JSON)
def test_any_json_is_read_or_refused(payload: Any) -> None:
    assert isinstance(answer(payload), Reading | PayloadRefused)


@given(path=st.sampled_from([*FIELDS, (*PROPERTIES, "Property Name 1"), (*RULES, "nameMappings")]), value=JSON)
def test_any_json_within_a_genuine_plan_is_read_or_refused(path: tuple[str | int, ...], value: Any) -> None:
    assert isinstance(answer(sent((path, value))), Reading | PayloadRefused)


def test_the_export_of_the_main_branch_is_one_page() -> None:
    request = first(CREDENTIAL)
    assert request.url == "https://api.avo.app/workspaces/ws%201/branches/main/export/v1?payloadFormat=jsonSchema"
    assert request.headers == {"Authorization": "Basic bmFtZTpzZWNyZXQ="}
    assert parse(sent(), request, CREDENTIAL) == Page((DEBUGGER,))


@pytest.mark.parametrize(
    "garbage",
    [None, [], {}, {"error": "unauthorized"}, sent((EVENT, {"id": "ev"})), sent((("removedEvents",), []))],
)
def test_an_export_that_is_not_a_whole_plan_is_refused(garbage: Any) -> None:
    with pytest.raises(PayloadRefused):
        parse(garbage, first(CREDENTIAL), CREDENTIAL)


def test_avo_is_answered_with_200_alone_and_may_send_sixteen_mebibytes() -> None:
    assert PARTNER.webhook is not None
    assert (PARTNER.webhook.answer, PARTNER.webhook.max_body) == (200, 16 * 1024 * 1024)


def exchanged(type_: str, data: Any) -> Reading:
    """What is read of a plan that was composed, signed and verified."""
    assert PARTNER.webhook is not None
    scheme = PARTNER.webhook.scheme
    body = json.dumps(compose(type_, data, NOW)).encode()
    secret = scheme.generate_secret()
    headers = {name.lower(): value for name, value in scheme.sign(body, secret, "msg_1", NOW.timestamp()).items()}
    return read(decode(scheme.verify(body, headers, [secret], NOW.timestamp()).body), headers)


ORDER = {
    "id": "ev_1",
    "key": "order_completed",
    "name": "Order Completed",
    "description": "An order is paid.",
    "value": {"property": "revenue", "type": "number"},
    "tags": ["checkout"],
}


@pytest.mark.parametrize("kind", PARTNER.webhook.kinds if PARTNER.webhook else ())
def test_what_is_composed_is_signed_verified_and_read_as_the_same_event(kind: ChangeKind) -> None:
    event_type = EventType(
        id="ev_1",
        key="order_completed",
        name="Order Completed",
        description="An order is paid.",
        value=Value(property="revenue"),
        tags=("checkout",),
    )
    gone = kind is ChangeKind.ARCHIVED
    catalogue = Catalogue(
        () if gone else (event_type,), complete=False, removed=("Order Completed",) if gone else (), occurred_at=NOW
    )
    assert exchanged(f"event_type.{kind}", ORDER) == Reading(catalogue=catalogue)


def test_an_event_without_a_key_of_its_own_is_composed_under_its_name() -> None:
    catalogue = exchanged("event_type.defined", {"name": "Order Completed"}).catalogue
    assert catalogue is not None
    assert catalogue.event_types == (
        EventType(
            id="Order Completed",
            key="Order Completed",
            name="Order Completed",
            description="",
            value=NO_VALUE,
            tags=(),
        ),
    )


def test_a_native_catalogue_is_composed_as_a_whole_plan() -> None:
    catalogue = exchanged("event_type.catalogue", {"complete": True, "event_types": [ORDER]}).catalogue
    assert catalogue is not None
    assert catalogue.complete
    assert [event_type.key for event_type in catalogue.event_types] == ["order_completed"]


@pytest.mark.parametrize(
    ("type_", "data", "reason"),
    [
        ("feature.created", {"key": "a"}, "Avo cannot publish"),
        ("event_type.defined", [], "Avo cannot publish"),
        ("event_type.defined", {"id": "1"}, "put a key or a name into the data"),
        ("event_type.deleted", {"id": "1"}, "put a key or a name into the data"),
    ],
)
def test_what_avo_cannot_publish_is_not_composed(type_: str, data: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        compose(type_, data, NOW)
