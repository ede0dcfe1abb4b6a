"""Policy turns an event type into the metrics it should have: rules, measures, keys, names, LaunchDarkly's JSON.

Pure: it must never know a partner's dialect, LaunchDarkly's API, the store or the web.
"""

from connector.policy.errors import InvalidMetricError, PolicyError, RulesError, SourceError
from connector.policy.keys import candidate_keys, collision_key, event_key
from connector.policy.metric_body import Measure
from connector.policy.patch import patch_operations
from connector.policy.plan import Plan, PlannedMetric, Source, plan_metrics
from connector.policy.rules import Rules

__all__ = [
    "InvalidMetricError",
    "Measure",
    "Plan",
    "PlannedMetric",
    "PolicyError",
    "Rules",
    "RulesError",
    "Source",
    "SourceError",
    "candidate_keys",
    "collision_key",
    "event_key",
    "patch_operations",
    "plan_metrics",
]
