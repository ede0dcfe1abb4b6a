"""Filters, order and pages of a list of metrics. Pure: it must never know where the metrics are kept.

The filter fields and their operators: https://launchdarkly.com/docs/api/metrics/get-metrics. Where that page is silent:
archived metrics are listed, a `limit` outside 1 to 50 is 400, and, as a sandbox has neither views nor teams, filters by
them match nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from connector.sandbox.errors import InvalidRequestError
from connector.sandbox.rules import Metric

DEFAULT_LIMIT = 20
MAX_LIMIT = 50

_TERM = re.compile(r"\s*(\w+)\s+(\w+)\s+")
_SEPARATOR = re.compile(r"\s*(,|$)")
_JSON = json.JSONDecoder()

Match = Callable[[Metric, list[Any]], bool]


def _is_used(metric: Metric, *, experiments: bool = True, rollouts: bool = True) -> bool:
    in_experiments = metric["experimentCount"] or metric["activeExperimentCount"]
    return bool((experiments and in_experiments) or (rollouts and metric["activeGuardedRolloutCount"]))


def _is_used_in(metric: Metric, place: Any) -> bool:
    match place:
        case "experiments":
            return _is_used(metric, rollouts=False)
        case "guarded_rollouts":
            return _is_used(metric, experiments=False)
        case "none":
            return not _is_used(metric)
        case _:
            return place == "any" and _is_used(metric)


def _found(metric: Metric, text: Any) -> bool:
    wanted = str(text).casefold()
    return wanted in metric["key"].casefold() or wanted in metric["name"].casefold()


_FILTERS: Final[Mapping[tuple[str, str], Match]] = {
    ("dataSourceKeys", "anyOf"): lambda metric, values: metric["dataSource"].get("key") in values,
    ("dataSourceKeys", "notEquals"): lambda metric, values: metric["dataSource"].get("key") not in values,
    ("eventKeys", "anyOf"): lambda metric, values: metric.get("eventKey") in values,
    ("eventKind", "equals"): lambda metric, values: metric["kind"] in values,
    ("hasConnections", "equals"): lambda metric, values: _is_used(metric) in values,
    ("isNumeric", "equals"): lambda metric, values: metric.get("isNumeric", False) in values,
    ("maintainerIds", "anyOf"): lambda metric, values: metric.get("maintainerId") in values,
    ("maintainerTeamKey", "equals"): lambda _metric, _values: False,
    ("metricUsedIn", "equals"): lambda metric, values: _is_used_in(metric, values[0]),
    ("query", "equals"): lambda metric, values: any(_found(metric, value) for value in values),
    ("tags", "contains"): lambda metric, values: set(values) <= set(metric["tags"]),
    ("unitAggregationType", "equals"): lambda metric, values: metric["unitAggregationType"] in values,
    ("versionIds", "anyOf"): lambda metric, values: metric["_versionId"] in values,
    ("view", "equals"): lambda _metric, _values: False,
}


def parse_filter(text: str) -> list[tuple[Match, list[Any]]]:
    """The terms of a filter, such as `eventKeys anyOf ["a"],isNumeric equals true`. Raises `InvalidRequestError`."""
    terms: list[tuple[Match, list[Any]]] = []
    position = 0
    while position < len(text):
        term = _TERM.match(text, position)
        if term is None:
            raise InvalidRequestError(f'filter: expected "field operator value" at "{text[position:]}"')
        field, operator = term.groups()
        matches = _FILTERS.get((field, operator))
        if matches is None:
            raise InvalidRequestError(f'filter: "{field} {operator}" is not supported')
        try:
            value, position = _JSON.raw_decode(text, term.end())
        except ValueError:
            raise InvalidRequestError(f'filter: the value of "{field}" is not JSON') from None
        values = value if isinstance(value, list) else [value]
        if not values or any(isinstance(item, list | dict) for item in values):
            raise InvalidRequestError(f'filter: "{field}" needs a string, a boolean or a list of strings')
        terms.append((matches, values))
        separator = _SEPARATOR.match(text, position)
        if separator is None:
            raise InvalidRequestError(f'filter: expected a comma at "{text[position:]}"')
        position = separator.end()
    return terms


@dataclass(frozen=True, slots=True)
class Page:
    """Some items of a list, with LaunchDarkly's links to the others."""

    items: Sequence[Any]
    total: int
    links: Mapping[str, Mapping[str, str]]

    def to_dict(self) -> dict[str, Any]:
        return {"items": self.items, "totalCount": self.total, "_links": self.links}


def list_metrics(metrics: list[Metric], query: Mapping[str, str], path: str) -> Page:
    """The page of `metrics` (oldest first) that the query asks for. Raises `InvalidRequestError`."""
    terms = parse_filter(query.get("filter", ""))
    if terms:
        metrics = [metric for metric in metrics if all(matches(metric, values) for matches, values in terms)]
    sort = query.get("sort", "createdAt")
    match sort.removeprefix("-"):
        case "createdAt":
            ordered = metrics[::-1] if sort.startswith("-") else metrics
        case "name":
            ordered = sorted(metrics, key=lambda metric: str(metric["name"]), reverse=sort.startswith("-"))
        case _:
            raise InvalidRequestError("sort must be createdAt or name, with - for descending order")
    return paged(ordered, query, path)


def paged(items: Sequence[Any], query: Mapping[str, str], path: str) -> Page:
    """The page that `limit` and `offset` ask for. Raises `InvalidRequestError`."""
    limit = _whole(query, "limit", DEFAULT_LIMIT)
    offset = _whole(query, "offset", 0)
    if not 1 <= limit <= MAX_LIMIT:
        raise InvalidRequestError(f"limit must be between 1 and {MAX_LIMIT}")
    total = len(items)

    def link(at: int) -> dict[str, str]:
        arguments = dict(query) | {"limit": str(limit), "offset": str(at)}
        return {"href": f"{path}?{urlencode(arguments)}", "type": "application/json"}

    links = {"self": link(offset), "first": link(0), "last": link(max(0, (total - 1) // limit * limit))}
    if offset > 0:
        links["prev"] = link(max(0, offset - limit))
    if offset + limit < total:
        links["next"] = link(offset + limit)
    return Page(items[offset : offset + limit], total, links)


def _whole(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isascii() or not text.isdigit():
        raise InvalidRequestError(f"{name} must be a whole number")
    return int(text)
