from __future__ import annotations

from typing import Any

import pytest

from connector.event_types import NO_VALUE, Aggregation, EventType, Value
from connector.policy import Measure, Plan, Rules, Source, SourceError, plan_metrics

SOURCE = Source(partner="acme", partner_title="Acme Analytics")
ORDER = EventType(
    id="evt_1",
    key="order_completed",
    name="Order Completed",
    description="A customer paid.",
    value=Value(property="revenue", unit="USD"),
    tags=("checkout",),
    url="https://acme.example/events/evt_1",
)
PROVENANCE = "Kept in sync by Metric Connector from Acme Analytics, event type evt_1: https://acme.example/events/evt_1"


def plan(event_type: EventType, rules: str = "", source: Source = SOURCE) -> Plan:
    return plan_metrics(event_type, source, Rules.parse(rules))


def measures(event_type: EventType, rules: str = "") -> list[str]:
    return [metric.measure.value for metric in plan(event_type, rules).metrics]


SHARED_BY_ALL: dict[str, Any] = {
    "kind": "custom",
    "description": f"A customer paid.\n\n{PROVENANCE}",
    "eventKey": "order_completed",
    "successCriteria": "HigherThanBaseline",
    "tags": ["acme", "checkout"],
}

BY_MEASURE: dict[str, dict[str, Any]] = {
    "occurrence": {
        "key": "order-completed",
        "name": "Order Completed",
        "isNumeric": False,
        "unitAggregationType": "average",
        "analysisType": "mean",
        "eventDefault": {"disabled": False},
    },
    "count": {
        "key": "order-completed-count",
        "name": "Order Completed (count)",
        "isNumeric": False,
        "unitAggregationType": "sum",
        "analysisType": "mean",
        "eventDefault": {"disabled": False},
    },
    "value-average": {
        "key": "order-completed-average",
        "name": "Order Completed: revenue (average)",
        "isNumeric": True,
        "unit": "USD",
        "unitAggregationType": "average",
        "analysisType": "mean",
        "eventDefault": {"disabled": False},
    },
    "value-sum": {
        "key": "order-completed-sum",
        "name": "Order Completed: revenue (sum)",
        "isNumeric": True,
        "unit": "USD",
        "unitAggregationType": "sum",
        "analysisType": "mean",
        "eventDefault": {"disabled": False},
    },
    "value-percentile": {
        "key": "order-completed-p95",
        "name": "Order Completed: revenue (p95)",
        "isNumeric": True,
        "unit": "USD",
        "unitAggregationType": "average",
        "analysisType": "percentile",
        "percentileValue": 95,
    },
}


class TestTheFiveMeasures:
    @pytest.mark.parametrize("measure", list(Measure))
    def test_each_becomes_exactly_this_body(self, measure: Measure) -> None:
        [metric] = plan(ORDER, f'[[rules]]\nmatch = "*"\nmeasures = ["{measure}"]').metrics

        assert metric.measure is measure
        assert metric.body == SHARED_BY_ALL | BY_MEASURE[measure]
        assert metric.key == BY_MEASURE[measure]["key"]

    def test_one_event_type_may_give_all_five_with_keys_of_their_own(self) -> None:
        planned = plan(ORDER, f'[[rules]]\nmatch = "*"\nmeasures = {[measure.value for measure in Measure]}')

        assert len({metric.key for metric in planned.metrics}) == 5
        assert planned.notes == ()


