"""What this process counts and times for Prometheus: declared once, like loggers. What the store knows is not here.

Labels are partners, outcomes, codes and statuses: few and never secret. It must never know a connection or a customer.
Naming: https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

REGISTRY = CollectorRegistry()

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_LONG = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0, 86400.0)

WEBHOOKS = Counter(
    "connector_webhooks",
    "Webhook requests by the status of their answer.",
    ("partner", "status"),
    registry=REGISTRY,
)
ACCEPT_SECONDS = Histogram(
    "connector_accept_seconds",
    "From a webhook's arrival until it was stored durably.",
    ("partner",),
    buckets=_FAST,
    registry=REGISTRY,
)
ATTEMPTS = Counter(
    "connector_attempts",
    "Attempts at a change by what came of them: an outcome, or the code of an error.",
    ("partner", "result"),
    registry=REGISTRY,
)
APPLY_SECONDS = Histogram(
    "connector_apply_seconds",
    "One attempt at a change, with all its calls.",
    ("partner",),
    buckets=_FAST,
    registry=REGISTRY,
)
CHANGES = Counter(
    "connector_changes",
    "Finished and parked changes by outcome.",
    ("partner", "outcome"),
    registry=REGISTRY,
)
CHANGE_SECONDS = Histogram(
    "connector_change_seconds",
    "From a change's receipt until it was finished or parked, waits and pauses included.",
    ("partner",),
    buckets=_LONG,
    registry=REGISTRY,
)
CALLS = Counter(
    "connector_launchdarkly_calls",
    "Calls to LaunchDarkly by the status of the answer; none where there was no answer.",
    ("partner", "method", "status"),
    registry=REGISTRY,
)
CALL_SECONDS = Histogram(
    "connector_launchdarkly_call_seconds",
    "One call to LaunchDarkly.",
    ("partner", "method"),
    buckets=_FAST,
    registry=REGISTRY,
)
