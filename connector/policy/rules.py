"""Rules: what a person wants done differently with the event types that a glob matches, written in TOML.

This module must never know how a metric is made from what a rule says: `plan` does.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import translate
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validates_schema

from connector.policy.errors import RulesError
from connector.policy.metric_body import KEY, MAINTAINER, TAG, Measure, SuccessCriteria

_CRITERIA = {
    "higher": SuccessCriteria.HIGHER,
    "lower": SuccessCriteria.LOWER,
    **{criteria.value: criteria for criteria in SuccessCriteria},
}


@dataclass(frozen=True, slots=True)
class Treatment:
    """What all matching rules say of one event type, taken together, with the defaults for what none of them says.

    Where a default is None or empty, the event type or the connection decides.
    """

    skipped_by: str | None = None
    measures: tuple[Measure, ...] = ()
    unit: str | None = None
    value_property: str | None = None
    percentile: int = 95
    success_criteria: SuccessCriteria = SuccessCriteria.HIGHER
    missing_events_count_as_zero: bool = True
    analysis_units: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    maintainer_id: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: the patterns that must match, and what it says then, by the fields of `Treatment`."""

    key_pattern: re.Pattern[str] | None
    name_pattern: re.Pattern[str] | None
    stated: Mapping[str, Any]

    def matches(self, event_key: str, name: str) -> bool:
        return (self.key_pattern is None or self.key_pattern.match(event_key) is not None) and (
            self.name_pattern is None or self.name_pattern.match(name) is not None
        )


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules in the order in which they apply: each matching one overrides the earlier ones setting by setting, tags
    add up. `installation + connection` lets the connection's rules have the last word.
    """

    rules: tuple[Rule, ...] = ()

    def __add__(self, later: Rules) -> Rules:
        return Rules(self.rules + later.rules)

    @classmethod
    def parse(cls, text: str, source_name: str = "rules") -> Rules:
        """The rules of a TOML document. Raises `RulesError`, which calls the document by its `source_name`."""
        try:
            document = tomllib.loads(text)
        except (ValueError, RecursionError) as error:  # also endless numbers and deep nesting
            raise RulesError(f"{source_name} is not TOML: {error}.") from error
        tables = document.pop("rules", [])
        if document or not isinstance(tables, list):
            raise RulesError(f"{source_name}, {next(iter(document), 'rules')}: only [[rules]] tables may stand here.")
        return cls(tuple(_rule(table, f"{source_name}, rule {number}") for number, table in enumerate(tables, 1)))

    def treatment(self, event_key: str, name: str) -> Treatment:
        """What the rules say of the event type with this event key and source's name (empty where it has none)."""
        stated: dict[str, Any] = {}
        for rule in self.rules:
            if rule.matches(event_key, name):
                tags = stated.get("tags", ()) + rule.stated.get("tags", ())
                stated |= rule.stated
                stated["tags"] = tags
        return Treatment(**stated)


def _rule(table: object, label: str) -> Rule:
    try:
        settings: dict[str, Any] = _SCHEMA.load(table)  # type: ignore[arg-type]  # a wrong type is refused like any other
    except ValidationError as error:
        raise RulesError(f"{label}{_first(error.messages)}.") from error
    key_glob, name_glob = settings.pop("match", None), settings.pop("match_name", None)
    if "skip" in settings:
        settings["skipped_by"] = label if settings.pop("skip") else None
    return Rule(
        key_pattern=None if key_glob is None else re.compile(translate(key_glob)),
        name_pattern=None if name_glob is None else re.compile(translate(name_glob)),
        stated=settings,
    )


def _first(messages: Any) -> str:
    """The first of marshmallow's nested messages, behind the way to it."""
    if isinstance(messages, dict):
        at, inner = next(iter(messages.items()))
        step = "" if at == "_schema" else f", item {at + 1}" if isinstance(at, int) else f", {at}"
        return step + _first(inner)
    return f": {messages[0]}"


def _must_be(allowed: str, accepts: Callable[[Any], bool]) -> Callable[[Any], None]:
    """A validator of a TOML value as it stands: marshmallow's own fields would take `1` for true and `"5"` for 5."""

    def validate(value: Any) -> None:
        if not accepts(value):
            raise ValidationError(f"must be {allowed}")

    return validate


def _one_of(choices: list[str]) -> Callable[[Any], None]:
    return _must_be(f"one of {', '.join(choices)}", choices.__contains__)


def _like(pattern: re.Pattern[str], allowed: str) -> Callable[[Any], None]:
    return _must_be(allowed, lambda value: isinstance(value, str) and bool(pattern.match(value)))


_flag = _must_be("true or false", lambda value: isinstance(value, bool))
_text = _must_be("a text that is not blank", lambda value: isinstance(value, str) and bool(value.strip()))


def _list_of(each: Callable[[Any], None]) -> fields.List[Any]:
    return fields.List(fields.Raw(validate=each), error_messages={"invalid": "must be a list"})


class RuleSchema(Schema):
    """One `[[rules]]` table."""

    class Meta:
        unknown = RAISE

    match = fields.Raw(validate=_text)
    match_name = fields.Raw(validate=_text)
    skip = fields.Raw(validate=_flag)
    measures = _list_of(_one_of(list(Measure)))
    unit = fields.Raw(validate=_text)
    value_property = fields.Raw(validate=_text)
    percentile = fields.Raw(
        validate=_must_be("a whole number from 1 to 99", lambda value: type(value) is int and 1 <= value <= 99)
    )
    success_criteria = fields.Raw(validate=_one_of(list(_CRITERIA)))
    missing_events_count_as_zero = fields.Raw(validate=_flag)
    analysis_units = _list_of(_like(KEY, "a context kind: letters, digits, '.', '_' and '-'"))
    tags = _list_of(_like(TAG, "1 to 64 letters, digits, '.', '_' and '-'"))
    maintainer_id = fields.Raw(validate=_like(MAINTAINER, "a LaunchDarkly member id: 24 hexadecimal digits"))

    @validates_schema
    def check_together(self, rule: Mapping[str, Any], **_: Any) -> None:
        if "match" not in rule and "match_name" not in rule:
            raise ValidationError("needs match (a glob on the event key) or match_name (a glob on the name)")
        measures = rule.get("measures")
        if measures is not None and not 0 < len(measures) == len(set(measures)):
            raise ValidationError("must name each measure once, and at least one; to make none, use skip", "measures")
        if measures == [Measure.VALUE_PERCENTILE] and "missing_events_count_as_zero" in rule:
            raise ValidationError("does not go with a percentile", "missing_events_count_as_zero")

    @post_load
    def use_our_words(self, rule: dict[str, Any], **_: Any) -> dict[str, Any]:
        if "measures" in rule:
            rule["measures"] = tuple(Measure(measure) for measure in rule["measures"])
        if "success_criteria" in rule:
            rule["success_criteria"] = _CRITERIA[rule["success_criteria"]]
        for field in ("analysis_units", "tags"):
            if field in rule:
                rule[field] = tuple(rule[field])
        return rule


RuleSchema.error_messages = {
    "type": "must be a table",
    "unknown": f"is not known; allowed are {', '.join(RuleSchema().fields)}",
}
_SCHEMA = RuleSchema()
