"""Whatever a partner may write: LaunchDarkly's own model takes every body, and every patch leads where it should."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

import jsonpatch
from hypothesis import given
from hypothesis import strategies as st
from launchdarkly_api.models.metric_post import MetricPost

from connector.event_types import Aggregation, EventType, Value
from connector.policy import Measure, Rules, Source, collision_key, patch_operations, plan_metrics

KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")
SOURCE = Source("acme", "Acme", key_prefix="web_", tags=("mine",))
ALL_MEASURES = Rules.parse(f'[[rules]]\nmatch = "*"\nmeasures = {[measure.value for measure in Measure]}')

text = st.text(st.characters(codec=None), max_size=300) | st.text("&#;x0123456789-_' .", max_size=40)
values = st.builds(
    Value,
    property=st.none() | text,
    type=st.sampled_from(["number", "integer", "string", "none"]) | text,
    unit=st.none() | text,
    aggregation=st.none() | st.sampled_from(Aggregation),
)
event_types = st.builds(
    EventType,
    id=text.filter(bool),
    key=st.none() | text,
    name=st.none() | text,
    description=st.none() | text,
    value=st.none() | values,
    tags=st.none() | st.lists(text, max_size=25).map(tuple),
    url=st.none() | text | text.map("https://acme.example/".__add__),
)
rules = st.sampled_from([Rules(), ALL_MEASURES])


@given(event_types, rules)
def test_every_body_is_one_that_launchdarkly_takes(event_type: EventType, rules: Rules) -> None:
    planned = plan_metrics(event_type, SOURCE, rules)

    assert planned.metrics
    assert len({metric.key for metric in planned.metrics}) == len(planned.metrics)
    for metric in planned.metrics:
        assert KEY.match(metric.key)
        assert KEY.match(collision_key(metric.key, event_type.id or ""))
        assert MetricPost.from_dict(dict(metric.body)).to_dict() == metric.body  # type: ignore[union-attr]
        json.dumps(metric.body, ensure_ascii=False).encode()
        assert not any(unicodedata.category(character) == "Cc" for character in metric.body["name"])


@given(event_types, event_types, rules)
def test_every_patch_leads_from_the_body_applied_to_the_one_wanted(
    before: EventType, after: EventType, rules: Rules
) -> None:
    applied = {metric.measure: metric.body for metric in plan_metrics(before, SOURCE, rules).metrics}
    for metric in plan_metrics(after, SOURCE, rules).metrics:
        start: dict[str, Any] = dict(applied.get(metric.measure, {}))
        if start:
            wanted = {**metric.body, "key": start["key"]}
            assert jsonpatch.apply_patch(start, patch_operations(start, wanted)) == wanted