class TestTheMeasuresWithoutARule:
    @pytest.mark.parametrize("value", [None, NO_VALUE, Value(property="colour", type="string")])
    def test_an_event_type_without_a_number_is_an_occurrence(self, value: Value | None) -> None:
        assert measures(EventType(key="clicked", value=value)) == ["occurrence"]

    @pytest.mark.parametrize("type_", ["number", "integer"])
    def test_a_number_is_averaged_beside_the_occurrence(self, type_: str) -> None:
        assert measures(EventType(key="paid", value=Value(type=type_))) == ["occurrence", "value-average"]

    @pytest.mark.parametrize(
        ("aggregation", "measure"),
        [
            (Aggregation.COUNT, "count"),
            (Aggregation.UNIQUE, "occurrence"),
            (Aggregation.SUM, "value-sum"),
            (Aggregation.AVERAGE, "value-average"),
            (Aggregation.MAX, "value-average"),
            (Aggregation.LAST, "value-average"),
        ],
    )
    def test_the_partners_own_aggregation_chooses_one(self, aggregation: Aggregation, measure: str) -> None:
        assert measures(EventType(key="paid", value=Value(aggregation=aggregation))) == [measure]

    def test_a_count_needs_no_number(self) -> None:
        assert measures(EventType(key="called", value=Value(type="none", aggregation=Aggregation.COUNT))) == ["count"]

    def test_a_sum_of_what_is_no_number_is_an_occurrence(self) -> None:
        assert measures(EventType(key="called", value=Value(type="string", aggregation=Aggregation.SUM))) == [
            "occurrence"
        ]

    def test_an_aggregation_that_launchdarkly_lacks_is_noted(self) -> None:
        planned = plan(EventType(key="cpu", value=Value(unit="%", aggregation=Aggregation.MAX)))

        assert planned.notes == ("LaunchDarkly has no max of a value: the metric takes the average.",)


class TestTheUnit:
    RULE = '[[rules]]\nmatch = "*"\nmeasures = ["value-sum"]\n'

    def unit(self, value: Value | None, rule: str = "") -> tuple[str, tuple[str, ...]]:
        planned = plan(EventType(key="paid", value=value), self.RULE + rule)
        return planned.metrics[0].body["unit"], planned.notes

    def test_the_source_names_it(self) -> None:
        assert self.unit(Value(property="revenue", unit="USD")) == ("USD", ())

    def test_a_rule_knows_better_than_the_source(self) -> None:
        assert self.unit(Value(property="revenue", unit="USD"), 'unit = "cents"') == ("cents", ())

    @pytest.mark.parametrize(
        ("value", "unit"),
        [(Value(property="revenue"), "revenue"), (Value(unit=" \n"), "value"), (None, "value"), (NO_VALUE, "value")],
    )
    def test_without_one_anywhere_it_is_guessed_and_noted(self, value: Value | None, unit: str) -> None:
        note = f'The unit is taken to be "{unit}": name it at the source, or by `unit` in a rule.'
        assert self.unit(value) == (unit, (note,))


class TestTheEventKey:
    @pytest.mark.parametrize(
        ("event_type", "event_key"),
        [
            (EventType(id="1", key="Order_Completed ", name="Order"), "Order_Completed "),
            (EventType(id="1", name="Order Completed"), "Order Completed"),
            (EventType(id="1"), "1"),
            (EventType(key="caf\u00e9 \U0001f389"), "caf\u00e9 \U0001f389"),
            (EventType(key="broken \ud800"), "broken \ufffd"),
        ],
    )
    def test_is_what_the_sdk_sends(self, event_type: EventType, event_key: str) -> None:
        assert plan(event_type).metrics[0].body["eventKey"] == event_key

    def test_a_metric_that_can_only_listen_for_the_id_says_so(self) -> None:
        assert plan(EventType(id="1")).notes == (
            "The source names neither a key nor a name: the metric listens for the event type's id.",
        )

    def test_a_rename_that_is_seen_first_keeps_the_metric_key_of_the_previous_event_key(self) -> None:
        [metric] = plan_metrics(EventType(key="purchase"), SOURCE, Rules(), key_hint="order_completed").metrics

        assert metric.key == "order-completed"
        assert metric.body["eventKey"] == "purchase"
        assert metric.body["name"] == "Purchase"


