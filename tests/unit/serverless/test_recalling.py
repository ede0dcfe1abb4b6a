"""What a metric tells of its event type, and what a change makes of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from connector.delivery.merging import Clock, Merged
from connector.event_types import Change, ChangeKind, EventType, Value
from connector.policy import Measure, Plan, Rules, Source, patch_operations, plan_metrics
from connector.serverless.recalling import Intended, Recalled, intend, recall

SOURCE = Source(partner="standard", partner_title="Standard", tags=("synced",))
ORDER = EventType(id="evt_1", key="order_completed", name="Order Completed", description="Paid.\n\nIn full.")
REVENUE = Value(property="revenue", unit="USD")
NOON = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)


def plan(merged: Merged, rules: str = "") -> Plan:
    return plan_metrics(merged.event_type, SOURCE, Rules.parse(rules), key_hint=merged.key_hint)


def applied(recalled: list[Recalled], change: Change, at: float = NOON.timestamp() + 7200) -> Intended:
    return intend(recalled, change, Clock.of(change, received_at=at, message_id="msg", position=0), plan)


def made(event_type: EventType, occurred_at: datetime | None = None) -> list[dict[str, Any]]:
    """The metrics that a definition makes."""
    return [dict(one.body) for one in applied([], Change(ChangeKind.DEFINED, event_type, occurred_at)).metrics]


def recalled(metrics: list[dict[str, Any]], event_type: EventType = ORDER) -> list[Recalled]:
    return [one for metric in metrics if (one := recall(metric, event_type, SOURCE)) is not None]


def operations(intended: Intended) -> dict[str, list[dict[str, Any]]]:
    bodies = {one.measure: one.body for one in intended.metrics}
    return {link.metric_key: patch_operations(link.body, bodies[Measure(link.measure)]) for link in intended.links}


@pytest.mark.parametrize(
    "value", [None, REVENUE, Value(property="a: b (c)"), Value(), Value(type="string"), Value(type="none")]
)
@pytest.mark.parametrize("url", [None, "https://example.com/events/1"])
@pytest.mark.parametrize("tags", [None, (), ("checkout", "no such tag!")])
@pytest.mark.parametrize("at", [None, NOON])
def test_the_same_definition_again_changes_nothing(
    value: Value | None, url: str | None, tags: tuple[str, ...] | None, at: datetime | None
) -> None:
    event_type = EventType("evt_1", "order", "Order", "Paid.\nIn full.", value, tags, url)
    again = applied(recalled(made(event_type, at), event_type), Change(ChangeKind.DEFINED, event_type, at))
    assert again.links
    assert not any(operations(again).values())


@pytest.mark.parametrize("name", ["", "Order (count)", "Order: revenue (average)", "x" * 400, "Zahlung — ok ✅"])
def test_any_name_is_read_back_as_it_was_written(name: str) -> None:
    event_type = EventType("evt_1", "order", name, value=REVENUE)
    assert not any(
        operations(applied(recalled(made(event_type), event_type), Change(ChangeKind.DEFINED, event_type))).values()
    )


def test_a_change_without_the_value_keeps_the_numeric_metric() -> None:
    with_value = EventType("evt_1", "order", "Order", value=REVENUE)
    renamed = Change(ChangeKind.RENAMED, EventType("evt_1", "order_paid", "Order Paid"), previous_key="order")
    intended = applied(recalled(made(with_value)), renamed)
    assert [one.measure for one in intended.metrics] == [Measure.OCCURRENCE, Measure.VALUE_AVERAGE]
    assert {key: {each["path"] for each in patch} for key, patch in operations(intended).items()} == {
        "order": {"/name", "/eventKey"},
        "order-average": {"/name", "/eventKey"},
    }


def test_a_metric_that_an_earlier_attempt_did_not_reach_is_brought_along() -> None:
    before = made(EventType("evt_1", "order", "Order", value=REVENUE), NOON)
    renamed = Change(ChangeKind.RENAMED, EventType("evt_1", "order_paid", "Order Paid"), NOON.replace(hour=13))
    first, second = (dict(one.body) for one in applied(recalled(before), renamed).metrics)
    half = [first | {"key": "order"}, before[1]]
    patches = operations(applied(recalled(half), renamed))
    assert patches["order"] == []
    assert {"op": "replace", "path": "/eventKey", "value": "order_paid"} in patches["order-average"]
    assert second["eventKey"] == "order_paid"


def test_the_newest_time_is_written_down_and_an_older_change_loses_to_it() -> None:
    metrics = made(ORDER, NOON)
    assert metrics[0]["description"].endswith("\nAs of 2026-11-22T12:00:00.123456+00:00")
    older = applied(recalled(metrics), Change(ChangeKind.ARCHIVED, EventType("evt_1"), NOON.replace(hour=11)))
    assert (older.merged.won, older.merged.status) == (frozenset(), "active")
    assert not any(operations(older).values())


@pytest.mark.parametrize(
    "description",
    [
        None,
        "",
        "Paid.",
        "Kept in sync by Metric Connector from Standard, event type evt_10",
        "Kept in sync by Metric Connector from Other, event type evt_1",
        "Kept in sync by Metric Connector from Standard, event type evt_1 and more",
        "As of 2026-11-22T12:00:00+00:00",
    ],
)
def test_a_metric_without_our_provenance_is_not_ours(description: str | None) -> None:
    assert recall({"key": "order", "eventKey": "order", "description": description}, ORDER, SOURCE) is None


def test_a_time_that_a_person_spoilt_counts_as_none() -> None:
    (metric,) = made(ORDER, NOON)
    (spoilt,) = recalled([metric | {"description": metric["description"].replace("2026", "soon")}])
    assert spoilt.as_of == 0.0


def test_of_two_alike_the_older_metric_is_the_one() -> None:
    (metric,) = made(ORDER)
    intended = applied(recalled([metric, metric | {"key": "copy"}]), Change(ChangeKind.DEFINED, ORDER))
    assert [link.metric_key for link in intended.links] == ["order-completed"]
