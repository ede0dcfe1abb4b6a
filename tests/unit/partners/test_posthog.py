"""PostHog: an entry of the activity log becomes the change of the event definition that it tells."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.event_types import Change, ChangeKind, EventType
from connector.partners import Page, PayloadRefused, Reading, Refresh, Skip
from connector.partners.payload import decode
from connector.partners.posthog import PARTNER, compose, first, parse, read

FIXTURES = Path(__file__).parents[2] / "fixtures" / "partners" / "posthog"
NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
CREDENTIAL = {"api_key": "phx_1", "project_id": "1", "base_url": "https://us.posthog.com"}
ID = "0196b2b0-0001-7000-8000-000000000001"
THEN = datetime(2026, 8, 1, 12, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ["activity", "scope", "item_id", "detail", "detail.name", "detail.changes", "created_at"]


def sent(name: str = "changed", /, **replaced: Any) -> Any:
    """A body as PostHog sends it; `detail__name=…` replaces what is at `event.properties.detail.name`."""
    body = json.loads((FIXTURES / f"{name}.json").read_text())
    for path, value in replaced.items():
        *way, last = path.split("__")
        at = body["event"]["properties"]
        for step in way:
            at = at[step]
        at[last] = value
    return body


def changed(field: str, before: Any, after: Any) -> Any:
    entry = {"type": "EventDefinition", "action": "changed", "field": field, "before": before, "after": after}
    return sent(detail__changes=[entry])


def test_a_changed_definition_tells_the_fields_that_changed_and_no_other() -> None:
    event_type = EventType(id=ID, key="checkout_completed", description="new", tags=("checkout", "web"))
    assert read(sent(), {}) == Reading(changes=(Change(ChangeKind.UPDATED, event_type, THEN),))


def test_a_created_definition_is_defined_and_asks_the_list_api_for_its_description() -> None:
    reading = read(sent(activity="created", detail__changes=None), {})
    assert reading == Reading(
        changes=(Change(ChangeKind.DEFINED, EventType(id=ID, key="checkout_completed"), THEN),),
        refresh=Refresh("PostHog tells a new event definition without its description and tags."),
    )


def test_a_deleted_definition_is_deleted() -> None:
    reading = read(sent(activity="deleted", detail__changes=None), {})
    assert reading == Reading(changes=(Change(ChangeKind.DELETED, EventType(id=ID, key="checkout_completed"), THEN),))


@pytest.mark.parametrize(("hidden", "kind"), [(True, ChangeKind.ARCHIVED), (False, ChangeKind.RESTORED)])
def test_a_hidden_definition_is_archived_and_a_shown_one_restored(hidden: bool, kind: ChangeKind) -> None:
    (change,) = read(changed("hidden", not hidden, hidden), {}).changes
    assert change == Change(kind, EventType(id=ID, key="checkout_completed"), THEN)


def test_a_new_name_is_a_rename_from_the_old_one() -> None:
    (change,) = read(changed("name", "checkout_completed", "order_completed"), {}).changes
    assert change == Change(
        ChangeKind.RENAMED, EventType(id=ID, key="order_completed"), THEN, previous_key="checkout_completed"
    )


@pytest.mark.parametrize("field", ["description", "tags"])
def test_what_was_taken_away_is_stated_as_none(field: str) -> None:
    (change,) = read(changed(field, "old", None), {}).changes
    assert change.event_type.to_dict()[field] in ("", [])


def test_the_body_may_have_event_and_properties_at_its_top() -> None:
    assert read(sent()["event"], {}) == read(sent(), {})


def test_fields_that_no_metric_has_are_skipped() -> None:
    reading = read(changed("owner", None, {"id": 1}), {})
    assert reading == Reading(skips=(Skip("owner", "a metric has no such field"),))


def test_a_value_that_is_not_as_documented_is_left_to_the_list_api() -> None:
    reading = read(changed("tags", [], [{"id": 1}]), {})
    assert reading == Reading(
        skips=(Skip("tags", "its new value is not of the kind that we know"),),
        refresh=Refresh("The new tags of the event definition could not be read."),
    )


@pytest.mark.parametrize("changes", [None, []])
def test_a_change_of_nothing_is_skipped(changes: Any) -> None:
    assert read(sent(detail__changes=changes), {}) == Reading(skips=(Skip("changed", "names no changed field"),))


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (sent("another_event"), "event-name"),
        (sent(scope="FeatureFlag", item_id=5), "activity of FeatureFlag"),
        (sent(activity="exported"), "exported"),
        (sent(detail__name="$pageview"), "$pageview"),
        ({"event": "$pageview", "properties": {}}, "$pageview"),
    ],
)
def test_what_is_not_about_a_custom_event_definition_is_skipped(body: Any, what: str) -> None:
    reading = read(body, {})
    assert [skip.what for skip in reading.skips] == [what]
    assert reading == Reading(skips=reading.skips)


@pytest.mark.parametrize("path", FIELDS)
@pytest.mark.parametrize("wrong", [{}, 5, True, [1]])
def test_a_field_of_the_wrong_type_is_refused_by_its_name(path: str, wrong: Any) -> None:
    with pytest.raises(PayloadRefused) as refused:
        read(sent(**{path.replace(".", "__"): wrong}), {})
    errors: Any = refused.value.errors
    for step in ["event.properties", *path.split(".")]:
        assert step in errors
        errors = errors[step]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "event"),
        ({"event": 5}, "event"),
        ({"event": {"event": "$activity_log_entry_created"}}, "event"),
        ({"event": "$activity_log_entry_created"}, "properties"),
        ({"event": "$activity_log_entry_created", "properties": []}, "properties"),
        ({"properties": {"scope": "EventDefinition"}}, "event"),
        ([], "_schema"),
    ],
)
def test_a_body_of_another_shape_is_refused(body: Any, field: str) -> None:
    with pytest.raises(PayloadRefused) as refused:
        read(body, {})
    assert list(refused.value.errors) == [field]


def answer(payload: Any) -> Reading | PayloadRefused:
    try:
        return read(payload, {})
    except PayloadRefused as refused:
        return refused


@given(payload=JSON)
def test_any_json_is_read_or_refused(payload: Any) -> None:
    assert isinstance(answer(payload), Reading | PayloadRefused)


@given(path=st.sampled_from(FIELDS), value=JSON)
def test_any_json_within_a_genuine_entry_is_read_or_refused(path: str, value: Any) -> None:
    assert isinstance(answer(sent(**{path.replace(".", "__"): value})), Reading | PayloadRefused)


@given(field=st.sampled_from(["name", "description", "tags", "hidden", "owner"]), before=JSON, after=JSON)
def test_any_json_as_the_value_of_a_changed_field_is_read(field: str, before: Any, after: Any) -> None:
    reading = read(changed(field, before, after), {})
    assert len(reading.changes) + len(reading.skips) == 1


@pytest.mark.parametrize("before", [None, "", "\0", "\ud800", "x" * 501, 5, ["order"]])
def test_an_old_name_that_can_be_no_key_is_left_out(before: Any) -> None:
    (change,) = read(changed("name", before, "order_completed"), {}).changes
    assert (change.kind, change.previous_key) == (ChangeKind.RENAMED, None)


def test_a_changed_field_without_a_name_is_skipped() -> None:
    assert read(changed("", 1, 2), {}) == Reading(skips=(Skip("unnamed field", "a metric has no such field"),))


def test_the_list_begins_with_the_custom_definitions_that_are_not_hidden() -> None:
    request = first(CREDENTIAL | {"project_id": "1/../2"})
    assert request.url == (
        "https://us.posthog.com/api/projects/1%2F..%2F2/event_definitions/"
        "?limit=100&event_type=event_custom&ordering=name&exclude_hidden=true"
    )
    assert request.headers == {"Authorization": "Bearer phx_1"}


def test_the_list_follows_next_to_its_end() -> None:
    page = parse(sent("list"), first(CREDENTIAL), CREDENTIAL)
    assert page.event_types == (
        EventType(id=ID, key="checkout_completed", description="An order is paid.", tags=("checkout",)),
        EventType(id="0196b2b0-0001-7000-8000-000000000002", key="signed_up"),
    )
    assert page.next is not None
    assert (page.next.url, page.next.headers) == (sent("list")["next"], first(CREDENTIAL).headers)
    last = sent("list") | {"next": None}
    assert parse(last, page.next, CREDENTIAL) == Page(page.event_types, total=3)


@pytest.mark.parametrize(
    "foreign",
    [
        "https://evil.example/api/",
        "http://us.posthog.com/api/",
        "https://us.posthog.com:8443/api/",
        "https://us.posthog.com.evil.example/",
        "https://us.posthog.com@evil.example/",
        "https://evil.example\\@us.posthog.com/",
        "//us.posthog.com/api/",
        "/api/",
        "",
    ],
)
def test_a_next_page_elsewhere_is_refused(foreign: str) -> None:
    with pytest.raises(PayloadRefused) as refused:
        parse(sent("list") | {"next": foreign}, first(CREDENTIAL), CREDENTIAL)
    assert list(refused.value.errors) == ["next"]


@pytest.mark.parametrize(
    "garbage",
    [
        None,
        [],
        {"detail": "Authentication credentials were not provided."},
        {"results": []},
        {"next": None},
        {"next": None, "results": [{"id": "1"}]},
        {"next": 5, "results": []},
    ],
)
def test_a_list_that_is_not_as_documented_is_refused(garbage: Any) -> None:
    with pytest.raises(PayloadRefused):
        parse(garbage, first(CREDENTIAL), CREDENTIAL)


@pytest.mark.parametrize("kind", PARTNER.webhook.kinds if PARTNER.webhook else ())
def test_what_is_composed_is_signed_verified_and_read_as_the_same_change(kind: ChangeKind) -> None:
    assert PARTNER.webhook is not None
    scheme = PARTNER.webhook.scheme
    data = {"id": "def_1", "key": "order_completed", "description": "An order is paid.", "tags": ["checkout"]}
    body = json.dumps(compose(f"event_type.{kind}", data, NOW)).encode()
    secret = scheme.generate_secret()
    headers = {name.lower(): value for name, value in scheme.sign(body, secret, "msg_1", NOW.timestamp()).items()}
    verified = scheme.verify(body, headers, [secret], NOW.timestamp())
    assert verified.message_id == "msg_1"
    (change,) = read(decode(verified.body), headers).changes
    told = {"description": "An order is paid.", "tags": ("checkout",)} if kind is ChangeKind.UPDATED else {}
    assert change == Change(kind, EventType(id="def_1", key="order_completed", **told), NOW)


@pytest.mark.parametrize(
    ("type_", "data", "reason"),
    [
        ("event_type.renamed", {"key": "a", "previous_key": "b"}, "never renames"),
        ("event_type.defined", {"name": "A"}, "put a key into the data"),
        ("event_type.defined", None, "put a key into the data"),
    ],
)
def test_what_posthog_cannot_say_is_not_composed(type_: str, data: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        compose(type_, data, NOW)
