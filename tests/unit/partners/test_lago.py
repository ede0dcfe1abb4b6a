"""Lago: a billable metric's webhook becomes the change that it tells, anything else is skipped or refused."""

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
from connector.partners.lago import PARTNER, compose, first, parse, read
from connector.partners.payload import decode
from connector.signatures import AnyOf, HmacScheme, JwtBody, RefusalCode, SignatureRefused, public_half

FIXTURES = Path(__file__).parents[2] / "fixtures" / "partners" / "lago"
NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
CREDENTIAL = {"api_key": "key_1", "base_url": "https://api.getlago.com"}
ORGANISATION = "1a901a90-1a90-1a90-1a90-1a901a901a90"
STORAGE = EventType(
    id="1a901a90-1a90-1a90-1a90-1a901a901a91",
    key="storage",
    name="Storage",
    description="GB of storage used in my application",
    value=Value(property="gb", aggregation=Aggregation.SUM),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ["webhook_type", "organization_id", "billable_metric"] + [
    f"billable_metric.{field}"
    for field in ("lago_id", "code", "name", "description", "aggregation_type", "field_name", "created_at")
]


def sent(name: str = "created", /, **replaced: Any) -> Any:
    """A body as Lago sends it; `billable_metric__name=…` replaces what is at `billable_metric.name`."""
    body = json.loads((FIXTURES / f"{name}.json").read_text())
    for path, value in replaced.items():
        *way, last = path.split("__")
        at = body
        for step in way:
            at = at[step]
        at[last] = value
    return body


def schemes() -> tuple[AnyOf, HmacScheme, JwtBody]:
    assert PARTNER.webhook is not None
    both = PARTNER.webhook.scheme
    assert isinstance(both, AnyOf)
    by_hmac, by_jwt = both.schemes
    assert isinstance(by_hmac, HmacScheme)
    assert isinstance(by_jwt, JwtBody)
    return both, by_hmac, by_jwt


def lower(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def test_a_created_metric_is_defined_at_the_time_of_its_creation() -> None:
    change = Change(
        ChangeKind.DEFINED,
        STORAGE,
        occurred_at=datetime(2022, 9, 14, 16, 35, 31, tzinfo=UTC),
        workspace=ORGANISATION,
    )
    assert read(sent(), {}) == Reading(changes=(change,))


@pytest.mark.parametrize(
    ("type_", "kind"),
    [("billable_metric.updated", ChangeKind.UPDATED), ("billable_metric.deleted", ChangeKind.DELETED)],
)
def test_an_updated_or_deleted_metric_counts_in_order_of_receipt(type_: str, kind: ChangeKind) -> None:
    reading = read(sent(webhook_type=type_), {})
    assert reading == Reading(changes=(Change(kind, STORAGE, workspace=ORGANISATION),))


@pytest.mark.parametrize(
    ("aggregation_type", "value"),
    [
        ("count_agg", Value(type="none", aggregation=Aggregation.COUNT)),
        ("sum_agg", Value(property="gb", aggregation=Aggregation.SUM)),
        ("weighted_sum_agg", Value(property="gb", aggregation=Aggregation.SUM)),
        ("max_agg", Value(property="gb", aggregation=Aggregation.MAX)),
        ("latest_agg", Value(property="gb", aggregation=Aggregation.LAST)),
        ("unique_count_agg", Value(property="gb", type="string", aggregation=Aggregation.UNIQUE)),
    ],
)
def test_the_aggregation_says_what_becomes_of_the_value(aggregation_type: str, value: Value) -> None:
    (change,) = read(sent(billable_metric__aggregation_type=aggregation_type), {}).changes
    assert change.event_type.value == value


def test_an_unknown_aggregation_leaves_the_value_unstated_and_is_shown() -> None:
    reading = read(sent(billable_metric__aggregation_type="custom_agg"), {})
    assert reading.changes[0].event_type.value is None
    assert reading.skips == (Skip("custom_agg", "not an aggregation that we know: the metric's value is left out"),)


def test_no_description_is_stated_as_none_and_no_field_as_unnamed() -> None:
    (change,) = read(sent(billable_metric__description=None, billable_metric__field_name=""), {}).changes
    assert change.event_type.description == ""
    assert change.event_type.value == Value(aggregation=Aggregation.SUM)


def test_a_webhook_about_something_else_is_skipped() -> None:
    body = {"webhook_type": "invoice.created", "object_type": "invoice", "invoice": {"lago_id": "1"}}
    assert read(body, {}) == Reading(skips=(Skip("invoice.created", "not a webhook about a billable metric"),))


def test_an_id_outside_of_the_signature_is_never_the_message_id() -> None:
    assert read(sent(), {"x-lago-unique-key": "chosen-by-whoever-replays"}).message_id is None


@pytest.mark.parametrize("path", FIELDS)
@pytest.mark.parametrize("wrong", [[], {}, 5, True])
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
def test_any_json_within_a_genuine_webhook_is_read_or_refused(path: str, value: Any) -> None:
    assert isinstance(answer(sent(**{path.replace(".", "__"): value})), Reading | PayloadRefused)


def test_a_shared_secret_verifies_hmac_and_refuses_the_token_that_the_request_would_rather_have() -> None:
    both, by_hmac, by_jwt = schemes()
    secret, private = by_hmac.generate_secret(), by_jwt.generate_secret()
    body = json.dumps(sent()).encode()
    assert both.verify(body, lower(by_hmac.sign(body, secret, "key-1", 0)), [secret], 0).body == body
    with pytest.raises(SignatureRefused):
        both.verify(body, lower(by_jwt.sign(body, private, "key-1", 0)), [secret], 0)


def test_a_public_key_verifies_the_token_and_is_never_a_shared_secret() -> None:
    both, by_hmac, by_jwt = schemes()
    private = by_jwt.generate_secret()
    public = public_half(private)
    body = json.dumps(sent()).encode()
    assert both.verify(body, lower(by_jwt.sign(body, private, "key-1", 0)), [public], 0).body == body
    forged = lower(by_hmac.sign(body, "x" * 32, "key-1", 0))
    with pytest.raises(SignatureRefused) as refused:
        both.verify(body, forged, [public], 0)
    assert refused.value.code == RefusalCode.SECRET_UNUSABLE


def test_the_list_begins_with_page_one() -> None:
    request = first(CREDENTIAL)
    assert request.url == "https://api.getlago.com/api/v1/billable_metrics?page=1&per_page=100"
    assert request.headers == {"Authorization": "Bearer key_1"}


def test_the_list_is_asked_at_the_address_of_a_self_hosted_lago() -> None:
    request = first({"api_key": "key_1", "base_url": "https://lago.example.com/"})
    assert request.url.startswith("https://lago.example.com/api/v1/billable_metrics?")


def test_the_list_goes_on_page_by_page_to_the_last() -> None:
    page = parse(sent("list"), first(CREDENTIAL), CREDENTIAL)
    assert page.event_types == (STORAGE,)
    assert page.next is not None
    assert page.next.url == "https://api.getlago.com/api/v1/billable_metrics?page=2&per_page=100"
    last = sent("list", meta__current_page=2, meta__next_page=None)
    assert parse(last, page.next, CREDENTIAL) == Page((STORAGE,), total=101)


def test_an_organisation_without_metrics_has_an_empty_list() -> None:
    meta = {"current_page": 1, "next_page": None, "prev_page": None, "total_pages": 0, "total_count": 0}
    assert parse({"billable_metrics": [], "meta": meta}, first(CREDENTIAL), CREDENTIAL) == Page((), total=0)


@pytest.mark.parametrize(
    "garbage",
    [
        None,
        [],
        {"status": 401, "error": "Unauthorized"},
        {"billable_metrics": []},
        sent("list", billable_metrics=[{"code": "storage"}]),
        sent("list", meta__current_page=2),
        sent("list", meta__next_page=3),
        sent("list", meta__next_page=None),
        sent("list", meta__total_pages=1),
        sent("list", meta__next_page="https://evil.example/"),
    ],
)
def test_a_list_that_is_not_as_documented_is_refused(garbage: Any) -> None:
    with pytest.raises(PayloadRefused):
        parse(garbage, first(CREDENTIAL), CREDENTIAL)


@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        ("event_type.defined", ChangeKind.DEFINED),
        ("event_type.renamed", ChangeKind.UPDATED),
        ("event_type.updated", ChangeKind.UPDATED),
        ("event_type.deleted", ChangeKind.DELETED),
    ],
)
def test_what_is_composed_is_signed_verified_and_read_as_the_same_change(type_: str, kind: ChangeKind) -> None:
    both, _, _ = schemes()
    data = {
        "id": "1a90",
        "key": "storage",
        "name": "Storage",
        "description": "GB",
        "value": {"property": "gb"},
        "workspace": "org_7",
    }
    body = json.dumps(compose(type_, data, NOW)).encode()
    secret = both.generate_secret()
    headers = lower(both.sign(body, secret, "msg_1", NOW.timestamp()))
    verified = both.verify(body, headers, [secret], NOW.timestamp())
    assert verified.message_id is None
    (change,) = read(decode(verified.body), headers).changes
    assert change == Change(
        kind,
        EventType(
            id="1a90",
            key="storage",
            name="Storage",
            description="GB",
            value=Value(property="gb", aggregation=Aggregation.SUM),
        ),
        occurred_at=NOW if kind is ChangeKind.DEFINED else None,
        workspace="org_7",
    )


@pytest.mark.parametrize(
    ("type_", "data", "reason"),
    [
        ("event_type.archived", {"key": "a"}, "Lago has no webhook for"),
        ("event_type.restored", {"key": "a"}, "Lago has no webhook for"),
        ("event_type.defined", {"name": "A"}, "put a key into the data"),
        ("event_type.defined", "a", "put a key into the data"),
    ],
)
def test_what_lago_cannot_say_is_not_composed(type_: str, data: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        compose(type_, data, NOW)
