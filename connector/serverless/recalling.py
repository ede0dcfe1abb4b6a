"""What a metric itself tells of its event type: the memory of an installation without a database.

Each metric is read for itself, so that one that an earlier attempt did not reach is still brought along. Pure: it must
never know how metrics are found, or who asks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from connector.delivery.merging import Clock, Merged, merge
from connector.event_types import Aggregation, Change, EventType, Value
from connector.policy import Measure, Plan, PlannedMetric, Source, wording
from connector.policy.metric_body import MAX_DESCRIPTION
from connector.store.links import Link, LinkState

AS_OF = "As of "
"""Begins the last line of a description: the source's time of the newest change that the metric shows."""

_ENDING = re.compile(r"(?P<name>.*?)(?:: (?P<property>[^:()]+))? \((?:count|average|sum|p\d+)\)", re.DOTALL)
_KEY_SUFFIX = re.compile(r"-(?:count|average|sum|p\d+)\Z")
_AGGREGATIONS = {
    frozenset({Measure.COUNT}): Aggregation.COUNT,
    frozenset({Measure.VALUE_SUM}): Aggregation.SUM,
    frozenset({Measure.VALUE_AVERAGE}): Aggregation.AVERAGE,
}

Planner = Callable[[Merged], Plan]


@dataclass(frozen=True, slots=True)
class Recalled:
    """One metric of ours and what it tells; `as_of` is unix seconds at the source, 0 where the metric has none."""

    measure: Measure
    metric: Mapping[str, Any]
    stated: Mapping[str, Any]
    as_of: float
    value: Value | None

    @property
    def archived(self) -> bool:
        return bool(self.metric.get("archived"))


def recall(metric: Mapping[str, Any], event_type: EventType, source: Source) -> Recalled | None:
    """What `metric` tells, or None where its provenance is not this event type of this source.

    An event type without an id has no provenance of its own: there the caller vouches for the event key.
    """
    provenance = wording.description(replace(event_type, description=None, url=None), source.partner_title)
    *text, last = str(metric.get("description") or "").rstrip().split("\n")
    as_of = 0.0
    if last.startswith(AS_OF) and text:
        as_of = _seconds(last.removeprefix(AS_OF))
        last = text.pop()
    if last != provenance and not last.startswith(f"{provenance}: http"):
        return None
    measure = _measure(metric)
    name, value = str(metric.get("name") or ""), None
    ending = None if measure is Measure.OCCURRENCE else _ENDING.fullmatch(name)
    if ending is not None:
        name = ending["name"]
    if measure.numeric:
        value = Value(property=ending and ending["property"], unit=metric.get("unit"))
    base_key = str(metric["key"])
    stated = {
        "key": metric.get("eventKey"),
        "name": name,
        "description": "\n".join(text).strip(),
        "tags": list(metric.get("tags") or ()),
        "url": last.removeprefix(provenance).removeprefix(": "),
        "key_hint": base_key if measure is Measure.OCCURRENCE else _KEY_SUFFIX.sub("", base_key),
    }
    return Recalled(measure, metric, {field: said for field, said in stated.items() if said}, as_of, value)


@dataclass(frozen=True, slots=True)
class Intended:
    """What a change makes of what was recalled: the state, the plan, and each metric as it stands."""

    merged: Merged
    plan: Plan
    metrics: Sequence[PlannedMetric]
    links: Sequence[Link]


