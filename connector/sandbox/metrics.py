"""The metrics of one project: made, read, changed and deleted, each step atomic. It must never know HTTP or a token.

A metric is stored as it is answered and never changed in place, so that readers need no lock.
"""

from __future__ import annotations

import itertools
import secrets
import threading
from collections.abc import Callable, Collection
from datetime import UTC, datetime

from connector.sandbox import patching, rules
from connector.sandbox.errors import InvalidRequestError, KeyExistsError, NotFoundError
from connector.sandbox.rules import Metric

COUNTS = ("experimentCount", "metricGroupCount", "activeExperimentCount", "activeGuardedRolloutCount")
EXPANDABLE = {"experimentCount", "metricGroupCount", "experiments", "metricGroups"}
"""Fields that an answer has only when the call's `expand` names them."""

_NUMBERS = {*COUNTS, "_attachedFlagCount", "lastSeen"}
_USAGE = {*_NUMBERS, "isActive"}
"""Fields that LaunchDarkly keeps by itself: a change of them is no new version."""


def expanded(metric: Metric, expand: Collection[str] = ()) -> Metric:
    """The metric as an answer shows it."""
    return {field: value for field, value in metric.items() if field not in EXPANDABLE or field in expand}


class MetricBook:
    """The metrics of the project `project`, whose experiments may use the context kinds `units`."""

    def __init__(self, project: str, units: tuple[str, ...], clock: Callable[[], float]) -> None:
        self.project = project
        self._units = units
        self._clock = clock
        self._lock = threading.Lock()
        self._metrics: dict[str, Metric] = {}
        self._serial = itertools.count(1)
        self._id_infix = secrets.token_hex(5)

    def create(self, body: object, maintainer_id: str | None = None) -> Metric:
        """Make a metric. Raises `InvalidRequestError` or `KeyExistsError`."""
        stated = rules.stated_fields(body)
        if maintainer_id is not None:
            stated.setdefault("maintainerId", maintainer_id)
        rules.check(stated, self._units)
        key = stated["key"]
        path = f"/api/v2/metrics/{self.project}"
        now = self._clock()
        metric = {
            **dict.fromkeys(COUNTS, 0),
            "experiments": [],
            "metricGroups": [],
            "_id": self._new_id(now),
            "_versionId": self._new_id(now),
            "_version": 1,
            "_links": {
                "parent": {"href": path, "type": "application/json"},
                "self": {"href": f"{path}/{key}", "type": "application/json"},
            },
            "_attachedFlagCount": 0,
            "_creationDate": int(now * 1000),
            "lastModified": _modification(now),
            "archived": False,
            "isActive": False,
            **rules.completed(stated, self._units),
        }
        with self._lock:
            if key in self._metrics:
                raise KeyExistsError(f'A metric with the key "{key}" already exists')
            self._metrics[key] = metric
        return metric

    def get(self, key: str) -> Metric:
        """Raises `NotFoundError`."""
        try:
            return self._metrics[key]
        except KeyError:
            raise NotFoundError(f'Unknown metric key "{key}"') from None

    def all(self) -> list[Metric]:
        """Every metric, oldest first."""
        with self._lock:
            return list(self._metrics.values())

    def patch(self, key: str, body: object) -> Metric:
        """Apply a JSON Patch. Raises `NotFoundError`, `InvalidRequestError` or `PatchFailedError`."""
        patch = patching.parse(body)
        with self._lock:
            metric = self.get(key)
            return self._change(metric, patching.patched_fields(metric, patch))

    def edit(self, key: str, fields: Metric) -> Metric:
        """Set fields as a person or LaunchDarkly itself would; `null` removes one.

        Raises `NotFoundError`, and `InvalidRequestError` for a field that neither of them sets.
        """
        if unknown := fields.keys() - patching.EDITABLE - _USAGE:
            raise InvalidRequestError(f"cannot set {', '.join(sorted(unknown))}")
        for field in _NUMBERS & fields.keys():
            if type(fields[field]) is not int and not (field == "lastSeen" and fields[field] is None):
                raise InvalidRequestError(f"{field} must be a JSON integer")
        with self._lock:
            return self._change(self.get(key), fields)

    def delete(self, key: str) -> None:
        """Remove a metric, used or not. Raises `NotFoundError`."""
        with self._lock:
            del self._metrics[self.get(key)["key"]]

    def _change(self, before: Metric, fields: Metric) -> Metric:
        after = before | fields
        if after["analysisType"] != before["analysisType"] and after["eventDefault"] == before["eventDefault"]:
            after["eventDefault"] = None
        if after["analysisUnits"] == before["analysisUnits"]:
            after["analysisUnits"] = after["randomizationUnits"]
        stated = rules.stated_fields(after)
        rules.check(stated, self._units)
        after = {field: value for field, value in after.items() if field not in rules.FIELDS and value is not None}
        after |= rules.completed(stated, self._units)
        now = self._clock()
        for flag in ("archived", "isActive"):
            if not isinstance(after.get(flag), bool):
                raise InvalidRequestError(f"{flag} must be a JSON boolean")
        if not after["archived"]:
            after.pop("archivedAt", None)
        elif not before["archived"]:
            after["archivedAt"] = int(now * 1000)
        if any(before.get(field) != after.get(field) for field in (before.keys() | after.keys()) - _USAGE):
            after["_version"] = before["_version"] + 1
            after["_versionId"] = self._new_id(now)
            after["lastModified"] = _modification(now)
        self._metrics[before["key"]] = after
        return after

    def _new_id(self, now: float) -> str:
        """24 hex characters, the first eight the time, like LaunchDarkly's own."""
        return f"{int(now):08x}{self._id_infix}{next(self._serial):06x}"


def _modification(now: float) -> dict[str, str]:
    return {"date": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")}
