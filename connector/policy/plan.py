"""From an event type to its metrics: which measures, and what each metric says.

This module must never know which partner's product it serves, nor what stands in LaunchDarkly or the store.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from connector.event_types import NO_VALUE, Aggregation, EventType, Value
from connector.policy import wording
from connector.policy.errors import SourceError
from connector.policy.keys import event_key, metric_key
from connector.policy.metric_body import (
    KEY,
    MAINTAINER,
    MAX_NAME,
    TAG,
    Measure,
    Metric,
    metric_body,
)
from connector.policy.rules import Rules, Treatment

_MAX_PREFIX = 40  # leaves room for a slug, its hash and the measure
_MAX_TAGS = 20  # tags are one list for all of a LaunchDarkly project: a partner's hundred labels would drown it

_MEASURES_BY_AGGREGATION = {
    Aggregation.COUNT: (Measure.COUNT,),
    Aggregation.UNIQUE: (Measure.OCCURRENCE,),
    Aggregation.SUM: (Measure.VALUE_SUM,),
    Aggregation.AVERAGE: (Measure.VALUE_AVERAGE,),
    Aggregation.MAX: (Measure.VALUE_AVERAGE,),
    Aggregation.LAST: (Measure.VALUE_AVERAGE,),
}
_SUFFIXES = {Measure.COUNT: "count", Measure.VALUE_AVERAGE: "average", Measure.VALUE_SUM: "sum"}


@dataclass(frozen=True, slots=True)
class Source:
    """Who the metrics are for: one connection's settings. `partner` is the tag, `partner_title` the name for people.

    Raises `SourceError` for a setting that LaunchDarkly would refuse in every metric.
    """

    partner: str
    partner_title: str
    key_prefix: str = ""
    tags: tuple[str, ...] = ()
    maintainer_id: str | None = None
    analysis_units: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.key_prefix and (not KEY.match(self.key_prefix) or len(self.key_prefix) > _MAX_PREFIX):
            raise SourceError(
                f"key prefix {self.key_prefix!r}: use at most {_MAX_PREFIX} letters, digits, '.', '_' and '-', "
                "starting with a letter or digit."
            )
        for tag in (self.partner, *self.tags):
            if not TAG.match(tag):
                raise SourceError(f"tag {tag!r}: use 1 to 64 letters, digits, '.', '_' and '-'.")
        if self.maintainer_id is not None and not MAINTAINER.match(self.maintainer_id):
            raise SourceError(f"maintainer {self.maintainer_id!r}: use the member's id, 24 hexadecimal digits.")
        for unit in self.analysis_units:
            if not KEY.match(unit):
                raise SourceError(f"analysis unit {unit!r}: use the key of a context kind, such as user.")


@dataclass(frozen=True, slots=True)
class PlannedMetric:
    """One metric to be; `body` is LaunchDarkly's JSON of the create."""

    measure: Measure
    body: Mapping[str, Any]

    @property
    def key(self) -> str:
        return str(self.body["key"])

    def with_key(self, key: str) -> PlannedMetric:
        return replace(self, body={**self.body, "key": key})


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do with an event type: its metrics, or the rule that says skip. `notes` are for the person who looks."""

    metrics: tuple[PlannedMetric, ...]
    skipped_by: str | None = None
    notes: tuple[str, ...] = ()


def plan_metrics(event_type: EventType, source: Source, rules: Rules, *, key_hint: str | None = None) -> Plan:
    """The metrics that `event_type` should have for the connection `source` under `rules`.

    `key_hint` is the event key that the metric keys are made from where it is not the present one: an event type that
    is first seen when it is renamed gets the keys that it would have had before. Any text in the event type gives a
    plan; what a person should know of how it was made to fit is in the notes.
    """
    key = event_key(event_type)
    treatment = rules.treatment(key, event_type.name or "")
    if treatment.skipped_by:
        return Plan(metrics=(), skipped_by=treatment.skipped_by)

    notes: list[str] = []
    if not event_type.key and not event_type.name:
        notes.append("The source names neither a key nor a name: the metric listens for the event type's id.")
    value = event_type.value or NO_VALUE
    measures = treatment.measures or _default_measures(value, notes)
    value_property = wording.label(value.property) or wording.label(treatment.value_property)
    unit = wording.label(treatment.unit) or wording.label(value.unit)
    if not unit and any(measure.numeric for measure in measures):
        unit = value_property or "value"
        notes.append(f'The unit is taken to be "{unit}": name it at the source, or by `unit` in a rule.')
    name = wording.display_name(event_type, key)
    description = wording.description(event_type, source.partner_title)
    tags = _tags(event_type, source, treatment, notes)

    metrics = []
    for measure in measures:
        suffix = f"p{treatment.percentile}" if measure is Measure.VALUE_PERCENTILE else _SUFFIXES.get(measure, "")
        metric = Metric(
            key=metric_key(key_hint or key, suffix, source.key_prefix),
            name=wording.metric_name(name, value_property if measure.numeric else "", suffix),
            description=description,
            event_key=key,
            measure=measure,
            tags=tags,
            unit=unit if measure.numeric else None,
            percentile=treatment.percentile if measure is Measure.VALUE_PERCENTILE else None,
            success_criteria=treatment.success_criteria,
            missing_events_count_as_zero=treatment.missing_events_count_as_zero,
            analysis_units=treatment.analysis_units or source.analysis_units,
            maintainer_id=treatment.maintainer_id or source.maintainer_id,
        )
        metrics.append(PlannedMetric(measure, metric_body(metric)))
    if any(not planned.body["name"].startswith(name) for planned in metrics):
        notes.append(f"The name is shortened to {MAX_NAME} characters.")
    return Plan(metrics=tuple(metrics), notes=tuple(notes))


def _default_measures(value: Value, notes: list[str]) -> tuple[Measure, ...]:
    """What the partner itself makes of the value; where it says nothing, how often it occurs and how high it is."""
    measures = _MEASURES_BY_AGGREGATION.get(value.aggregation) if value.aggregation else None
    if measures is None:
        return (Measure.OCCURRENCE, Measure.VALUE_AVERAGE) if value.numeric else (Measure.OCCURRENCE,)
    if measures[0].numeric and not value.numeric:
        return (Measure.OCCURRENCE,)
    if value.aggregation in {Aggregation.MAX, Aggregation.LAST}:
        notes.append(f"LaunchDarkly has no {value.aggregation} of a value: the metric takes the average.")
    return measures


def _tags(event_type: EventType, source: Source, treatment: Treatment, notes: list[str]) -> tuple[str, ...]:
    """All tags, each once: the partner's, the event type's, the connection's, the rules'.

    Where there are too many, the event type's own give way to those that a person has set.
    """
    usable: dict[str, None] = {}
    unusable: list[str] = []
    for text in event_type.tags or ():
        if tag := wording.tag(text):
            usable[tag] = None
        else:
            unusable.append(f'"{wording.label(text)}"')
    if unusable:
        quoted = wording.shorten(", ".join(unusable), 200)
        notes.append(f"Tags left out, as LaunchDarkly's take no such characters: {quoted}.")

    configured = dict.fromkeys((source.partner, *source.tags, *treatment.tags))
    own = [tag for tag in usable if tag not in configured]
    kept = own[: max(0, _MAX_TAGS - len(configured))]
    tags = tuple(dict.fromkeys((source.partner, *kept, *configured)))[:_MAX_TAGS]
    if surplus := len(own) + len(configured) - len(tags):
        notes.append(f"Tags left out, as a metric carries at most {_MAX_TAGS}: {surplus}.")
    return tags