class TestTheConnectionsSettings:
    def test_prefix_tags_maintainer_and_analysis_units_are_in_the_body(self) -> None:
        source = Source("acme", "Acme", "web.", ("growth",), "569fdeadbeef1644facecafe", ("user", "device"))
        [metric] = plan(EventType(key="clicked"), source=source).metrics

        assert metric.key == "web.clicked"
        assert metric.body["tags"] == ["acme", "growth"]
        assert metric.body["maintainerId"] == "569fdeadbeef1644facecafe"
        assert metric.body["analysisUnits"] == ["user", "device"]

    def test_what_is_not_set_is_left_out(self) -> None:
        [metric] = plan(EventType(key="clicked")).metrics

        assert not {"unit", "percentileValue", "maintainerId", "analysisUnits"} & metric.body.keys()

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            (
                {"key_prefix": "-web"},
                "key prefix '-web': use at most 40 letters, digits, '.', '_' and '-', starting with a letter or digit.",
            ),
            ({"tags": ("my tag",)}, "tag 'my tag': use 1 to 64 letters, digits, '.', '_' and '-'."),
            ({"maintainer_id": "ada"}, "maintainer 'ada': use the member's id, 24 hexadecimal digits."),
            ({"analysis_units": ("",)}, "analysis unit '': use the key of a context kind, such as user."),
        ],
    )
    def test_one_that_launchdarkly_would_refuse_is_refused_by_name(
        self, settings: dict[str, str | tuple[str, ...]], message: str
    ) -> None:
        with pytest.raises(SourceError) as refusal:
            Source("acme", "Acme", **settings)  # type: ignore[arg-type]

        assert str(refusal.value) == message
        assert refusal.value.code == "invalid_source"

    def test_a_prefix_must_leave_room_for_the_key(self) -> None:
        assert Source("acme", "Acme", key_prefix="w" * 40)
        with pytest.raises(SourceError, match="use at most 40 letters"):
            Source("acme", "Acme", key_prefix="w" * 41)


class TestTags:
    def tags(self, *own: str, rules: str = "", source: Source = SOURCE) -> list[str]:
        tags: list[str] = plan(EventType(key="clicked", tags=own), rules, source).metrics[0].body["tags"]
        return tags

    def test_come_from_partner_event_type_connection_and_rules_each_once(self) -> None:
        rules = '[[rules]]\nmatch = "*"\ntags = ["web", "rule"]'
        source = Source("acme", "Acme", tags=("connection", "web"))

        assert self.tags("own", "acme", "own", rules=rules, source=source) == [
            "acme",
            "own",
            "connection",
            "web",
            "rule",
        ]

    def test_are_put_into_launchdarklys_letters(self) -> None:
        assert self.tags("Check out / Z\u00fcrich", "v1.2_b", "x" * 70) == [
            "acme",
            "Check-out-Zurich",
            "v1.2_b",
            "x" * 64,
        ]

    def test_one_without_any_such_letter_is_left_out_and_noted(self) -> None:
        planned = plan(EventType(key="clicked", tags=("\U0001f389", "ok", "")))

        assert planned.metrics[0].body["tags"] == ["acme", "ok"]
        assert planned.notes == ('Tags left out, as LaunchDarkly\'s take no such characters: "\U0001f389", "".',)

    def test_beyond_twenty_the_event_types_own_give_way_to_those_that_a_person_set(self) -> None:
        source = Source("acme", "Acme", tags=("mine",))
        planned = plan(EventType(key="clicked", tags=tuple(f"t{n}" for n in range(30))), source=source)

        assert planned.metrics[0].body["tags"] == ["acme", *(f"t{n}" for n in range(18)), "mine"]
        assert planned.notes == ("Tags left out, as a metric carries at most 20: 12.",)


def test_a_name_that_is_too_long_is_shortened_before_its_measure_and_noted() -> None:
    planned = plan(EventType(key="k", name="n" * 300, value=Value(property="revenue", unit="USD")))

    assert [metric.body["name"] for metric in planned.metrics] == [
        "n" * 255 + "\u2026",
        "n" * (256 - len(": revenue (average)") - 1) + "\u2026: revenue (average)",
    ]
    assert planned.notes == ("The name is shortened to 256 characters.",)


def test_a_metric_takes_another_key_without_changing_otherwise() -> None:
    [metric] = plan(EventType(key="clicked")).metrics
    moved = metric.with_key("clicked-12345678")

    assert moved.key == "clicked-12345678"
    assert {**moved.body, "key": "clicked"} == metric.body
