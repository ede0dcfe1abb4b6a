"""`/metrics`: what a partner's webhooks and what became of them look like to Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families

from connector.app import create_app
from connector.settings import Settings
from connector.store import gauges
from connector.store.connections import Options
from connector.store.database import StoreUnavailable
from tests.integration.web.conftest import Answer, Connector, Sandbox

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def parsed(text: str) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples.get((name, frozenset(labels.items())), 0.0)


def scraped(app: Flask, **headers: str) -> Samples:
    answer = app.test_client().get("/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.content_type.startswith("text/plain")
    return parsed(answer.text)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(database_url=f"sqlite:///{tmp_path}/connector.db", respond_within=20.0, cache_seconds=0.0)


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    app = create_app(settings)
    yield app
    app.extensions["connector"].close()


def connected(app: Flask, sandbox: Sandbox, **fields: Any) -> Any:
    def request(method: str, path: str, body: bytes | None, headers: Any) -> Any:
        answer = app.test_client().open(path, method=method, data=body, headers=dict(headers))
        return Answer(answer.status_code, answer.get_json(silent=True) or {}, answer.headers)

    return Connector(request, app.extensions["connector"].installation.settings, sandbox).endpoint(**fields)


def test_a_delivery_is_counted_from_its_receipt_to_its_metric(app: Flask, sandbox: Sandbox) -> None:
    before = scraped(app)
    endpoint = connected(app, sandbox)
    assert endpoint.send("event_type.defined", {"key": "signup"}).status == 201
    app.extensions["connector"].runner.stop()  # so that the attempt, too, is over and counted
    after = scraped(app)

    def grown(name: str, **labels: str) -> float:
        return value(after, name, **labels) - value(before, name, **labels)

    assert grown("connector_webhooks_total", partner="standard", status="201") == 1
    assert grown("connector_accept_seconds_count", partner="standard") == 1
    assert grown("connector_attempts_total", partner="standard", result="created") == 1
    assert grown("connector_apply_seconds_count", partner="standard") == 1
    assert grown("connector_changes_total", partner="standard", outcome="created") == 1
    assert grown("connector_change_seconds_count", partner="standard") == 1
    assert grown("connector_launchdarkly_calls_total", partner="standard", method="POST", status="201") == 1
    assert grown("connector_launchdarkly_call_seconds_count", partner="standard", method="POST") == 1


def test_what_is_refused_is_counted_by_status(app: Flask, sandbox: Sandbox) -> None:
    before = scraped(app)
    endpoint = connected(app, sandbox)
    assert endpoint.post(b"{}").status == 401
    assert app.test_client().post("/webhooks/nobody").status_code == 404
    after = scraped(app)
    for labels in ({"partner": "standard", "status": "401"}, {"partner": "unknown", "status": "404"}):
        name = "connector_webhooks_total"
        assert value(after, name, **labels) - value(before, name, **labels) == 1


def test_how_things_stand_is_read_from_the_store(app: Flask, sandbox: Sandbox) -> None:
    endpoint = connected(app, sandbox, credential="api-revoked")
    assert endpoint.send("event_type.defined", {"key": "signup"}).status == 202
    samples = scraped(app)
    assert value(samples, "connector_database_up") == 1
    assert value(samples, "connector_runner_up") == 1
    assert value(samples, "connector_connections", partner="standard", state="paused") == 1
    assert value(samples, "connector_backlog_changes", partner="standard", state="held") == 1
    assert not [name for name, _ in samples if name == "connector_backlog_oldest_seconds"]


def test_parked_work_is_there(app: Flask, sandbox: Sandbox) -> None:
    endpoint = connected(app, sandbox, options=Options(analysis_units=("nobody",)))
    endpoint.send("event_type.defined", {"key": "signup"})
    samples = scraped(app)
    assert value(samples, "connector_backlog_changes", partner="standard", state="parked") == 1


def test_no_label_names_a_connection_or_a_customer(app: Flask, sandbox: Sandbox) -> None:
    endpoint = connected(app, sandbox, name="Canary Customer")
    endpoint.send("event_type.defined", {"key": "canary_event"})
    text = app.test_client().get("/metrics").text
    for canary in (endpoint.id, endpoint.connection.id, endpoint.secret, "api-demo", "Canary", "canary"):
        assert canary not in text


def test_with_a_token_a_scrape_has_to_bear_it(tmp_path: Path) -> None:
    token = "canary-" * 5
    app = create_app(Settings(database_url=f"sqlite:///{tmp_path}/connector.db", metrics_token=token))
    try:
        for headers in ({}, {"Authorization": token}, {"Authorization": "Bearer x"}, {"Authorization": "Bearer é"}):
            answer = app.test_client().get("/metrics", headers=headers)
            assert answer.status_code == 401
            assert answer.get_json()["code"] == "metrics_token_wrong"
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert "canary" not in answer.text
        assert scraped(app, Authorization=f"Bearer {token}")
    finally:
        app.extensions["connector"].close()


def test_a_database_that_is_gone_is_told_and_the_rest_stays(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: Any, **__: Any) -> None:
        raise StoreUnavailable("The database refused: disk I/O error")

    monkeypatch.setattr(gauges, "read", gone)
    samples = scraped(app)
    assert value(samples, "connector_database_up") == 0
    assert not [name for name, _ in samples if name == "connector_connections"]
