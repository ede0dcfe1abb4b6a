"""Optimizely's change history: what it tells of events, and what it leaves to the list API."""

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
from connector.partners.optimizely import PARTNER, compose, first, parse, read
from connector.partners.payload import decode
from connector.signatures import HmacScheme
from tests.unit.partners.payloads import JSON, changed

FIXTURES = Path(__file__).parents[2] / "fixtures" / "partners" / "optimizely"
SECRET = "a-secret-that-only-the-two-of-us-know"
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
WEBHOOK = PARTNER.webhook
assert WEBHOOK is not None

NO_KEY = Skip(
    "project.event_created", "Does not tell the key that the event is sent with: only its id and display name."
)
CREDENTIAL = {"token": "token-1", "project_id": "20129521369"}


def body(name: str) -> Any:
    return decode((FIXTURES / f"{name}.json").read_bytes())


def test_a_changed_key_is_a_rename_with_all_that_the_body_tells() -> None:
    assert read(body("event_updated"), {}) == Reading(
        changes=(
            Change(
                kind=ChangeKind.RENAMED,
                event_type=EventType(
                    id="4716380231",
                    key="added_to_cart",
                    name="Added to Cart",
                    description="Into the cart.",
                    url="https://app.optimizely.com/v2/projects/20129521369",
                ),
                occurred_at=datetime(2024, 7, 30, 11, 26, 19, 139888, UTC),
                sequence=43036466,
                previous_key="add_to_cart",
                previous_name="Add to Cart",
                workspace="20129521369",
            ),
        )
    )


def test_a_new_event_without_its_key_waits_for_the_list_api_instead_of_taking_the_name_for_one() -> None:
    assert read(body("event_created"), {}) == Reading(
        skips=(NO_KEY,), refresh=Refresh("the key that the event is sent with", "20129521369")
    )


def test_a_new_event_that_tells_its_key_is_defined() -> None:
    payload = changed(body("event_created"), "data.0.changes", [{"property": "key", "before": None, "after": "cart"}])
    (change,) = read(payload, {}).changes
    assert (change.kind, change.event_type.key, change.event_type.description) == (ChangeKind.DEFINED, "cart", None)


def test_an_update_of_the_display_name_alone_states_nothing() -> None:
    payload = body("event_updated")
    del payload["data"][0]["changes"][0]
    reading = read(payload, {})
    assert reading.changes == ()
    assert reading.refresh == Refresh("the key that the event is sent with", "20129521369")


def test_a_removed_description_is_stated_as_none() -> None:
    payload = body("event_updated")
    del payload["data"][0]["changes"][2]["after"]
    assert read(payload, {}).changes[0].event_type.description == ""


@pytest.mark.parametrize(("change_type", "kind"), [("archive", ChangeKind.ARCHIVED), ("delete", ChangeKind.DELETED)])
def test_an_archived_or_deleted_event_needs_no_more_than_its_id(change_type: str, kind: ChangeKind) -> None:
    reading = read(changed(body("event_created"), "data.0.change_type", change_type), {})
    assert [(change.kind, change.event_type) for change in reading.changes] == [(kind, EventType(id="4716380231"))]
    assert reading.refresh is None


def test_an_entity_that_is_deleted_is_so_whatever_the_change_is_called() -> None:
    reading = read(changed(body("event_updated"), "data.0.entity.is_deleted", True), {})
    assert [change.kind for change in reading.changes] == [ChangeKind.DELETED]


def test_a_change_type_that_is_not_known_is_skipped_and_looked_up() -> None:
    reading = read(changed(body("event_updated"), "data.0.change_type", "merge"), {})
    assert reading.changes == ()
    assert len(reading.skips) == 1
    assert reading.refresh is not None


def test_other_entities_are_skipped() -> None:
    assert read(body("ruleset_updated"), {}) == Reading(
        skips=(Skip("project.ruleset_updated", "A change of something else than an event."),)
    )


def test_a_datafile_whose_data_is_an_object_is_skipped() -> None:
    assert read(body("datafile_updated"), {}) == Reading(
        skips=(Skip("project.datafile_updated", "Not of the change history."),)
    )


def test_one_delivery_may_hold_several_changes() -> None:
    payload = body("event_updated")
    payload["data"] += body("event_created")["data"] + body("ruleset_updated")["data"]
    reading = read(payload, {})
    assert len(reading.changes) == 1
    assert len(reading.skips) == 2


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("event", 1, "event"),
        ("project_id", [], "project_id"),
        ("data", "all", "data"),
        ("data.0", 1, "data.0"),
        ("data.0.entity", [], "entity"),
        ("data.0.entity.type", None, "type"),
        ("data.0.entity.id", 1.5, "id"),
        ("data.0.entity.id", True, "id"),
        ("data.0.entity.id", "", "id"),
        ("data.0.entity.name", {}, "name"),
        ("data.0.entity.ui_url", 5, "ui_url"),
        ("data.0.entity.is_deleted", "yes", "is_deleted"),
        ("data.0.change_type", 1, "change_type"),
        ("data.0.changes", {}, "changes"),
        ("data.0.changes.0.property", 1, "property"),
        ("data.0.changes.0.after", 7, "after"),
        ("data.0.changes.0.before", [], "before"),
        ("data.0.changes.1.before", 1, "before"),
        ("data.0.changes.2.after", "half \ud800", "after"),
        ("data.0.created", "yesterday", "created"),
        ("data.0.id", -1, "id"),
        ("data.0.id", 2**63, "id"),
    ],
)
def test_a_wrong_type_is_refused_by_its_field(path: str, value: Any, field: str) -> None:
    with pytest.raises(PayloadRefused) as refused:
        read(changed(body("event_updated"), path, value), {})
    assert f"'{field}'" in repr(refused.value.errors)


