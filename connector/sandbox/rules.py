"""What LaunchDarkly demands of a metric, as pure functions of its fields. It must never know who asks or what exists.

The fields: https://launchdarkly.com/docs/api/metrics/post-metric. Where the documentation is silent it follows what
LaunchDarkly's Terraform provider sends: an empty string or list says the same as an absent field (but not for an
enumeration), and percentile analysis takes no `eventDefault` but a disabled one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from connector.sandbox.errors import InvalidRequestError

Metric = dict[str, Any]
"""A metric as the API answers it: JSON values under LaunchDarkly's field names. Never changed in place."""

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_TAG = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MEMBER_ID = re.compile(r"[0-9a-f]{24}")


def _is_strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_TYPES: Final[Mapping[str, Callable[[Any], bool]]] = {
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: type(value) is int,
    "number": _is_number,
    "list of strings": _is_strings,
    "list": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}

FIELDS: Final[Mapping[str, str]] = {
    "key": "string",
    "kind": "string",
    "name": "string",
    "description": "string",
    "tags": "list of strings",
    "isNumeric": "boolean",
    "unit": "string",
    "eventKey": "string",
    "successCriteria": "string",
    "analysisUnits": "list of strings",
    "maintainerId": "string",
    "unitAggregationType": "string",
    "unitAggregationField": "string",
    "analysisType": "string",
    "percentileValue": "integer",
    "eventDefault": "object",
    "dataSource": "object",
    "filters": "object",
    "denominator": "object",
    "selector": "string",
    "urls": "list",
    "traceQuery": "string",
    "traceValueLocation": "string",
    "valueColumn": "string",
    "windowStartOffset": "integer",
    "windowEndOffset": "integer",
    "winsorLowerPercentile": "number",
    "winsorUpperPercentile": "number",
    "winsorIncludeImputed": "boolean",
}
"""The fields that a caller states, with the JSON type of each; every other field of a request is ignored."""

IMMUTABLE: Final = ("key", "kind")

_ENUMERATIONS: Final[Mapping[str, Sequence[str]]] = {
    "kind": ("custom", "pageview", "click", "trace"),
    "successCriteria": ("HigherThanBaseline", "LowerThanBaseline"),
    "unitAggregationType": ("average", "sum", "count_distinct"),
    "analysisType": ("mean", "percentile"),
}
_REQUIRED: Final[Mapping[str, Sequence[str]]] = {
    "custom": ("isNumeric", "eventKey"),
    "pageview": ("urls",),
    "click": ("selector", "urls"),
    "trace": ("isNumeric", "traceQuery"),
}
_EMPTY: Final[tuple[object, ...]] = (None, "", [])


def stated_fields(body: object) -> Metric:
    """The fields that a body states, of the right type, with `randomizationUnits` under its new name.

    Raises `InvalidRequestError`.
    """
    if not isinstance(body, dict):
        raise InvalidRequestError("the body must be a JSON object")
    if "randomizationUnits" in body and "analysisUnits" not in body:
        body = body | {"analysisUnits": body["randomizationUnits"]}
    stated: Metric = {}
    for field, value in body.items():
        type_name = FIELDS.get(field)
        if type_name is None or (value in _EMPTY and (value is None or field not in _ENUMERATIONS)):
            continue
        if not _TYPES[type_name](value):
            raise InvalidRequestError(f"{field} must be a JSON {type_name}")
        stated[field] = value
    return stated


def completed(stated: Metric, project_units: Sequence[str]) -> Metric:
    """The stated fields with LaunchDarkly's defaults. A metric without a name is called by its key."""
    percentile = stated.get("analysisType") == "percentile"
    units = stated.get("analysisUnits", list(project_units[:1]))
    return {
        "name": stated["key"],
        "tags": [],
        "unitAggregationType": "average",
        "analysisType": "mean",
        "dataSource": {"key": "launchdarkly-hosted"},
        **stated,
        "analysisUnits": units,
        "randomizationUnits": units,
        "eventDefault": {"disabled": percentile, "value": 0} | stated.get("eventDefault", {}),
    }


def check(stated: Metric, project_units: Collection[str]) -> None:
    """Raises `InvalidRequestError` for the first rule that the stated fields break."""
    for field in ("key", "kind"):
        _require(field in stated, f"{field} is required")
    _require(_KEY.fullmatch(stated["key"]) is not None, "key must start with a letter or digit, then . - _ are allowed")
    for field, allowed in _ENUMERATIONS.items():
        if field in stated:
            _require(stated[field] in allowed, f'{field} must be one of {", ".join(allowed)}, not "{stated[field]}"')
    for field in _REQUIRED[stated["kind"]]:
        _require(field in stated, f"{field} is required for {stated['kind']} metrics")
    _check_measure(stated)
    for tag in stated.get("tags", ()):
        _require(_TAG.fullmatch(tag) is not None, f'tag "{tag}" must be 1 to 64 letters, digits, . - or _')
    if "maintainerId" in stated:
        _require(_MEMBER_ID.fullmatch(stated["maintainerId"]) is not None, "maintainerId must be 24 hex characters")
    for unit in stated.get("analysisUnits", ()):
        known = " ".join(project_units)
        _require(unit in project_units, f'Randomization unit "{unit}" not found in project settings [{known}]')


def _check_measure(stated: Metric) -> None:
    numeric = stated.get("isNumeric", False)
    if numeric and stated["kind"] in {"custom", "trace"}:
        _require("unit" in stated, "unit is required for numeric metrics")
        _require("successCriteria" in stated, "successCriteria is required for numeric metrics")
    else:
        _require("unit" not in stated, "unit is for numeric metrics only")
    if numeric and stated["kind"] == "trace":
        _require("traceValueLocation" in stated, "traceValueLocation is required for numeric trace metrics")
    if stated.get("unitAggregationType") == "count_distinct":
        _require("unitAggregationField" in stated, "unitAggregationField is required for count_distinct")
    event_default = stated.get("eventDefault", {})
    _require(isinstance(event_default.get("disabled", False), bool), "eventDefault.disabled must be a JSON boolean")
    _require(_is_number(event_default.get("value", 0)), "eventDefault.value must be a JSON number")
    if stated.get("analysisType") == "percentile":
        _require(numeric, "percentile analysis is for numeric metrics only")
        _require("percentileValue" in stated, "percentileValue is required for percentile analysis")
        _require(0 <= stated["percentileValue"] <= 100, "percentileValue must be between 0 and 100")
        _require(event_default.get("disabled", True), "eventDefault is not supported for percentile analysis")
    else:
        _require("percentileValue" not in stated, "percentileValue is for percentile analysis only")


def _require(holds: bool, message: str) -> None:  # noqa: FBT001 - reads as the sentence it checks
    if not holds:
        raise InvalidRequestError(message)
