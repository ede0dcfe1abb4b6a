"""Statsig's changes of configuration: metrics are read, everything else in a batch is skipped."""

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
from connector.partners.statsig import PARTNER, compose, first, parse, read
from connector.signatures import HmacScheme
from tests.unit.partners.payloads import JSON, changed

FIXTURES = Path(__file__).parents[2] / "fixtures" / "partners" / "statsig"
SECRET = "a-secret-that-only-the-two-of-us-know"
NOW = datetime(2026, 11, 22, 10, 0, 0, 250_000, tzinfo=UTC)
WEBHOOK = PARTNER.webhook
assert WEBHOOK is not None

REFRESH = Refresh("which events the changed metric counts")
CREDENTIAL = {"console_api_key": "console-1"}


def body(name: str) -> Any:
    return decode((FIXTURES / f"{name}.json").read_bytes())


def test_a_batch_gives_a_change_for_each_metric_and_one_skip_for_all_exposures() -> None:
    assert read(body("batch"), {}) == Reading(
        changes=(
            Change(
                kind=ChangeKind.DEFINED,
                event_type=EventType(key="add_to_cart"),
                occurred_at=datetime(2024, 3, 5, 17, 34, 21, 95_000, UTC),
            ),
            Change(
                kind=ChangeKind.DELETED,
                event_type=EventType(key="search"),
                occurred_at=datetime(2024, 3, 5, 17, 34, 21, 98_000, UTC),
            ),
        ),
        skips=(Skip("statsig::gate_exposure", "Not a change of configuration."),),
        refresh=REFRESH,
    )


def test_a_change_of_a_gate_is_skipped() -> None:
    assert read(body("gate_created"), {}) == Reading(skips=(Skip("Gate", "A change of something else than a metric."),))


def test_a_change_without_a_type_is_skipped() -> None:
    payload = body("gate_created")
    payload["data"][0]["metadata"] = {"name": "layout_v2", "environment": "production"}
    assert [skip.what for skip in read(payload, {}).skips] == ["statsig::config_change"]


@pytest.mark.parametrize("action", ["archived", None, "x" * 10_000])
def test_an_action_that_is_not_known_changes_nothing_and_asks_for_the_list(action: str | None) -> None:
    payload = changed(body("batch"), "data.0.metadata.action", action)
    del payload["data"][1:]
    reading = read(payload, {})
    assert reading.changes == ()
    assert [skip.what for skip in reading.skips] == ["Metric"]
    assert len(reading.skips[0].reason) < 150
    assert reading.refresh == REFRESH


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("data", {}, "data"),
        ("data", None, "data"),
        ("data.0", "x", "data"),
        ("data.0.eventName", 1, "eventName"),
        ("data.0.eventName", "\ud800", "eventName"),
        ("data.0.timestamp", "soon", "timestamp"),
        ("data.0.timestamp", 1.5, "timestamp"),
        ("data.0.timestamp", -1, "timestamp"),
        ("data.0.timestamp", 253_402_300_800_000, "timestamp"),
        ("data.0.timestamp", float("inf"), "timestamp"),
        ("data.0.metadata", [], "metadata"),
        ("data.0.metadata.type", 1, "type"),
        ("data.0.metadata.name", 1, "name"),
        ("data.0.metadata.name", "", "name"),
        ("data.0.metadata.name", None, "name"),
        ("data.0.metadata.name", "x" * 501, "name"),
        ("data.0.metadata.action", {}, "action"),
    ],
)
def test_a_wrong_type_is_refused_by_its_field(path: str, value: Any, field: str) -> None:
    with pytest.raises(PayloadRefused) as refused:
        read(changed(body("batch"), path, value), {})
    assert f"'{field}'" in repr(refused.value.errors)


@given(JSON, st.sampled_from(["", "data", "data.0", "data.0.timestamp", "data.0.metadata", "data.0.metadata.name"]))
def test_any_json_is_read_or_refused(value: Any, path: str) -> None:
    with suppress(PayloadRefused):
        assert isinstance(read(changed(body("batch"), path, value) if path else value, {}), Reading)


