"""What can be wrong with the settings that policy is given, or with a body that it made.

Everything else (any text a partner can send) is not an error here: it is cut, cleaned or noted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class PolicyError(ValueError):
    """Policy cannot make a metric before a person changes a setting; `code` is stable, the text says which one."""

    code: ClassVar[str] = "policy"


class RulesError(PolicyError):
    """A rules file does not say what it may: the text names file, rule and key, and what is allowed there."""

    code = "invalid_rules"


class SourceError(PolicyError):
    """A connection's own setting (key prefix, tags, maintainer, analysis units) is none that LaunchDarkly takes."""

    code = "invalid_source"


class InvalidMetricError(PolicyError):
    """A body breaks LaunchDarkly's rules and must not be sent; `errors` has the reasons by LaunchDarkly's field names.

    Rules and sources are checked when they are read, so this is a defect of the connector.
    """

    code = "invalid_metric"

    def __init__(self, key: str, errors: Mapping[str, Any]) -> None:
        reasons = "; ".join(f"{field}: {reason}" for field, reason in errors.items())
        super().__init__(f"The body of metric {key!r} is not valid ({reasons}). Please report this as a defect.")
        self.errors = errors