def intend(recalled: Sequence[Recalled], change: Change, clock: Clock, planner: Planner) -> Intended:
    """What is to be there after `change`.

    Against LaunchDarkly's present text only what the change states makes a difference. Tags are only added: nothing
    tells those that the source took back from those that a person added.
    """
    id_ = change.event_type.id
    by_measure = {each.measure: each for each in reversed(recalled)}  # of two alike the older one is the metric
    known = list(by_measure.values())
    standing = [each for each in known if not each.archived] or known
    shared = _shared(standing)
    newest = max((each.as_of for each in known), default=0.0)
    first = next((each for each in standing if each.measure is Measure.OCCURRENCE), next(iter(standing), None))
    before = {} if first is None else _registers(first, id_, newest, shared)
    merged = _merge(before, change, clock)
    plan = planner(merged)

    def told(at: float) -> float:
        return max(at, clock.at) if change.occurred_at is not None else at

    wanted = {planned.measure: _marked(planned, told(0.0)) for planned in plan.metrics}
    links = []
    for each in known:
        registers = _registers(each, id_, each.as_of, shared)
        was = _planned(planner(Merged(registers, frozenset())), each.measure)
        now = _planned(planner(_merge(registers, change, clock)), each.measure)
        if each.measure in wanted and now is not None:
            wanted[each.measure] = _marked(now, told(each.as_of))
        body = each.metric if was is None else _marked(was, each.as_of).with_key(str(each.metric["key"])).body
        if was is None and each.measure in wanted:
            body = {field: each.metric[field] for field in wanted[each.measure].body if field in each.metric}
        state = LinkState.ARCHIVED if each.archived else LinkState.LIVE
        links.append(Link(each.measure, str(each.metric["key"]), body, state))
    return Intended(merged, plan, list(wanted.values()), links)


def _shared(standing: Sequence[Recalled]) -> dict[str, Any]:
    """What only all metrics together tell: the value and whether the event type is archived."""
    if not standing:
        return {}
    value = next((each.value for each in standing if each.value is not None), None)
    aggregation = _AGGREGATIONS.get(frozenset(each.measure for each in standing))
    if aggregation is not None:
        value = replace(value or Value(type="none"), aggregation=aggregation)
    shared: dict[str, Any] = {"status": "archived" if standing[0].archived else "active"}
    if value is not None:
        shared["value"] = EventType(key="-", value=value).to_dict()["value"]
    return shared


def _registers(recalled: Recalled, id_: str | None, as_of: float, shared: Mapping[str, Any]) -> dict[str, Any]:
    """The state that `merge` would have left, as far as a metric tells it."""
    stated = {**recalled.stated, **shared}
    key_hint = stated.pop("key_hint")
    stamp = [as_of, -1, "", 0]
    registers = {field: [said, stamp] for field, said in stated.items()}
    return registers | {"id": id_, "wanted": True, "key_hint": key_hint}


def _merge(registers: Mapping[str, Any], change: Change, clock: Clock) -> Merged:
    tags = change.event_type.tags
    if tags is not None and "tags" in registers:
        event_type = replace(change.event_type, tags=tuple(dict.fromkeys((*registers["tags"][0], *tags))))
        change = replace(change, event_type=event_type)
    return merge(registers, change, clock)


def _planned(plan: Plan, measure: Measure) -> PlannedMetric | None:
    return next((planned for planned in plan.metrics if planned.measure is measure), None)


def _marked(planned: PlannedMetric, as_of: float) -> PlannedMetric:
    description = f"{planned.body['description']}\n{AS_OF}{datetime.fromtimestamp(as_of, UTC).isoformat()}"
    if not as_of or len(description) > MAX_DESCRIPTION:
        return planned
    return replace(planned, body={**planned.body, "description": description})


def _seconds(moment: str) -> float:
    try:
        return datetime.fromisoformat(moment).timestamp()
    except (ValueError, OverflowError):
        return 0.0  # a person wrote it


def _measure(metric: Mapping[str, Any]) -> Measure:
    if not metric.get("isNumeric"):
        return Measure.COUNT if metric.get("unitAggregationType") == "sum" else Measure.OCCURRENCE
    if metric.get("analysisType") == "percentile":
        return Measure.VALUE_PERCENTILE
    return Measure.VALUE_SUM if metric.get("unitAggregationType") == "sum" else Measure.VALUE_AVERAGE