@pytest.mark.parametrize("kind", WEBHOOK.kinds)
def test_what_it_can_announce_survives_composing_signing_verifying_and_reading(kind: ChangeKind) -> None:
    assert WEBHOOK is not None
    raw = json.dumps(WEBHOOK.compose(f"event_type.{kind}", {"key": "add_to_cart"}, NOW)).encode()
    headers = {name.lower(): value for name, value in WEBHOOK.scheme.sign(raw, SECRET, "", 1_000).items()}
    reading = WEBHOOK.read(decode(WEBHOOK.scheme.verify(raw, headers, [SECRET], 1_000).body), headers)
    assert reading.changes == (Change(kind=kind, event_type=EventType(key="add_to_cart"), occurred_at=NOW),)


@pytest.mark.parametrize(
    ("type_", "data"), [("event_type.renamed", {"key": "k"}), ("x", {"key": "k"}), ("event_type.defined", [])]
)
def test_what_it_has_no_word_for_is_not_composed(type_: str, data: Any) -> None:
    with pytest.raises(ValueError, match="Statsig"):
        compose(type_, data, NOW)


def test_the_list_begins_with_the_first_page_of_metrics() -> None:
    request = first(CREDENTIAL)
    assert request.url == "https://statsigapi.net/console/v1/metrics/list?limit=100&page=1"
    assert request.headers == {"STATSIG-API-KEY": "console-1"}
    assert "console-1" not in repr(request)


def test_the_list_gives_each_event_that_metrics_count_and_follows_the_next_page_to_the_end() -> None:
    request = first(CREDENTIAL)
    page = parse(body("metrics"), request, CREDENTIAL)
    assert page == Page(
        (EventType(key="add_to_cart"), EventType(key="checkout")),
        Request("https://statsigapi.net/console/v1/metrics/list?page=2&limit=100", request.headers),
        total=3,
    )
    assert page.next is not None
    last = parse(changed(body("metrics"), "pagination.nextPage", None), page.next, CREDENTIAL)
    assert last.next is None


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/console/v1/metrics/list?page=2",
        "//evil.example/list?page=2",
        "http://statsigapi.net/console/v1/metrics/list?page=2",
        "https://statsigapi.net:8443/console/v1/metrics/list?page=2",
        "https://user@statsigapi.net/list?page=2",
        "https://evil.example\\@statsigapi.net/list?page=2",
        "file:///etc/passwd",
        "https://[",
        "https://statsigapi.net/console/v1/metrics/list?limit=100&page=1",
    ],
)
def test_a_next_page_elsewhere_or_in_a_circle_is_refused(link: str) -> None:
    with pytest.raises(PayloadRefused):
        parse(changed(body("metrics"), "pagination.nextPage", link), first(CREDENTIAL), CREDENTIAL)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("data", None),
        ("data.0", 1),
        ("data.0.lineage", None),
        ("data.0.lineage.events", "add_to_cart"),
        ("data.0.lineage.events", [""]),
        ("pagination", {}),
        ("pagination.nextPage", 2),
    ],
)
def test_half_a_page_is_no_page(path: str, value: Any) -> None:
    with pytest.raises(PayloadRefused):
        parse(changed(body("metrics"), path, value), first(CREDENTIAL), CREDENTIAL)


@given(JSON, st.sampled_from(["", "data", "data.0", "data.0.lineage", "pagination", "pagination.nextPage"]))
def test_any_answer_is_a_page_or_refused(value: Any, path: str) -> None:
    answer = changed(body("metrics"), path, value) if path else value
    with suppress(PayloadRefused):
        assert isinstance(parse(answer, first(CREDENTIAL), CREDENTIAL), Page)


def test_the_signature_is_the_one_of_the_vectors() -> None:
    assert WEBHOOK is not None
    parameters = json.loads((Path(__file__).parents[2] / "vectors" / "statsig.json").read_text())["scheme"]
    assert parameters.pop("type") == "hmac"
    assert WEBHOOK.scheme == HmacScheme(**parameters)
