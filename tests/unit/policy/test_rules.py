from __future__ import annotations

from pathlib import Path

import pytest

from connector.event_types import EventType, Value
from connector.policy import Plan, Rules, RulesError, Source, plan_metrics

SOURCE = Source(partner="acme", partner_title="Acme")
EXAMPLE = Path(__file__).parents[3] / "config" / "rules.example.toml"


def plan(event_type: EventType, rules: Rules) -> Plan:
    return plan_metrics(event_type, SOURCE, rules)


class TestMatching:
    @pytest.mark.parametrize(
        ("rule", "matches"),
        [
            ('match = "order_*"', True),
            ('match = "Order_*"', False),
            ('match = "order"', False),
            ('match = "*_[ac]ompleted"', True),
            ('match_name = "Order*"', True),
            ('match_name = "order*"', False),
            ('match = "order_*"\nmatch_name = "Refund*"', False),
        ],
    )
    def test_globs_are_case_sensitive_cover_the_whole_text_and_must_all_match(self, rule: str, matches: bool) -> None:
        order = EventType(key="order_completed", name="Order Completed")

        assert bool(plan(order, Rules.parse(f"[[rules]]\n{rule}\nskip = true")).skipped_by) is matches

    def test_the_key_is_the_event_key_that_the_metric_listens_for(self) -> None:
        assert plan(EventType(id="1", name="Order"), Rules.parse('[[rules]]\nmatch = "Order"\nskip = true')).skipped_by

    def test_skipping_names_the_rule_and_makes_no_metric(self) -> None:
        rules = Rules.parse('[[rules]]\nmatch = "b"\n[[rules]]\nmatch = "a"\nskip = true', "acme.toml")

        assert plan(EventType(key="a"), rules) == Plan(metrics=(), skipped_by="acme.toml, rule 2")


class TestPrecedence:
    INSTALLATION = Rules.parse("""
        [[rules]]
        match = "*"
        measures = ["value-sum"]
        unit = "USD"
        tags = ["all"]
        maintainer_id = "000000000000000000000001"

        [[rules]]
        match = "order_*"
        unit = "EUR"
        tags = ["orders"]
    """)
    CONNECTION = Rules.parse('[[rules]]\nmatch = "order_*"\nmeasures = ["value-average"]\nsuccess_criteria = "lower"')

    def test_later_rules_override_setting_by_setting_and_tags_add_up(self) -> None:
        [metric] = plan(EventType(key="order_paid"), self.INSTALLATION + self.CONNECTION).metrics

        assert metric.measure == "value-average"
        assert metric.body["unit"] == "EUR"
        assert metric.body["successCriteria"] == "LowerThanBaseline"
        assert metric.body["maintainerId"] == "000000000000000000000001"
        assert metric.body["tags"] == ["acme", "all", "orders"]

    def test_a_rule_that_does_not_match_says_nothing(self) -> None:
        [metric] = plan(EventType(key="refund"), self.INSTALLATION + self.CONNECTION).metrics

        assert (metric.measure, metric.body["unit"], metric.body["tags"]) == ("value-sum", "USD", ["acme", "all"])

    def test_a_later_rule_takes_a_skip_back(self) -> None:
        rules = Rules.parse('[[rules]]\nmatch = "*"\nskip = true\n[[rules]]\nmatch = "a"\nskip = false')

        assert plan(EventType(key="a"), rules).metrics
        assert not plan(EventType(key="b"), rules).metrics

    def test_a_rule_overrides_the_connections_own_settings(self) -> None:
        source = Source("acme", "Acme", maintainer_id="000000000000000000000001", analysis_units=("user",))
        rules = Rules.parse(
            '[[rules]]\nmatch = "*"\nmaintainer_id = "000000000000000000000002"\nanalysis_units = ["device"]'
        )
        [metric] = plan_metrics(EventType(key="a"), source, rules).metrics

        assert metric.body["maintainerId"] == "000000000000000000000002"
        assert metric.body["analysisUnits"] == ["device"]


class TestSettings:
    def body(self, rule: str, value: Value | None = None) -> dict[str, object]:
        [metric] = plan(EventType(key="a", value=value), Rules.parse(f'[[rules]]\nmatch = "*"\n{rule}')).metrics
        return dict(metric.body)

    def test_a_percentile_is_in_key_name_and_body(self) -> None:
        body = self.body('measures = ["value-percentile"]\npercentile = 50\nunit = "ms"\nvalue_property = "latency"')

        assert (body["key"], body["name"], body["percentileValue"]) == ("a-p50", "A: latency (p50)", 50)

    def test_the_sources_property_is_better_than_the_rules_label(self) -> None:
        rule = 'measures = ["value-sum"]\nvalue_property = "label"'

        assert self.body(rule, Value(property="revenue", unit="USD"))["name"] == "A: revenue (sum)"

    @pytest.mark.parametrize(("setting", "disabled"), [("true", False), ("false", True)])
    def test_missing_events_count_as_zero_or_are_left_out(self, setting: str, disabled: bool) -> None:
        assert self.body(f"missing_events_count_as_zero = {setting}")["eventDefault"] == {"disabled": disabled}

    @pytest.mark.parametrize(
        ("setting", "criteria"),
        [
            ("higher", "HigherThanBaseline"),
            ("lower", "LowerThanBaseline"),
            ("HigherThanBaseline", "HigherThanBaseline"),
            ("LowerThanBaseline", "LowerThanBaseline"),
        ],
    )
    def test_success_criteria_are_taken_in_short_and_in_launchdarklys_words(self, setting: str, criteria: str) -> None:
        assert self.body(f'success_criteria = "{setting}"')["successCriteria"] == criteria


