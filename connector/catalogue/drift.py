"""What became of a metric in LaunchDarkly since it was brought there: what the source owns, and what people own.

Pure. The source owns what a metric measures, that it is there, and that it is not archived while the event type lives;
everything else a person may edit, and it stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from connector.delivery.convergence import as_found, redefined
from connector.store.links import Link, LinkState

FIELDS = (
    "key",
    "kind",
    "name",
    "description",
    "tags",
    "isNumeric",
    "unit",
    "eventKey",
    "successCriteria",
    "unitAggregationType",
    "analysisType",
    "percentileValue",
    "eventDefault",
    "analysisUnits",
    "maintainerId",
    "archived",
    "lastSeen",
    "activeExperimentCount",
    "activeGuardedRolloutCount",
)
"""Of a metric in LaunchDarkly's list, the fields that a plan looks at."""

Live = Mapping[str, Any]
"""A metric as LaunchDarkly lists it, `FIELDS` only."""

Fields = Mapping[str, tuple[Any, Any]]
"""By LaunchDarkly's names: what a field is, and what it is to be."""


class Found(StrEnum):
    """The stable codes of what was found."""

    AS_LEFT = "as_left"
    DELETED = "deleted_in_launchdarkly"
    ARCHIVED = "archived_in_launchdarkly"
    REDEFINED = "redefined_in_launchdarkly"
    RESTORED = "restored_in_launchdarkly"
    REPLACED = "replaced_in_launchdarkly"
    EDITED = "edited_in_launchdarkly"

    @property
    def repaired(self) -> bool:
        return self in {Found.DELETED, Found.ARCHIVED, Found.REDEFINED}


@dataclass(frozen=True, slots=True)
class Drift:
    """`link` is how LaunchDarkly has the metric, None where it is gone. `kept` is what a person edited."""

    found: Found
    link: Link | None
    kept: Fields = field(default_factory=dict)


def slim(metric: Mapping[str, Any]) -> Live:
    """Ten thousand metrics have to fit in the memory of a small container."""
    return {name: metric[name] for name in FIELDS if name in metric}


def drift(link: Link, metric: Live | None, *, active: bool) -> Drift:
    """What happened to the metric of a settled `link`; `active` says whether its event type is there at the source."""
    if metric is None:
        return Drift(Found.DELETED if active else Found.AS_LEFT, None)
    different = redefined(metric, link.body)
    if "kind" in different:
        return Drift(Found.REPLACED, None)
    found = as_found(link, metric)
    kept = _edited(found, metric)
    if not active and link.state is LinkState.ARCHIVED and found.state is LinkState.LIVE:
        # Somebody wants it although the source does not: as the link says it is archived, nothing is done.
        return Drift(Found.RESTORED, link, {**kept, "archived": (True, False)})
    if different and active:
        return Drift(Found.REDEFINED, found, kept)
    if active and link.state is LinkState.LIVE and found.state is LinkState.ARCHIVED:
        return Drift(Found.ARCHIVED, found, kept)
    return Drift(Found.EDITED if kept else Found.AS_LEFT, found if active else link, kept)


def _edited(found: Link, metric: Live) -> Fields:
    """The fields that people own and that are not as they were applied: what was applied, and what is there now."""
    return {
        name: (applied, metric.get(name))
        for name, applied in found.body.items()
        if name != "key" and not _same(applied, metric.get(name))
    }


def _same(applied: Any, there: Any) -> bool:
    if isinstance(applied, list) and isinstance(there, list):
        return sorted(map(str, applied)) == sorted(map(str, there))
    if isinstance(applied, Mapping) and isinstance(there, Mapping):
        return all(there.get(name) == value for name, value in applied.items())
    return bool(applied == there)
