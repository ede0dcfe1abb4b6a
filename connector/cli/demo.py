"""`connector demo`: the main job as a customer would see it, from signed webhooks to metrics, and a judgement of it."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import requests

from connector import __version__
from connector.cli.output import print_table
from connector.launchdarkly import DEFAULT_BASE_URL, LaunchDarkly
from connector.partners.standard import WEBHOOK

RULES = """\
[[rules]]
match = "*checkout_started"
measures = ["count"]
"""
START_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class _Step:
    """One webhook and the answer it must get: status, and the outcomes of its changes."""

    what: str
    type: str
    data: Mapping[str, Any]
    status: int
    outcomes: Sequence[str] = ()
    message_id: str = field(default_factory=lambda: f"msg_{secrets.token_hex(12)}")
    forged: bool = False


def _steps(prefix: str) -> list[_Step]:
    signup = {"id": "evt_1", "key": f"{prefix}signup_completed", "name": "Signup Completed"}
    checkout = {"id": "evt_2", "key": f"{prefix}checkout_started", "description": "A cart goes to the till."}
    order = {
        "id": "evt_3",
        "key": f"{prefix}order_completed",
        "name": "Order Completed",
        "value": {"property": "revenue", "type": "number", "unit": "USD"},
    }
    renamed = {
        "id": "evt_1",
        "key": f"{prefix}registration_completed",
        "name": "Registration Completed",
        "previous_key": signup["key"],
    }
    define = "event_type.defined"
    first = _Step("an event type is defined", define, signup, 201, ["created"])
    return [
        first,
        _Step("one that a rule counts", define, checkout, 201, ["created"]),
        _Step("one with a number and a unit", define, order, 201, ["created"]),
        _Step("the first is renamed", "event_type.renamed", renamed, 200, ["renamed"]),
        _Step("the second is archived", "event_type.archived", checkout, 200, ["archived"]),
        _Step("the first message again", define, signup, 200, ["created"], message_id=first.message_id),
        _Step("a forged signature", define, signup, 401, forged=True),
        _Step("a malformed event type", define, {"id": 7, "key": ["no"]}, 422),
    ]


def _expected(prefix: str) -> dict[str, tuple[str, str, str, bool]]:
    """Metric key → name, event key, kind and whether it is archived."""

    def key(slug: str) -> str:
        return f"{prefix.replace('_', '-')}{slug}"

    return {
        key("signup-completed"): (
            "Registration Completed",
            f"{prefix}registration_completed",
            "conversion, binary",
            False,
        ),
        key("checkout-started-count"): (
            f"{prefix.replace('_', ' ').title()}Checkout Started (count)",
            f"{prefix}checkout_started",
            "conversion, count",
            True,
        ),
        key("order-completed"): ("Order Completed", f"{prefix}order_completed", "conversion, binary", False),
        key("order-completed-average"): (
            "Order Completed: revenue (average)",
            f"{prefix}order_completed",
            "numeric, average, USD",
            False,
        ),
    }


@click.command()
def demo() -> None:
    """Run the main job and show the metrics it made.

    Against the sandbox, or, with LAUNCHDARKLY_API_KEY and LAUNCHDARKLY_PROJECT_KEY set, against the real LaunchDarkly
    (whose metrics it deletes again). Exit code 0 only if every answer and every metric is as it must be.
    """
    real = bool(os.environ.get("LAUNCHDARKLY_API_KEY") and os.environ.get("LAUNCHDARKLY_PROJECT_KEY"))
    api_key = os.environ["LAUNCHDARKLY_API_KEY"] if real else "api-demo"
    project = os.environ["LAUNCHDARKLY_PROJECT_KEY"] if real else "demo"
    base_url = os.environ.get("LAUNCHDARKLY_BASE_URL", DEFAULT_BASE_URL)
    # On a customer's own project the demo's metrics must not meet theirs.
    prefix = f"demo_{secrets.token_hex(3)}_" if real else ""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="connector-demo-")))
        (directory / "rules.toml").write_text(RULES)
        environment = _environment(directory)
        if not real:
            base_url = stack.enter_context(_sandbox(environment))
            click.echo(f"The sandbox stands in for LaunchDarkly at {base_url}")
        url, secret = _add_connection(environment, api_key, project, base_url)
        address = stack.enter_context(_server(environment))
        click.echo(f"The connector listens at {address}\n")
        client = LaunchDarkly(api_key, base_url=base_url, user_agent=f"metrics-demo-int/{__version__}")
        try:
            wrong = _send_all(_steps(prefix), address + url, secret)
            click.echo()
            wrong += _look(client, project, prefix)
        finally:
            if real:
                _clean_up(client, project, prefix)
    if wrong:
        raise click.ClickException("Not as it must be: " + "; ".join(wrong))
    click.echo("\nEvery answer and every metric is as it must be.")


def _environment(directory: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CONNECTOR_", "LAUNCHDARKLY_"))}
    return kept | {
        "CONNECTOR_DATABASE_URL": f"sqlite:///{directory / 'connector.db'}",
        "CONNECTOR_RULES": str(directory / "rules.toml"),
        "CONNECTOR_RESPOND_WITHIN": "10",
    }


@contextmanager
def _process(environment: Mapping[str, str], *arguments: str) -> Iterator[subprocess.Popen[str]]:
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "connector", *arguments],
            env=dict(environment),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        try:
            yield process
        except Exception:
            process.terminate()
            process.wait(15)
            log.seek(0)
            click.echo(log.read(), err=True)
            raise
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def _sandbox(environment: Mapping[str, str]) -> Iterator[str]:
    port = free_port()
    with _process(environment, "sandbox", "--port", str(port)) as process:
        url = f"http://127.0.0.1:{port}"
        _await(url + "/sandbox/", process)
        yield url


@contextmanager
def _server(environment: Mapping[str, str]) -> Iterator[str]:
    port = free_port()
    with _process(environment, "serve", "--bind", f"127.0.0.1:{port}") as process:
        url = f"http://127.0.0.1:{port}"
        _await(url + "/readyz", process)
        yield url


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await(url: str, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if requests.get(url, timeout=2).ok:
                return
        except requests.RequestException:
            time.sleep(0.05)
    raise click.ClickException(f"{url} did not come up.")


def _add_connection(environment: Mapping[str, str], api_key: str, project: str, base_url: str) -> tuple[str, str]:
    added = subprocess.run(  # noqa: S603 - our own command
        [
            *(sys.executable, "-m", "connector", "connections", "add", "--json"),
            *("--name", "demo", "--project", project, "--base-url", base_url),
        ],
        env=dict(environment) | {"LAUNCHDARKLY_API_KEY": api_key},
        capture_output=True,
        text=True,
        check=False,
    )
    if added.returncode:
        raise click.ClickException(added.stderr.strip())
    told = json.loads(added.stdout)
    return f"/webhooks/{told['endpoint_id']}", told["secret"]


def _send_all(steps: Sequence[_Step], url: str, secret: str) -> list[str]:
    sent: dict[str, bytes] = {}
    wrong, rows = [], []
    for step in steps:
        now = time.time()
        payload = WEBHOOK.compose(step.type, step.data, datetime.fromtimestamp(now, UTC))
        body = sent.setdefault(step.message_id, json.dumps(payload).encode())  # the same message has the same bytes
        headers = WEBHOOK.scheme.sign(body, secret, step.message_id, now)
        if step.forged:
            body = body.replace(b"evt_1", b"evt_9")
        response = requests.post(url, data=body, headers=headers | {"Content-Type": "application/json"}, timeout=30)
        answer = response.json()
        changes = answer.get("changes", [])
        outcomes = [change["outcome"] for change in changes]
        as_expected = response.status_code == step.status and outcomes == list(step.outcomes)
        if not as_expected:
            wrong.append(f"{step.what}: {response.status_code} {outcomes}")
        metrics = ", ".join(metric["key"] for change in changes for metric in change["metrics"])
        duplicate = " (duplicate)" if answer.get("duplicate") else ""
        rows.append(
            (step.what, step.type, response.status_code, ", ".join(outcomes) + duplicate or answer.get("code"), metrics)
        )
    print_table(("what came in", "type", "answer", "outcome", "metrics"), rows, title="Webhooks")
    return wrong


def _look(client: LaunchDarkly, project: str, prefix: str) -> list[str]:
    found = {
        metric["key"]: (
            metric.get("name", ""),
            metric.get("eventKey", ""),
            _kind(metric),
            bool(metric.get("archived")),
        )
        for metric in client.list_metrics(project)
        if not prefix or metric.get("eventKey", "").startswith(prefix)
    }
    rows = [(key, *values[:3], "archived" if values[3] else "") for key, values in sorted(found.items())]
    print_table(("metric", "name", "event key", "kind", ""), rows, title="In LaunchDarkly now")
    expected = _expected(prefix)
    return [
        f"metric {key}: {found.get(key)} and not {expected.get(key)}"
        for key in sorted(found.keys() | expected.keys())
        if found.get(key) != expected.get(key)
    ]


def _kind(metric: Mapping[str, Any]) -> str:
    aggregation = metric.get("unitAggregationType", "average")
    if metric.get("isNumeric"):
        return f"numeric, {aggregation}, {metric.get('unit')}"
    return "conversion, count" if aggregation == "sum" else "conversion, binary"


def _clean_up(client: LaunchDarkly, project: str, prefix: str) -> None:
    made = [metric["key"] for metric in client.list_metrics(project) if metric.get("eventKey", "").startswith(prefix)]
    for key in made:
        client.delete_metric(project, key)
    click.echo(f"Deleted {len(made)} metrics of the demo from project {project}.")
