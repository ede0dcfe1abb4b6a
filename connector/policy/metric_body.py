"""A metric in our words, and the schema that turns it into LaunchDarkly's JSON and refuses what LaunchDarkly would.

This module must never know where a metric comes from: no event type, no rule, no partner.
Field rules: https://launchdarkly.com/docs/api/metrics/post-metric
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, post_dump, validates_schema
from marshmallow.validate import Equal, Length, OneOf, Range, Regexp

from connector.policy.errors import InvalidMetricError

MAX_KEY = 100
MAX_NAME = 256  # LaunchDarkly publishes no limit; this is our own
MAX_DESCRIPTION = 3000  # likewise

KEY = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{MAX_KEY - 1}}}\Z")
TAG = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")
MAINTAINER = re.compile(r"[0-9a-f]{24}\Z")


class Measure(StrEnum):
    """What a metric measures of the events of one type."""

    OCCURRENCE = "occurrence"
    COUNT = "count"
    VALUE_AVERAGE = "value-average"
    VALUE_SUM = "value-sum"
    VALUE_PERCENTILE = "value-percentile"

    @property
    def numeric(self) -> bool:
        return self not in {Measure.OCCURRENCE, Measure.COUNT}


class SuccessCriteria(StrEnum):
    """Which direction is the good one."""

    HIGHER = "HigherThanBaseline"
    LOWER = "LowerThanBaseline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric. `percentile` (1 to 99) belongs to `VALUE_PERCENTILE` and `unit` to the numeric measures alone.

    `missing_events_count_as_zero` says whether a unit (a user, say) without an event counts as 0 or is left out;
    a percentile always leaves it out.
    """

    key: str
    name: str
    description: str
    event_key: str
    measure: Measure
    tags: tuple[str, ...] = ()
    unit: str | None = None
    percentile: int | None = None
    success_criteria: SuccessCriteria = SuccessCriteria.HIGHER
    missing_events_count_as_zero: bool = True
    analysis_units: tuple[str, ...] = ()
    maintainer_id: str | None = None

    @property
    def kind(self) -> str:
        return "custom"

    @property
    def numeric(self) -> bool:
        return self.measure.numeric

    @property
    def unit_aggregation(self) -> str:
        return "sum" if self.measure in {Measure.COUNT, Measure.VALUE_SUM} else "average"

    @property
    def analysis(self) -> str:
        return "percentile" if self.measure is Measure.VALUE_PERCENTILE else "mean"

    @property
    def event_default(self) -> Mapping[str, bool] | None:
        if self.measure is Measure.VALUE_PERCENTILE:
            return None
        return {"disabled": not self.missing_events_count_as_zero}


class WordingSchema(Schema):
    """The fields that differ between any two metrics."""

    class Meta:
        unknown = RAISE

    key = fields.String(
        required=True,
        validate=Regexp(KEY, error="1 to 100 letters, digits, '.', '_' and '-', starting with a letter or digit"),
    )
    name = fields.String(validate=Length(min=1, max=MAX_NAME))
    description = fields.String(validate=Length(max=MAX_DESCRIPTION))
    event_key = fields.String(required=True, data_key="eventKey", validate=Length(min=1))


class MetricBodySchema(WordingSchema):
    """`dump` makes the body of a create from a `Metric`; `validate` and `load` enforce LaunchDarkly's rules for it.

    Settings that have a default at LaunchDarkly are stated all the same, so that an update is always the
    `replace` of a field that is there.
    """

    kind = fields.String(required=True, validate=Equal("custom"))
    numeric = fields.Boolean(required=True, data_key="isNumeric")
    unit = fields.String(validate=Length(min=1))
    success_criteria = fields.String(data_key="successCriteria", validate=OneOf(list(SuccessCriteria)))
    unit_aggregation = fields.String(data_key="unitAggregationType", validate=OneOf(["average", "sum"]))
    analysis = fields.String(data_key="analysisType", validate=OneOf(["mean", "percentile"]))
    percentile = fields.Integer(strict=True, data_key="percentileValue", validate=Range(1, 99))
    event_default = fields.Raw(
        data_key="eventDefault",  # without `value`: LaunchDarkly supports none but 0
        validate=OneOf([{"disabled": True}, {"disabled": False}], error="only `disabled` may stand here"),
    )
    tags = fields.List(fields.String(validate=Regexp(TAG, error="1 to 64 letters, digits, '.', '_' and '-'")))
    analysis_units = fields.List(fields.String(validate=Regexp(KEY)), data_key="analysisUnits")
    maintainer_id = fields.String(data_key="maintainerId", validate=Regexp(MAINTAINER, error="24 hexadecimal digits"))

    @post_dump
    def leave_out_what_is_not_set(self, body: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {field: value for field, value in body.items() if value is not None and value != []}

    @validates_schema
    def check_what_stands_together(self, metric: Mapping[str, Any], **_: Any) -> None:
        numeric, percentile = metric["numeric"], metric.get("analysis") == "percentile"
        if numeric != ("unit" in metric):
            raise ValidationError("stands with isNumeric true, and only there", "unit")
        if numeric and "success_criteria" not in metric:
            raise ValidationError("a numeric metric needs it", "successCriteria")
        if percentile != ("percentile" in metric):
            raise ValidationError("stands with analysisType percentile, and only there", "percentileValue")
        if percentile and "event_default" in metric:
            raise ValidationError("does not stand with analysisType percentile", "eventDefault")


_SCHEMA, _WORDING = MetricBodySchema(), WordingSchema()


def metric_body(metric: Metric) -> dict[str, Any]:
    """LaunchDarkly's JSON for creating `metric`. Raises `InvalidMetricError` where LaunchDarkly would refuse it."""
    wording = _WORDING.dump(metric)
    kind, errors = _kind(replace(metric, key="key", name="name", description="", event_key="key"))
    if refused := {**errors, **_WORDING.validate(wording)}:
        raise InvalidMetricError(metric.key, refused)
    return {**kind, **wording}


@lru_cache(maxsize=1024)
def _kind(metric: Metric) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """What the bodies of metrics share that differ by their wording alone, and what is wrong with it.

    There are few such kinds; to dump and check the whole for every metric takes most of the time of a plan.
    """
    body = _SCHEMA.dump(metric)
    return body, _SCHEMA.validate(body)