class TestRefusals:
    MEASURES = "occurrence, count, value-average, value-sum, value-percentile"
    ALLOWED = (
        "match, match_name, skip, measures, unit, value_property, percentile, success_criteria, "
        "missing_events_count_as_zero, analysis_units, tags, maintainer_id"
    )

    @pytest.mark.parametrize(
        ("rule", "refusal"),
        [
            ("", "needs match (a glob on the event key) or match_name (a glob on the name)"),
            ("match = 5", "match: must be a text that is not blank"),
            ('match_name = ""', "match_name: must be a text that is not blank"),
            ('match = "a"\nmesures = []', f"mesures: is not known; allowed are {ALLOWED}"),
            ('match = "a"\nskip = 1', "skip: must be true or false"),
            ('match = "a"\nmeasures = "count"', "measures: must be a list"),
            ('match = "a"\nmeasures = ["count", "median"]', f"measures, item 2: must be one of {MEASURES}"),
            ('match = "a"\nmeasures = [["count"]]', f"measures, item 1: must be one of {MEASURES}"),
            (
                'match = "a"\nmeasures = []',
                "measures: must name each measure once, and at least one; to make none, use skip",
            ),
            (
                'match = "a"\nmeasures = ["count", "count"]',
                "measures: must name each measure once, and at least one; to make none, use skip",
            ),
            ('match = "a"\nunit = " "', "unit: must be a text that is not blank"),
            ('match = "a"\nvalue_property = 1', "value_property: must be a text that is not blank"),
            ('match = "a"\npercentile = 100', "percentile: must be a whole number from 1 to 99"),
            ('match = "a"\npercentile = 95.0', "percentile: must be a whole number from 1 to 99"),
            ('match = "a"\npercentile = true', "percentile: must be a whole number from 1 to 99"),
            (
                'match = "a"\nsuccess_criteria = "up"',
                "success_criteria: must be one of higher, lower, HigherThanBaseline, LowerThanBaseline",
            ),
            (
                'match = "a"\nmissing_events_count_as_zero = "no"',
                "missing_events_count_as_zero: must be true or false",
            ),
            (
                'match = "a"\nmeasures = ["value-percentile"]\nmissing_events_count_as_zero = true',
                "missing_events_count_as_zero: does not go with a percentile",
            ),
            (
                'match = "a"\nanalysis_units = ["user", ""]',
                "analysis_units, item 2: must be a context kind: letters, digits, '.', '_' and '-'",
            ),
            ('match = "a"\ntags = ["my tag"]', "tags, item 1: must be 1 to 64 letters, digits, '.', '_' and '-'"),
            (
                'match = "a"\nmaintainer_id = "ada"',
                "maintainer_id: must be a LaunchDarkly member id: 24 hexadecimal digits",
            ),
        ],
    )
    def test_names_file_rule_and_key_and_says_what_is_allowed(self, rule: str, refusal: str) -> None:
        with pytest.raises(RulesError) as error:
            Rules.parse(f'[[rules]]\nmatch = "fine"\n[[rules]]\n{rule}\n', "acme.toml")

        separator = ": " if refusal.startswith("needs") else ", "
        assert str(error.value) == f"acme.toml, rule 2{separator}{refusal}."
        assert error.value.code == "invalid_rules"

    @pytest.mark.parametrize(
        ("text", "refusal"),
        [
            ("[[rules]]\nmatch = up", "acme.toml is not TOML: Invalid value (at line 2, column 9)."),
            ("a = " + "[" * 20_000, "acme.toml is not TOML: "),
            ("a = " + "1" * 5_000, "acme.toml is not TOML: "),
            ('[[rule]]\nmatch = "a"', "acme.toml, rule: only [[rules]] tables may stand here."),
            ('[rules]\nmatch = "a"', "acme.toml, rules: only [[rules]] tables may stand here."),
            ("rules = [1]", "acme.toml, rule 1: must be a table."),
        ],
    )
    def test_a_document_of_another_shape_is_refused(self, text: str, refusal: str) -> None:
        with pytest.raises(RulesError) as error:
            Rules.parse(text, "acme.toml")

        assert str(error.value).startswith(refusal)


def test_a_document_without_rules_is_empty() -> None:
    assert Rules.parse("# nothing yet\n") == Rules()


def test_the_example_file_does_what_its_comments_say() -> None:
    rules = Rules.parse(EXAMPLE.read_text(encoding="utf-8"), EXAMPLE.name)

    def keys(event_type: EventType) -> list[str]:
        return [metric.key for metric in plan(event_type, rules).metrics]

    assert keys(EventType(key="internal_ping")) == []
    assert keys(EventType(key="internal_search_used")) == ["internal-search-used"]
    assert keys(EventType(key="order_paid")) == ["order-paid", "order-paid-sum", "order-paid-average"]
    assert keys(EventType(key="load_duration")) == ["load-duration-p95"]
    assert keys(EventType(key="e1", name="Upload Error")) == ["e1-count"]
    assert keys(EventType(key="billing.paid")) == ["billing-paid"]
