"""What the metrics of a connection are good for: events that never came, nobody to ask, experiments that use them.

Pure: it says what LaunchDarkly's list of metrics tells, and where that tells nothing it says so.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

_RUNNING = ("activeExperimentCount", "activeGuardedRolloutCount")


@dataclass(frozen=True, slots=True)
class Usefulness:
    """`never_seen` are event keys of which LaunchDarkly has seen no event, `unmaintained` and `in_use` metric keys.

    None says that LaunchDarkly did not tell.
    """

    never_seen: tuple[str, ...] | None = None
    unmaintained: tuple[str, ...] = ()
    in_use: tuple[str, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "never_seen": None if self.never_seen is None else list(self.never_seen),
            "unmaintained": list(self.unmaintained),
            "in_use": None if self.in_use is None else list(self.in_use),
        }

    @classmethod
    def from_dict(cls, stated: Mapping[str, Any]) -> Usefulness:
        never_seen, in_use = stated["never_seen"], stated["in_use"]
        return cls(
            never_seen=None if never_seen is None else tuple(never_seen),
            unmaintained=tuple(stated["unmaintained"]),
            in_use=None if in_use is None else tuple(in_use),
        )


def usefulness(live: Mapping[str, Mapping[str, Any]], keys: Collection[str]) -> Usefulness:
    """Of the metrics with these keys, as LaunchDarkly lists them; archived ones are left out.

    LaunchDarkly leaves `lastSeen` out where it has seen nothing. Where no metric of the project has it, it may as well
    be that LaunchDarkly does not tell.
    """
    metrics = [live[key] for key in sorted(keys) if key in live and not live[key].get("archived")]
    tells_seen = any("lastSeen" in metric for metric in live.values())
    unseen = {str(metric.get("eventKey")) for metric in metrics if not metric.get("lastSeen")}
    tells_use = any(name in metric for metric in metrics for name in _RUNNING)
    return Usefulness(
        never_seen=tuple(sorted(unseen)) if tells_seen else None,
        unmaintained=tuple(metric["key"] for metric in metrics if not metric.get("maintainerId")),
        in_use=tuple(metric["key"] for metric in metrics if any(metric.get(name) for name in _RUNNING))
        if tells_use
        else None,
    )
