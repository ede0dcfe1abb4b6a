from __future__ import annotations

from typing import Any

import pytest

from connector.policy import InvalidMetricError, Measure
from connector.policy.metric_body import Metric, MetricBodySchema, metric_body

COUNT = metric_body(Metric(key="a", name="A", description="", event_key="a", measure=Measure.COUNT))
P95 = metric_body(
    Metric(key="a", name="A", description="", event_key="a", measure=Measure.VALUE_PERCENTILE, unit="ms", percentile=95)
)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (COUNT | {"key": "-a"}, "key"),
        (COUNT | {"key": "a\n"}, "key"),
        (COUNT | {"key": "a" * 101}, "key"),
        (COUNT | {"kind": "click"}, "kind"),
        (COUNT | {"eventKey": ""}, "eventKey"),
        (COUNT | {"name": "n" * 257}, "name"),
        (COUNT | {"description": "d" * 3001}, "description"),
        (COUNT | {"tags": ["my tag"]}, "tags"),
        (COUNT | {"tags": ["t" * 65]}, "tags"),
        (COUNT | {"maintainerId": "ada"}, "maintainerId"),
        (COUNT | {"successCriteria": "Up"}, "successCriteria"),
        (COUNT | {"unitAggregationType": "count_distinct"}, "unitAggregationType"),
        (COUNT | {"eventDefault": {"disabled": False, "value": 1}}, "eventDefault"),
        (COUNT | {"unit": "ms"}, "unit"),
        (COUNT | {"percentileValue": 95}, "percentileValue"),
        (COUNT | {"isActive": True}, "isActive"),
        ({field: value for field, value in COUNT.items() if field != "eventKey"}, "eventKey"),
        ({field: value for field, value in COUNT.items() if field != "isNumeric"}, "isNumeric"),
        ({field: value for field, value in P95.items() if field != "unit"}, "unit"),
        ({field: value for field, value in P95.items() if field != "successCriteria"}, "successCriteria"),
        ({field: value for field, value in P95.items() if field != "percentileValue"}, "percentileValue"),
        (P95 | {"percentileValue": 100}, "percentileValue"),
        (P95 | {"eventDefault": {"disabled": False}}, "eventDefault"),
    ],
)
def test_a_body_that_launchdarkly_would_refuse_is_refused_at_the_field(body: dict[str, Any], field: str) -> None:
    assert list(MetricBodySchema().validate(body)) == [field]


def test_an_invalid_metric_never_becomes_a_body() -> None:
    with pytest.raises(InvalidMetricError) as refusal:
        metric_body(Metric(key="a", name="A", description="", event_key="a", measure=Measure.VALUE_SUM))

    assert refusal.value.errors == {"unit": ["stands with isNumeric true, and only there"]}
    assert refusal.value.code == "invalid_metric"
    assert str(refusal.value) == (
        "The body of metric 'a' is not valid (unit: ['stands with isNumeric true, and only there']). "
        "Please report this as a defect."
    )