@given(JSON, st.sampled_from(["", "data", "data.0", "data.0.entity", "data.0.entity.id", "data.0.changes"]))
def test_any_json_is_read_or_refused(value: Any, path: str) -> None:
    payload = changed(body("event_updated"), path, value) if path else value
    with suppress(PayloadRefused):
        assert isinstance(read(payload, {}), Reading)


NATIVE = {
    "id": "4716380231",
    "key": "added_to_cart",
    "previous_key": "add_to_cart",
    "name": "Added",
    "previous_name": "Add",
    "workspace": "7",
}


@pytest.mark.parametrize("kind", WEBHOOK.kinds)
def test_what_it_can_announce_survives_composing_signing_verifying_and_reading(kind: ChangeKind) -> None:
    (change,) = sent(f"event_type.{kind}").changes
    assert (change.kind, change.event_type.id, change.workspace) == (kind, "4716380231", "7")
    assert change.occurred_at == NOW
    if kind is ChangeKind.RENAMED:
        assert (change.event_type.key, change.previous_key) == ("added_to_cart", "add_to_cart")


@pytest.mark.parametrize("type_", ["event_type.defined", "event_type.updated"])
def test_what_it_announces_without_a_key_asks_for_the_list(type_: str) -> None:
    assert sent(type_).changes == ()
    assert sent(type_).refresh is not None


def sent(type_: str) -> Reading:
    assert WEBHOOK is not None
    raw = json.dumps(WEBHOOK.compose(type_, NATIVE, NOW)).encode()
    headers = {name.lower(): value for name, value in WEBHOOK.scheme.sign(raw, SECRET, "", 0).items()}
    return WEBHOOK.read(decode(WEBHOOK.scheme.verify(raw, headers, [SECRET], 0).body), headers)


@pytest.mark.parametrize(
    ("type_", "data"), [("event_type.restored", NATIVE), ("nonsense", NATIVE), ("event_type.archived", {"key": "k"})]
)
def test_what_it_has_no_word_for_is_not_composed(type_: str, data: Any) -> None:
    with pytest.raises(ValueError, match="Optimizely"):
        compose(type_, data, NOW)


def test_the_list_begins_with_the_first_page_of_the_project() -> None:
    request = first(CREDENTIAL)
    assert request.url == "https://api.optimizely.com/v2/events?project_id=20129521369&per_page=100&page=1"
    assert request.headers == {"Authorization": "Bearer token-1"}
    assert request.method == "GET"


def test_the_list_goes_on_to_an_empty_page_and_leaves_out_archived_and_other_events() -> None:
    request: Request | None = first(CREDENTIAL | {"base_url": "http://127.0.0.1:9/"})
    answers: list[Any] = [body("events"), body("events")[:1], []]
    seen, found = [], []
    for answer in answers:
        assert request is not None
        seen.append(request.url)
        assert request.headers == {"Authorization": "Bearer token-1"}
        page = parse(answer, request, CREDENTIAL)
        found.append(page.event_types)
        request = page.next
    assert request is None
    assert [url.rpartition("&")[2] for url in seen] == ["page=1", "page=2", "page=3"]
    assert all(url.startswith("http://127.0.0.1:9/v2/events?project_id=20129521369&") for url in seen)
    assert found[0] == (
        EventType(
            id="4716380231",
            key="add_to_cart",
            name="Add to Cart",
            description="Event used to track users that have added the item to the cart.",
        ),
    )
    assert found[2] == ()


def test_a_list_without_an_end_is_refused() -> None:
    request = Request("https://api.optimizely.com/v2/events?project_id=1&per_page=100&page=200")
    with pytest.raises(PayloadRefused):
        parse(body("events"), request, CREDENTIAL)


@pytest.mark.parametrize(
    "answer", [None, {}, {"events": []}, "", [1], [{}], [{"id": 1, "key": "k"}], {"code": 401, "message": "no"}]
)
def test_half_a_page_is_no_page(answer: Any) -> None:
    with pytest.raises(PayloadRefused):
        parse(answer, first(CREDENTIAL), CREDENTIAL)


@given(JSON, st.sampled_from(["", "0", "0.id", "0.key", "0.archived"]))
def test_any_answer_is_a_page_or_refused(value: Any, path: str) -> None:
    answer = changed(body("events"), path, value) if path else value
    with suppress(PayloadRefused):
        assert isinstance(parse(answer, first(CREDENTIAL), CREDENTIAL), Page)


def test_the_credential_is_not_shown() -> None:
    assert "token-1" not in repr(first(CREDENTIAL))


def test_the_signature_is_the_one_of_the_vectors() -> None:
    assert WEBHOOK is not None
    parameters = json.loads((Path(__file__).parents[2] / "vectors" / "optimizely.json").read_text())["scheme"]
    assert parameters.pop("type") == "hmac"
    assert WEBHOOK.scheme == HmacScheme(**parameters)
