"""One log line for each delivery, attempt and call, with ids and without a secret; a span for each where wanted."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from connector import observing, tracing
from connector.app import create_app
from connector.settings import Settings
from tests.integration.web.conftest import Answer, Connector, Endpoint, Sandbox

ADMIN, METRICS = "canary-admin-token-abcdefgh", "canary-metrics-token-abcdef"
CANARIES = ("canary", "whsec_", "v1,")
"""Parts of all secrets that a test below puts somewhere, and of every signature."""


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    root, own = logging.getLogger(), logging.getLogger("connector")
    before = root.handlers[:], root.level, own.level
    app = create_app(
        Settings(
            database_url=f"sqlite:///{tmp_path}/connector.db",
            respond_within=20.0,
            cache_seconds=0.0,
            log_format="json",
            admin_token=ADMIN,
            metrics_token=METRICS,
            alert_slack_url="http://127.0.0.1:9/canary-slack",
            alert_webhook_url="http://127.0.0.1:9/canary-hook",
            alert_webhook_secret="whsec_Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5",
            smtp_url="smtp://user:canary@127.0.0.1:9",
            alert_email_to="oncall@example.com",
        )
    )
    yield app
    app.extensions["connector"].close()
    root.handlers[:], root.level, own.level = before


@pytest.fixture
def endpoint(app: Flask, sandbox: Sandbox) -> Callable[..., Endpoint]:
    def request(method: str, path: str, body: bytes | None, headers: Any) -> Answer:
        answer = app.test_client().open(path, method=method, data=body, headers=dict(headers))
        return Answer(answer.status_code, answer.get_json(silent=True) or {}, answer.headers)

    return Connector(request, app.extensions["connector"].installation.settings, sandbox).endpoint


@pytest.fixture
def lines(app: Flask) -> Callable[[], list[dict[str, Any]]]:
    """What was logged since the app was made, as it is written."""
    (handler,) = [each for each in logging.getLogger().handlers if type(each) is logging.StreamHandler]
    written = io.StringIO()
    handler.setStream(written)
    return lambda: [json.loads(line) for line in written.getvalue().splitlines()]


def test_a_delivery_can_be_followed_by_its_id(
    endpoint: Callable[..., Endpoint], lines: Callable[[], list[dict[str, Any]]], app: Flask
) -> None:
    sender = endpoint()
    answer = sender.send("event_type.defined", {"key": "signup"})
    app.extensions["connector"].runner.stop()  # so that the attempt, too, is over and told
    said = {line["message"]: line for line in lines()}
    assert set(said) == {"delivery accepted", "change attempted", "launchdarkly called"}
    assert {line["delivery"] for line in said.values()} == {answer.body["delivery"]}
    assert {line["partner"] for line in said.values()} == {"standard"}
    accepted, attempted, called = (
        said[name] for name in ("delivery accepted", "change attempted", "launchdarkly called")
    )
    assert (accepted["endpoint"], accepted["status"], accepted["duplicate"]) == (sender.id, 201, False)
    assert (attempted["connection"], attempted["result"], attempted["attempt"]) == (
        sender.connection.id,
        "created",
        1,
    )
    assert (called["method"], called["path"], called["status"]) == ("POST", "/api/v2/metrics/demo", "201")
    assert called["change"] == attempted["change"]


def test_what_is_refused_after_its_signature_has_a_line_and_what_anybody_can_cause_has_none(
    endpoint: Callable[..., Endpoint], lines: Callable[[], list[dict[str, Any]]], app: Flask
) -> None:
    sender = endpoint()
    assert sender.post(b"[]", sender.sign(b"[]")).status == 422
    app.test_client().post("/webhooks/nobody")
    sender.post(b"x" * 1_000_000)
    (line,) = lines()
    assert (line["message"], line["status"], line["code"]) == ("delivery refused", 422, "payload_refused")
    assert line["endpoint"] == sender.id


def test_no_line_metric_page_or_answer_has_a_secret(
    endpoint: Callable[..., Endpoint],
    lines: Callable[[], list[dict[str, Any]]],
    app: Flask,
    sandbox: Sandbox,
    tmp_path: Path,
) -> None:
    secret = "whsec_Y2FuYXJ5LXNlY3JldC1jYW5hcnktc2VjcmV0"
    sender = endpoint(credential="api-canary", secret=secret)
    answers = [
        sender.send("event_type.defined", {"key": "signup"}).body,
        sender.post(b"{}", {"webhook-signature": "v1,canary", "Authorization": "Bearer canary"}).body,
        sender.post(b"[", sender.sign(b"[")).body,
    ]
    app.extensions["connector"].runner.stop()
    app.extensions["connector"].duties.look(_alerts(app))
    metrics = app.test_client().get("/metrics", headers={"Authorization": f"Bearer {METRICS}"}).text
    everything = json.dumps([lines(), answers]) + metrics + app.test_client().get("/errors/signature_refused").text
    assert "change attempted" in everything
    assert "alert raised" in everything
    assert [canary for canary in CANARIES if canary in everything] == []
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("connector.db*"))
    assert b"canary" not in stored
    assert b"Y2FuYXJ5" not in stored


def _alerts(app: Flask) -> Any:
    """The duty, due again at once."""
    from dataclasses import replace  # noqa: PLC0415

    from connector.installation import duties  # noqa: PLC0415

    (duty,) = [each for each in duties(app.extensions["connector"].installation) if each.name == "alerts"]
    return replace(duty, name="alerts of this test")


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    end = tracing.set_up(exporter)
    yield exporter
    end()


def test_a_webhook_an_attempt_and_a_call_are_spans(
    spans: InMemorySpanExporter, endpoint: Callable[..., Endpoint], app: Flask
) -> None:
    answer = endpoint().send("event_type.defined", {"key": "signup"})
    app.extensions["connector"].runner.stop()
    assert tracing._tracer is not None
    tracing._tracer.span_processor.force_flush()  # type: ignore[attr-defined]
    found = {span.name: span for span in spans.get_finished_spans()}
    assert set(found) == {"webhook", "apply", "launchdarkly"}
    attributes = {name: dict(span.attributes or {}) for name, span in found.items()}
    assert {each["delivery"] for each in attributes.values()} == {answer.body["delivery"]}
    assert attributes["webhook"]["status"] == 201
    assert attributes["apply"]["result"] == "created"
    assert attributes["launchdarkly"]["path"] == "/api/v2/metrics/demo"
    parent, applied = found["launchdarkly"].parent, found["apply"].context
    assert parent is not None
    assert applied is not None
    assert parent.span_id == applied.span_id
    assert "error.type" not in attributes["apply"]


def test_what_failed_is_a_failed_span_with_its_code_alone(
    spans: InMemorySpanExporter, endpoint: Callable[..., Endpoint], app: Flask
) -> None:
    sender = endpoint(credential="api-canary")
    sender.send("event_type.defined", {"key": "signup"})
    sender.post(b"{}", {"webhook-signature": "v1,canary"})
    app.extensions["connector"].runner.stop()
    assert tracing._tracer is not None
    tracing._tracer.span_processor.force_flush()  # type: ignore[attr-defined]
    failed = [span for span in spans.get_finished_spans() if not span.status.is_ok and "error.type" in span.attributes]
    assert {span.attributes["error.type"] for span in failed} >= {"launchdarkly_unauthorized", "signature_refused"}
    assert "canary" not in "".join(span.to_json() for span in spans.get_finished_spans())


def test_without_an_address_nothing_is_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in tracing.ENDPOINTS:
        monkeypatch.delenv(name, raising=False)
    tracing.set_up()()
    assert tracing._tracer is None
    with tracing.span("webhook") as span:
        assert span is None


def test_an_address_without_the_extra_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import sys  # noqa: PLC0415

    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    tracing.set_up()()
    assert "metric-connector[otel]" in caplog.text


def test_an_unexpected_failure_is_seen_as_500() -> None:
    def fail() -> None:
        with observing.webhook("ep_1") as seen:
            seen.partner = "standard"
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
