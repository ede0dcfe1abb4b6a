"""Segment's audit trail: the few audit events that name an event, and the many that do not."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.event_types import Change, ChangeKind, EventType
from connector.partners import Page, PayloadRefused, Reading, Refresh, Request, Skip
from connector.partners.payload import decode
from connector.partners.segment import PARTNER, TRACKING_PLAN, compose, first, parse, read
from connector.signatures import HmacScheme
from tests.unit.partners.payloads import JSON, changed

FIXTURES = Path(__file__).parents[2] / "fixtures" / "partners" / "segment"
SECRET = "a-secret-that-only-the-two-of-us-know"
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
WEBHOOK = PARTNER.webhook
assert WEBHOOK is not None

CREDENTIAL = {"token": "token-1", "tracking_plan_id": "tp_1"}


def raw(name: str) -> bytes:
    return (FIXTURES / f"{name}.json").read_bytes()


def body(name: str) -> Any:
    return decode(raw(name))


def received(sent: bytes) -> Reading:
    assert WEBHOOK is not None
    headers = {name.lower(): value for name, value in WEBHOOK.scheme.sign(sent, SECRET, "", 0).items()}
    return WEBHOOK.read(decode(WEBHOOK.scheme.verify(sent, headers, [SECRET], 0).body), headers)


def test_a_new_event_is_defined_by_the_name_that_is_sent() -> None:
    assert received(raw("new_event_allowed")) == Reading(
        changes=(
            Change(
                kind=ChangeKind.DEFINED,
                event_type=EventType(key="Space Modified"),
                occurred_at=datetime(2019, 11, 24, 19, 56, 40, tzinfo=UTC),
                workspace="VWDxzzIpI5",
            ),
        ),
        message_id="api-1U4ogZka3nPQPgIDQvuTXcvMGWU",
    )


def test_a_blocked_event_is_archived_by_the_name_in_backticks() -> None:
    assert received(raw("schema_event_blocked")) == Reading(
        changes=(
            Change(
                kind=ChangeKind.ARCHIVED,
                event_type=EventType(key="Order Completed"),
                occurred_at=datetime(2019, 11, 24, 19, 57, 40, tzinfo=UTC),
                workspace="VWDxzzIpI5",
            ),
        ),
        message_id="api-1U4ogZka3nPQPgIDQvuTXcvMGWV",
    )


def test_a_changed_tracking_plan_only_asks_for_the_list() -> None:
    assert received(raw("tracking_plan_modified")) == Reading(
        refresh=Refresh("which events of the tracking plan changed, and how", "VWDxzzIpI5"),
        message_id="api-1U4ogZka3nPQPgIDQvuTXcvMGWT",
    )


@pytest.mark.parametrize("type_", sorted(TRACKING_PLAN))
def test_every_audit_event_of_a_tracking_plan_asks_for_the_list(type_: str) -> None:
    reading = read(changed(body("tracking_plan_modified"), "properties.type", type_), {})
    assert reading.refresh is not None
    assert reading.changes == ()


@pytest.mark.parametrize(
    ("type_", "kind"), [("Schema Event Archived", ChangeKind.ARCHIVED), ("Schema Event Allowed", ChangeKind.RESTORED)]
)
def test_an_archived_or_allowed_event_is_read_like_a_blocked_one(type_: str, kind: ChangeKind) -> None:
    (change,) = read(changed(body("schema_event_blocked"), "properties.type", type_), {}).changes
    assert (change.kind, change.event_type.key) == (kind, "Order Completed")


@pytest.mark.parametrize(
    "description",
    [
        "",
        "Order Completed set to block",
        "`a`b` set to block",
        "`a` and `b` set to block",
        "` `",
        "property of `a`",
        f"`{'x' * 501}` set to block",
    ],
)
def test_a_description_that_could_be_read_in_two_ways_archives_nothing(description: str) -> None:
    reading = read(changed(body("schema_event_blocked"), "properties.details.description", description), {})
    assert reading.changes == ()
    assert reading.skips[0].what == "Schema Event Blocked"
    assert reading.refresh == Refresh("which event it speaks of", "VWDxzzIpI5")


@pytest.mark.parametrize(("field", "value"), [("type", "identify"), ("blocked", "true")])
def test_a_new_event_that_is_no_track_event_or_blocked_defines_nothing(field: str, value: str) -> None:
    reading = read(changed(body("new_event_allowed"), f"properties.details.{field}", value), {})
    assert reading.changes == ()
    assert reading.skips[0].what == "New Event Allowed"


@pytest.mark.parametrize(
    ("payload", "what"),
    [
        ({"type": "track", "event": "Order Completed"}, "Order Completed"),
        ({"type": "identify", "userId": "u"}, "identify"),
        ({}, "event"),
        ({"event": "x" * 300}, "x" * 100),
    ],
)
def test_events_of_other_sources_are_skipped(payload: Any, what: str) -> None:
    assert read(payload, {}) == Reading(skips=(Skip(what, "Not of the audit trail."),))


def test_other_audit_events_are_skipped_whatever_their_details() -> None:
    payload = changed(body("new_event_allowed"), "properties.type", "User Signed In")
    payload["properties"]["details"] = {"description": 5, "name": None}
    assert read(payload, {}).skips == (Skip("User Signed In", "Tells nothing of an event type."),)


def test_of_a_batch_only_what_the_signature_covers_counts() -> None:
    batch = b"[" + raw("schema_event_blocked") + b"," + raw("new_event_allowed") + b"]"
    assert received(batch) == received(raw("schema_event_blocked"))


@pytest.mark.parametrize(
    ("name", "path", "value", "field"),
    [
        ("new_event_allowed", "event", 1, "event"),
        ("new_event_allowed", "type", 1, "type"),
        ("new_event_allowed", "messageId", "", "messageId"),
        ("new_event_allowed", "messageId", 5, "messageId"),
        ("new_event_allowed", "timestamp", 5, "timestamp"),
        ("new_event_allowed", "properties", [], "properties"),
        ("new_event_allowed", "properties.type", None, "type"),
        ("new_event_allowed", "properties.workspace_id", 1, "workspace_id"),
        ("new_event_allowed", "properties.details", "all", "details"),
        ("new_event_allowed", "properties.details.name", "", "name"),
        ("new_event_allowed", "properties.details.name", "a\0b", "name"),
        ("new_event_allowed", "properties.details.type", 1, "type"),
        ("new_event_allowed", "properties.details.blocked", False, "blocked"),
        ("schema_event_blocked", "properties.details.description", [], "description"),
    ],
)
def test_a_wrong_type_is_refused_by_its_field(name: str, path: str, value: Any, field: str) -> None:
    with pytest.raises(PayloadRefused) as refused:
        read(changed(body(name), path, value), {})
    assert f"'{field}'" in repr(refused.value.errors)


@given(
    JSON,
    st.sampled_from(["new_event_allowed", "schema_event_blocked", "tracking_plan_modified"]),
    st.sampled_from(
        ["", "properties", "properties.type", "properties.details", "properties.details.name", "timestamp"]
    ),
)
def test_any_json_is_read_or_refused(value: Any, name: str, path: str) -> None:
    with suppress(PayloadRefused):
        assert isinstance(read(changed(body(name), path, value) if path else value, {}), Reading)


@pytest.mark.parametrize("kind", WEBHOOK.kinds)
def test_what_it_can_announce_survives_composing_signing_verifying_and_reading(kind: ChangeKind) -> None:
    payload = compose(f"event_type.{kind}", {"key": "Order Completed", "workspace": "w7"}, NOW)
    reading = received(json.dumps(payload).encode())
    assert reading.changes == (
        Change(kind=kind, event_type=EventType(key="Order Completed"), occurred_at=NOW, workspace="w7"),
    )
    assert reading.message_id == payload["messageId"]


def test_different_changes_at_one_time_are_different_messages() -> None:
    ids = {compose("event_type.defined", {"key": key}, NOW)["messageId"] for key in ("a", "b")}
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("type_", "data"), [("event_type.renamed", {"key": "k"}), ("x", {"key": "k"}), ("event_type.defined", {"id": "1"})]
)
def test_what_it_has_no_word_for_is_not_composed(type_: str, data: Any) -> None:
    with pytest.raises(ValueError, match="Segment"):
        compose(type_, data, NOW)


def test_the_list_begins_with_the_first_rules_of_the_plan() -> None:
    request = first(CREDENTIAL | {"tracking_plan_id": "tp/1?"})
    assert request.url == "https://api.segmentapis.com/tracking-plans/tp%2F1%3F/rules?pagination.count=200"
    assert request.headers == {"Authorization": "Bearer token-1", "Accept": "application/vnd.segment.v1+json"}


def test_the_list_follows_the_cursor_to_the_end_and_keeps_the_newest_version_of_track_rules() -> None:
    request = first(CREDENTIAL | {"base_url": "https://eu1.api.segmentapis.com/"})
    page = parse(body("rules"), request, CREDENTIAL)
    assert set(page.event_types) == {
        EventType(key="Order Completed", description="An order was paid."),
        EventType(key="Cart Viewed"),
    }
    assert page.next == Request(
        "https://eu1.api.segmentapis.com/tracking-plans/tp_1/rules?pagination.count=200&pagination.cursor=Mg%3D%3D",
        request.headers,
    )
    last = {"data": {"rules": [], "pagination": {"current": "Mg==", "totalEntries": 4}}}
    assert parse(last, page.next, CREDENTIAL) == Page((), total=4)


def test_a_server_that_gives_the_same_page_again_is_refused() -> None:
    page = parse(body("rules"), first(CREDENTIAL), CREDENTIAL)
    assert page.next is not None
    with pytest.raises(PayloadRefused):
        parse(body("rules"), page.next, CREDENTIAL)


def test_a_cursor_cannot_lead_elsewhere() -> None:
    answer = changed(body("rules"), "data.pagination.next", "https://evil.example/@")
    following = parse(answer, first(CREDENTIAL), CREDENTIAL).next
    assert following is not None
    assert following.url.startswith("https://api.segmentapis.com/tracking-plans/tp_1/rules?")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("data", []),
        ("data.rules", None),
        ("data.rules", {}),
        ("data.rules.0", 1),
        ("data.rules.0.type", "ALIAS"),
        ("data.rules.0.key", ""),
        ("data.rules.0.key", 5),
        ("data.rules.0.jsonSchema", "x"),
        ("data.rules.0.jsonSchema.description", 5),
        ("data.rules.0.version", "1"),
        ("data.pagination", None),
        ("data.pagination.current", 1),
        ("data.pagination.next", 2),
        ("data.pagination.next", "MA=="),
    ],
)
def test_half_a_page_is_no_page(path: str, value: Any) -> None:
    with pytest.raises(PayloadRefused):
        parse(changed(body("rules"), path, value), first(CREDENTIAL), CREDENTIAL)


@given(JSON, st.sampled_from(["", "data", "data.rules", "data.rules.0", "data.pagination", "data.pagination.next"]))
def test_any_answer_is_a_page_or_refused(value: Any, path: str) -> None:
    answer = changed(body("rules"), path, value) if path else value
    with suppress(PayloadRefused):
        assert isinstance(parse(answer, first(CREDENTIAL), CREDENTIAL), Page)


def test_the_signature_is_the_one_of_the_vectors() -> None:
    assert WEBHOOK is not None
    parameters = json.loads((Path(__file__).parents[2] / "vectors" / "segment.json").read_text())["scheme"]
    assert parameters.pop("type") == "hmac"
    assert WEBHOOK.scheme == HmacScheme(**parameters)
