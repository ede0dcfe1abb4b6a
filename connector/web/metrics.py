"""`/metrics` for Prometheus: what this process counted, and what the store knows at the moment of the scrape.

Nothing in it is secret: partners, states and numbers. It must never name a connection or a customer.
"""

from __future__ import annotations

import hmac
import os
import time
from collections.abc import Callable, Iterator, Mapping

from flask import Blueprint, Response, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from connector import __version__, instruments
from connector.store import gauges
from connector.store.database import Database, StoreUnavailable
from connector.web.problems import Problem

MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"
"""The client library's own variable: where several processes serve, each scrape answers for all of them."""


def blueprint(
    database: Database, runner_health: Callable[[], str], *, token: str | None, clock: Callable[[], float] = time.time
) -> Blueprint:
    """`token`, where there is one, is what a scrape has to bear."""
    routes = Blueprint("metrics", __name__)
    expected = None if token is None else f"Bearer {token}".encode()

    @routes.get("/metrics")
    def metrics() -> Response:
        given = request.headers.get("Authorization", "").encode()
        if expected is not None and not hmac.compare_digest(given, expected):
            raise Problem(
                401,
                "metrics_token_wrong",
                "Send Authorization: Bearer with the value of CONNECTOR_METRICS_TOKEN.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        return Response(_counted() + _known(database, runner_health, clock), content_type=CONTENT_TYPE_LATEST)

    return routes


def _counted() -> bytes:
    if MULTIPROCESS not in os.environ:
        return generate_latest(instruments.REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def _known(database: Database, runner_health: Callable[[], str], clock: Callable[[], float]) -> bytes:
    registry = CollectorRegistry()
    registry.register(Stores(database, runner_health, clock))
    return generate_latest(registry)


class Stores(Collector):
    """How things stand in the store. Where it is down, only `connector_database_up 0` is left of it."""

    def __init__(self, database: Database, runner_health: Callable[[], str], clock: Callable[[], float]) -> None:
        self._database = database
        self._runner_health = runner_health
        self._clock = clock

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield _gauge("connector_build_info", "The version that answers.", {(__version__,): 1}, ("version",))
        up, found = 1, None
        try:
            with self._database.read() as tx:
                found = gauges.read(tx, now=self._clock())
        except StoreUnavailable:
            up = 0
        yield _gauge("connector_database_up", "Whether the database can be read.", {(): up})
        healthy = int(self._runner_health() == "ok")
        yield _gauge(
            "connector_runner_up", "Whether somebody applies changes: this process or a worker.", {(): healthy}
        )
        if found is None:
            return
        yield _gauge("connector_connections", "Connections by state.", found.connections, ("partner", "state"))
        yield _gauge(
            "connector_backlog_changes",
            "Changes that are not finished: due (or being applied), waiting for another attempt, held by a paused "
            "connection, parked.",
            found.backlog,
            ("partner", "state"),
        )
        yield _gauge(
            "connector_backlog_oldest_seconds",
            "Age of the oldest change that is due or waits for another attempt.",
            found.oldest,
            ("partner",),
        )
        yield _gauge(
            "connector_launchdarkly_budget_left_ratio",
            "What is left of the tightest of LaunchDarkly's rate-limit windows, 0 to 1; absent while none is known.",
            found.budgets,
            ("window",),
        )
        yield _gauge("connector_alerts", "Alerts that stand.", found.alerts, ("kind",))


def _gauge(
    name: str, what: str, values: Mapping[tuple[str, ...], float], labels: tuple[str, ...] = ()
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, what, labels=labels)
    for labelled, value in values.items():
        family.add_metric(labelled, value)
    return family
