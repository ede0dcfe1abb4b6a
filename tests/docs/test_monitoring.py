"""Dashboard, alert rules and docs speak of metrics that there are, with labels that they have."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric

from connector import instruments
from connector.store import gauges
from connector.store.database import Database
from connector.store.gauges import Gauges
from connector.web.metrics import Stores

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "config/monitoring"
_NAME = re.compile(r"\b(connector_[a-z_]+)\b")
_SUFFIXES = ("_total", "_bucket", "_count", "_sum", "_created")


def expressions() -> Iterator[str]:
    dashboard = json.loads((MONITORING / "grafana-dashboard.json").read_text())
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    for group in yaml.safe_load((MONITORING / "alerts.rules.yaml").read_text())["groups"]:
        yield from (rule["expr"] for rule in group["rules"])


@pytest.fixture
def families(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, Metric]:
    """Every family that there can be, with one sample each of those that the store fills."""
    one = {("x", "x"): 1.0}
    full = Gauges(connections=one, backlog=one, oldest={("x",): 1.0}, budgets={("x",): 1.0}, alerts={("x",): 1.0})
    monkeypatch.setattr(gauges, "read", lambda _tx, **_: full)
    registry = CollectorRegistry()
    registry.register(Stores(sqlite_database, lambda: "ok", lambda: 0.0))
    return {family.name: family for source in (registry, instruments.REGISTRY) for family in source.collect()}


def of(name: str, families: Mapping[str, Metric]) -> Metric | None:
    bare = next((name.removesuffix(suffix) for suffix in _SUFFIXES if name.endswith(suffix)), name)
    return families.get(name) or families.get(bare)


def test_every_metric_that_is_drawn_or_watched_exists(families: Mapping[str, Metric]) -> None:
    named = {name for expression in expressions() for name in _NAME.findall(expression)}
    assert len(named) >= 10
    assert {name for name in named if of(name, families) is None} == set()


def test_every_label_that_is_asked_for_exists(families: Mapping[str, Metric]) -> None:
    labels = {"partner", "status", "result", "outcome", "method", "state", "window", "kind", "version", "le"}
    for expression in expressions():
        for inside in re.findall(r"(?:by \(|\{)([^)}]*)[)}]", re.sub(r'"[^"]*"', "", expression)):
            asked = set(re.findall(r"\b([a-z]+)\b(?=\s*(?:[=!,]|$))", inside))
            assert asked - {"job"} <= labels, expression


def test_every_alert_says_what_is_wrong_and_what_to_do() -> None:
    (group,) = yaml.safe_load((MONITORING / "alerts.rules.yaml").read_text())["groups"]
    for rule in group["rules"]:
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert {"summary", "action"} == rule["annotations"].keys()
        assert rule["for"]


def test_panels_lie_beside_each_other() -> None:
    panels: list[dict[str, Any]] = json.loads((MONITORING / "grafana-dashboard.json").read_text())["panels"]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_the_docs_name_every_metric_and_no_other(families: Mapping[str, Metric]) -> None:
    page = (ROOT / "docs/reference/metrics.md").read_text()
    told = set(re.findall(r"^\| `(connector_[a-z_]+)`", page, re.MULTILINE))
    assert {name if of(name, families) is None else of(name, families).name for name in told} == set(families)  # type: ignore[union-attr]
