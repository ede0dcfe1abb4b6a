"""Stripe: a meter's event becomes the change that it tells, anything else is skipped or refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.event_types import Aggregation, Change, ChangeKind, EventType, Value
from connector.partners import Page, PayloadRefused, Reading, Skip
from connector.partners.payload import decode
from connector.partners.stripe import PARTNER, compose, first, parse, read

FIXTURES = Path(__file__).parents[2] / "fixtures" / "partners" / "stripe"
NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
CREDENTIAL = {"api_key": "sk_live_1", "base_url": "https://api.stripe.com"}
METER = EventType(
    id="meter_123",
    key="test-meter-event-name",
    name="test-meter",
    value=Value(property="value", aggregation=Aggregation.SUM),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = [
    "object", "type", "created", "livemode", "data", "data.object", "data.object.id", "data.object.event_name",
    "data.object.display_name", "data.object.status", "data.object.default_aggregation",
    "data.object.default_aggregation.formula", "data.object.value_settings",
    "data.object.value_settings.event_payload_key", "data.object.updated",
]  # fmt: skip


def sent(name: str = "created", /, **replaced: Any) -> Any:
    """A body as Stripe sends it; `data__object__id=…` replaces what is at `data.object.id`."""
    body = json.loads((FIXTURES / f"{name}.json").read_text())
    for path, value in replaced.items():
        *way, last = path.split("__")
        at = body
        for step in way:
            at = at[step]
        at[last] = value
    return body


def test_a_created_meter_is_defined() -> None:
    change = Change(
        ChangeKind.DEFINED,
        METER,
        occurred_at=datetime(2009, 2, 13, 23, 31, 30, tzinfo=UTC),
        sequence=1234567890,
        workspace="live",
    )
    assert read(sent(), {}) == Reading(changes=(change,))


def test_a_new_display_name_is_a_rename_and_tells_the_previous_one() -> None:
    body = sent(type="billing.meter.updated", data__previous_attributes={"display_name": "old", "updated": 1})
    (change,) = read(body, {}).changes
    assert (change.kind, change.previous_name, change.event_type) == (ChangeKind.RENAMED, "old", METER)


@pytest.mark.parametrize("unconfirmed", [None, [], "x", {}, {"display_name": None}, {"display_name": 5}])
def test_an_update_without_a_readable_previous_name_still_tells_the_meter_as_it_is(unconfirmed: Any) -> None:
    (change,) = read(sent(type="billing.meter.updated", data__previous_attributes=unconfirmed), {}).changes
    assert (change.kind, change.previous_name, change.event_type) == (ChangeKind.UPDATED, None, METER)


@pytest.mark.parametrize(
    ("type_", "kind"),
    [("billing.meter.deactivated", ChangeKind.ARCHIVED), ("billing.meter.reactivated", ChangeKind.RESTORED)],
)
def test_a_deactivated_meter_is_archived_and_a_reactivated_one_restored(type_: str, kind: ChangeKind) -> None:
    (change,) = read(sent(type=type_), {}).changes
    assert change.kind is kind


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        ("count", Value(type="none", aggregation=Aggregation.COUNT)),
        ("sum", Value(property="value", aggregation=Aggregation.SUM)),
        ("last", Value(property="value", aggregation=Aggregation.LAST)),
    ],
)
def test_the_formula_says_what_becomes_of_the_value(formula: str, value: Value) -> None:
    (change,) = read(sent(data__object__default_aggregation={"formula": formula}), {}).changes
    assert change.event_type.value == value


def test_an_unknown_formula_leaves_the_value_unstated_and_is_shown() -> None:
    reading = read(sent(data__object__default_aggregation={"formula": "median"}), {})
    assert reading.changes[0].event_type.value is None
    assert reading.skips == (Skip("formula median", "not an aggregation that we know: the meter's value is left out"),)


def test_an_event_of_test_mode_names_the_test_workspace() -> None:
    (change,) = read(sent(livemode=False), {}).changes
    assert change.workspace == "test"


def test_an_event_about_something_else_is_skipped() -> None:
    reading = read(sent(type="invoice.paid", data={"object": {"id": "in_1"}}), {})
    assert reading == Reading(skips=(Skip("invoice.paid", "not an event about a billing meter"),))


def test_a_thin_event_is_skipped() -> None:
    thin = {
        "id": "evt_1",
        "object": "v2.core.event",
        "type": "billing.meter.created",
        "created": "2026-11-22T10:00:00Z",
    }
    reading = read(thin, {})
    assert reading.changes == ()
    assert reading.skips[0].what == "billing.meter.created"


@pytest.mark.parametrize("path", FIELDS)
@pytest.mark.parametrize("wrong", [[], {}, None, -1, 1.5])
def test_a_field_of_the_wrong_type_is_refused_by_its_name(path: str, wrong: Any) -> None:
    with pytest.raises(PayloadRefused) as refused:
        read(sent(**{path.replace(".", "__"): wrong}), {})
    errors: Any = refused.value.errors
    for step in path.split("."):
        assert step in errors
        errors = errors[step]


def answer(payload: Any) -> Reading | PayloadRefused:
    try:
        return read(payload, {})
    except PayloadRefused as refused:
        return refused


@given(payload=JSON)
def test_any_json_is_read_or_refused(payload: Any) -> None:
    assert isinstance(answer(payload), Reading | PayloadRefused)


@given(path=st.sampled_from(FIELDS), value=JSON)
def test_any_json_within_a_genuine_event_is_read_or_refused(path: str, value: Any) -> None:
    assert isinstance(answer(sent(**{path.replace(".", "__"): value})), Reading | PayloadRefused)


def test_the_list_begins_with_the_active_meters_of_the_key() -> None:
    request = first(CREDENTIAL)
    assert request.url == "https://api.stripe.com/v1/billing/meters?limit=100&status=active"
    assert request.headers == {"Authorization": "Basic c2tfbGl2ZV8xOg=="}


def test_the_list_goes_on_after_the_last_meter_until_there_is_no_more() -> None:
    page = parse(sent("list"), first(CREDENTIAL), CREDENTIAL)
    assert page.event_types == (METER,)
    assert page.next is not None
    assert page.next.url == (
        "https://api.stripe.com/v1/billing/meters?limit=100&status=active&starting_after=meter_123"
    )
    assert page.next.headers == first(CREDENTIAL).headers
    assert parse(sent("list", has_more=False), page.next, CREDENTIAL) == Page((METER,))


def test_an_inactive_meter_is_not_of_the_list() -> None:
    body = sent("list", has_more=False)
    body["data"][0]["status"] = "inactive"
    assert parse(body, first(CREDENTIAL), CREDENTIAL) == Page(())


@pytest.mark.parametrize(
    "garbage",
    [
        None,
        [],
        {"error": {"message": "No such key"}},
        {"object": "list", "data": []},
        {"object": "list", "data": [], "has_more": True},
        {"object": "list", "data": [{"id": "meter_123"}], "has_more": False},
        {"object": "search_result", "data": [], "has_more": False},
    ],
)
def test_a_list_that_is_not_as_documented_is_refused(garbage: Any) -> None:
    with pytest.raises(PayloadRefused):
        parse(garbage, first(CREDENTIAL), CREDENTIAL)


@pytest.mark.parametrize("kind", PARTNER.webhook.kinds if PARTNER.webhook else ())
def test_what_is_composed_is_signed_verified_and_read_as_the_same_change(kind: ChangeKind) -> None:
    assert PARTNER.webhook is not None
    scheme = PARTNER.webhook.scheme
    data = {
        "id": "mtr_1",
        "key": "api_requests",
        "name": "API requests",
        "previous_name": "Requests" if kind is ChangeKind.RENAMED else None,
        "value": {"property": "amount", "type": "number"},
    }
    body = json.dumps(compose(f"event_type.{kind}", data, NOW)).encode()
    secret = scheme.generate_secret()
    headers = {name.lower(): value for name, value in scheme.sign(body, secret, "msg_1", NOW.timestamp()).items()}
    verified = scheme.verify(body, headers, [secret], NOW.timestamp())
    (change,) = read(decode(verified.body), headers).changes
    assert (change.kind, change.occurred_at, change.previous_name) == (kind, NOW, data["previous_name"])
    assert change.event_type == EventType(
        id="mtr_1",
        key="api_requests",
        name="API requests",
        value=Value(property="amount", aggregation=Aggregation.SUM),
    )


@pytest.mark.parametrize(
    ("type_", "data", "reason"),
    [
        ("event_type.deleted", {"key": "a"}, "Stripe has no event for"),
        ("event_type.renamed", {"key": "a", "previous_key": "b"}, "never changes"),
        ("event_type.defined", {"name": "A"}, "put a key into the data"),
        ("event_type.defined", [], "put a key into the data"),
    ],
)
def test_what_stripe_cannot_say_is_not_composed(type_: str, data: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        compose(type_, data, NOW)
