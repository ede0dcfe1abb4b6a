"""A thin webhook starts a refresh from the partner's list API: through the inbox, into LaunchDarkly."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, jsonify, request
from werkzeug.serving import make_server

from connector.app import create_app
from connector.connections import NewConnection
from connector.sandbox import SandboxConfig, create_sandbox
from connector.settings import Settings

SECRET = "a-shared-secret-of-32-characters"
AUDIT = Path(__file__).parents[2] / "fixtures/partners/segment/tracking_plan_modified.json"


@pytest.fixture
def serving() -> Iterator[Any]:
    servers = []

    def serve(app: Flask) -> str:
        server = make_server("127.0.0.1", 0, app, threaded=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield serve
    for server in servers:
        server.shutdown()


@dataclass
class TrackingPlan:
    """Segment's rules API as it is documented: pages by cursor, a bearer token."""

    rules: list[dict[str, Any]] = field(default_factory=list)
    failures: list[int] = field(default_factory=list)

    def app(self) -> Flask:
        app = Flask("segment")

        @app.get("/tracking-plans/tp_1/rules")
        def rules() -> Any:
            if self.failures:
                return jsonify(error="not now"), self.failures.pop()
            if request.headers.get("Authorization") != "Bearer t-1":
                return jsonify(error="who?"), 401
            cursor = int(request.args.get("pagination.cursor", "0"))
            following = str(cursor + 2) if cursor + 2 < len(self.rules) else None
            pagination = {"current": str(cursor), "next": following, "totalEntries": len(self.rules)}
            return jsonify(data={"rules": self.rules[cursor : cursor + 2], "pagination": pagination})

        return app

    def define(self, *keys: str) -> None:
        dates = {"createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z"}
        self.rules = [{"type": "TRACK", "key": key, "version": 1, "jsonSchema": {}, **dates} for key in keys]


@dataclass
class World:
    client: Any
    connections: Any
    connection: Any
    sandbox: Any
    plan: TrackingPlan
    api: str
    sent: int = 0

    def send(self) -> dict[str, Any]:
        from connector.partners import Partners  # noqa: PLC0415

        webhook = Partners().get("segment").webhook
        assert webhook is not None
        self.sent += 1
        payload = json.loads(AUDIT.read_text()) | {"messageId": f"api-{self.sent}"}
        body = json.dumps(payload).encode()
        response = self.client.post(
            f"/webhooks/{self.connection.endpoint_id}",
            data=body,
            headers=webhook.scheme.sign(body, SECRET, "", 0.0),
            content_type="application/json",
        )
        return response.get_json() | {"status": response.status_code}

    def metrics(self) -> dict[str, bool]:
        found = self.sandbox.get("/sandbox/metrics/demo").get_json()
        return {metric["key"]: metric["archived"] for metric in found}

    def finished(self, delivery: str) -> list[tuple[str, str | None]]:
        """The outcomes once everything that the refresh found is applied."""
        wired = self.client.application.extensions["connector"]
        assert wired.runner.wait(delivery, 10)
        from connector.store import history  # noqa: PLC0415

        with wired.installation.database.read() as tx:
            return [(change.kind, change.outcome) for change in history.changes_of(tx, [delivery])[delivery]]


@pytest.fixture
def world(tmp_path: Path, serving: Any) -> Iterator[World]:
    sandbox = create_sandbox(SandboxConfig())
    plan = TrackingPlan()
    app = create_app(Settings(database_url=f"sqlite:///{tmp_path}/connector.db", respond_within=10, cache_seconds=0))
    wired = app.extensions["connector"]
    added = wired.installation.connections.add(
        NewConnection("acme", "segment", "demo", "api-demo", base_url=serving(sandbox), secret=SECRET)
    )
    yield World(
        app.test_client(),
        wired.installation.connections,
        added.connection,
        sandbox.test_client(),
        plan,
        serving(plan.app()),
    )
    wired.close()


def test_without_a_credential_it_says_what_is_missing(world):
    answer = world.send()
    (change,) = answer["changes"]
    assert (answer["status"], change["change"], change["outcome"]) == (200, "refresh", "skipped")
    assert "connector connections set-source" in change["reason"]
    assert world.metrics() == {}


def test_with_a_credential_the_plan_is_read_and_compared(world):
    world.connections.set_source(world.connection, {"token": "t-1", "tracking_plan_id": "tp_1", "base_url": world.api})
    world.plan.define("Order Completed", "Signed Up", "Space Modified")
    first = world.send()
    assert world.finished(first["delivery"]) == [("refresh", "updated"), *[("defined", "created")] * 3]
    assert world.metrics() == {"order-completed": False, "signed-up": False, "space-modified": False}

    world.plan.define("Order Completed", "Signed Up", "Space Deleted")
    second = world.send()
    assert sorted(world.finished(second["delivery"])) == [
        ("archived", "archived"),
        ("defined", "created"),
        ("refresh", "updated"),
    ]
    assert world.metrics()["space-modified"] is True

    assert world.finished(world.send()["delivery"]) == [("refresh", "unchanged")]


def test_a_wrong_credential_parks_the_refresh_with_the_next_step(world):
    world.connections.set_source(world.connection, {"token": "t-2", "tracking_plan_id": "tp_1", "base_url": world.api})
    (change,) = world.send()["changes"]
    assert (change["outcome"], change["code"]) == ("parked", "source_refused")
    assert "credential" in change["next_step"]


def test_a_source_that_fails_for_a_moment_is_asked_again(world):
    world.connections.set_source(world.connection, {"token": "t-1", "tracking_plan_id": "tp_1", "base_url": world.api})
    world.plan.define("Order Completed")
    world.plan.failures = [503]
    answer = world.send()
    assert world.finished(answer["delivery"])[0] == ("refresh", "updated")


def test_a_list_that_was_cut_short_empties_nothing(world):
    world.connections.set_source(world.connection, {"token": "t-1", "tracking_plan_id": "tp_1", "base_url": world.api})
    world.plan.define(*(f"Event {number}" for number in range(30)))
    world.finished(world.send()["delivery"])
    world.plan.define("Event 0")
    outcomes = world.finished(world.send()["delivery"])
    assert outcomes == [("refresh", "updated"), *[("archived", "parked")] * 29]
    assert not any(world.metrics().values())
