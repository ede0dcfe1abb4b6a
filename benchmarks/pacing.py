"""How well the connector uses LaunchDarkly's rate limits, and whether one throttled customer slows the others.

    python benchmarks/pacing.py [--event-types 2000] [--limit 400] [--connections 100]

Everything runs on loopback, as the processes that an operator runs, and ends by itself.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from connector.cli.demo import free_port
from connector.connections import NewConnection
from connector.installation import open_installation
from connector.settings import Settings
from connector.signatures import STANDARD_WEBHOOKS

RESERVE = 0.2
WINDOW = 10.0


@contextmanager
def process(url: str, environment: dict[str, str], *arguments: str) -> Iterator[None]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CONNECTOR_", "LAUNCHDARKLY_"))}
    running = subprocess.Popen(
        [sys.executable, "-m", "connector", *arguments],
        env=kept | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 20
        while not _answers(url):
            if running.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"connector {arguments[0]} did not come up")
            time.sleep(0.05)
        yield
    finally:
        running.terminate()
        running.wait(30)


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False


class World:
    """A sandbox and a connector, as processes."""

    def __init__(self, sandbox: str, connector: str, settings: Settings) -> None:
        self.sandbox = sandbox
        self.connector = connector
        self.settings = settings
        self.session = requests.Session()

    def connect(self, name: str, key: str, project: str) -> tuple[str, str]:
        installation = open_installation(self.settings)
        try:
            added = installation.connections.add(NewConnection(name, "standard", project, key, base_url=self.sandbox))
        finally:
            installation.close()
        return f"{self.connector}/webhooks/{added.connection.endpoint_id}", added.secret or ""

    def send(self, url: str, secret: str, type_: str, data: Any) -> requests.Response:
        body = json.dumps({"type": type_, "data": data}).encode()
        headers = STANDARD_WEBHOOKS.sign(body, secret, f"msg_{secrets.token_hex(8)}", time.time())
        return self.session.post(url, data=body, headers=headers | {"Content-Type": "application/json"}, timeout=60)

    def statuses(self) -> Counter[int]:
        return Counter(call["status"] for call in requests.get(f"{self.sandbox}/sandbox/requests", timeout=30).json())


@contextmanager
def world(directory: Path, sandbox_flags: Sequence[str], respond_within: str) -> Iterator[World]:
    sandbox, connector = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    environment = {
        "CONNECTOR_DATABASE_URL": f"sqlite:///{directory}/connector.db",
        "CONNECTOR_RESPOND_WITHIN": respond_within,
        "CONNECTOR_MAX_BODY": str(8 * 1024 * 1024),
    }
    serve = ("serve", "--bind", connector.removeprefix("http://"))
    with (
        process(f"{sandbox}/sandbox/", {}, "sandbox", "--port", sandbox.rpartition(":")[2], *sandbox_flags),
        process(f"{connector}/readyz", environment, *serve),
    ):
        yield World(sandbox, connector, Settings.from_environment(environment))


def share_used(event_types: int, limit: int) -> dict[str, Any]:
    """Import `event_types` by one catalogue under a limit of `limit` calls per window that nobody tells in advance."""
    with (
        tempfile.TemporaryDirectory() as directory,
        world(Path(directory), ("--global-limit", str(limit)), "0") as here,
    ):
        url, secret = here.connect("acme", "api-demo", "demo")
        catalogue = {
            "complete": True,
            "event_types": [{"id": f"e{number}", "key": f"event_{number}"} for number in range(event_types)],
        }
        started = time.monotonic()
        here.send(url, secret, "event_type.catalogue", catalogue).raise_for_status()
        made = 0
        share = int(limit * (1 - RESERVE))
        reached: dict[int, float] = {}  # how many whole shares were used, and when
        while made < event_types and time.monotonic() - started < 30 + 2 * event_types / limit * WINDOW:
            time.sleep(0.2)
            made = here.statuses()[201]
            reached.setdefault(made // share, time.monotonic())
        seconds = time.monotonic() - started
        statuses = here.statuses()
        # From the end of one window's share to the end of the last whole one: what begins and ends the run is no
        # measure, as one burst may use a whole window's share at its first moment.
        first, last = min(share for share in reached if share), max(reached)
        windows = (reached[last] - reached[first]) / WINDOW
        return {
            "event_types": event_types,
            "limit_per_window": limit,
            "made": made,
            "seconds": round(seconds, 1),
            "share_used": round((last - first) / windows, 3) if last > first else None,
            "refused_429": statuses[429],
            "refused_share": round(statuses[429] / statuses.total(), 4),
            "calls": statuses.total(),
        }


def neighbours(connections: int, backlog: int, rounds: int) -> dict[str, Any]:
    """The p99 of webhook to 201 for `connections` customers, without and with one more whose account is throttled."""
    keys = [flag for number in range(connections) for flag in ("--api-key", f"api-{number}")]
    with (
        tempfile.TemporaryDirectory() as directory,
        world(Path(directory), (*keys, "--api-key", "api-busy"), "10") as here,
    ):
        customers = [here.connect(f"customer {number}", f"api-{number}", "demo") for number in range(connections)]
        busy = here.connect("busy", "api-busy", "demo")
        for number, customer in enumerate(customers):  # connections and pools are warm before it counts
            here.send(*customer, "event_type.defined", {"id": f"w{number}", "key": f"warm_{number}"}).raise_for_status()

        def p99(tag: str) -> tuple[float, float]:
            seconds = []
            for turn in range(rounds):
                for number, customer in enumerate(customers):
                    began = time.perf_counter()
                    data = {"id": f"{tag}{turn}", "key": f"{tag}_{turn}_{number}"}
                    here.send(*customer, "event_type.defined", data).raise_for_status()
                    seconds.append(time.perf_counter() - began)
            return statistics.median(seconds), statistics.quantiles(seconds, n=100)[98]

        quiet, loud = [], []
        for turn in range(3):
            quiet.append(p99(f"quiet{turn}"))
            fault = {"kind": "rate-limit-ip", "seconds": 120}
            requests.put(f"{here.sandbox}/sandbox/faults", json=[fault], timeout=5).raise_for_status()
            catalogue = [{"id": f"b{turn}_{number}", "key": f"b{turn}_{number}"} for number in range(backlog)]
            here.send(*busy, "event_type.catalogue", {"complete": False, "event_types": catalogue})
            requests.put(f"{here.sandbox}/sandbox/faults", json=[], timeout=5).raise_for_status()
            loud.append(p99(f"loud{turn}"))
        return {
            "connections": connections,
            "throttled_backlog": backlog,
            "p50_ms_alone": round(statistics.median(each[0] for each in quiet) * 1000, 2),
            "p50_ms_with_one_throttled": round(statistics.median(each[0] for each in loud) * 1000, 2),
            "p99_ms_alone": round(statistics.median(each[1] for each in quiet) * 1000, 2),
            "p99_ms_with_one_throttled": round(statistics.median(each[1] for each in loud) * 1000, 2),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--event-types", type=int, default=2000)
    parser.add_argument("--limit", type=int, default=400)
    parser.add_argument("--connections", type=int, default=100)
    parser.add_argument("--backlog", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["share", "neighbours"])
    given = parser.parse_args()
    figures = {}
    if given.only != "neighbours":
        figures["share"] = share_used(given.event_types, given.limit)
    if given.only != "share":
        figures["neighbours"] = neighbours(given.connections, given.backlog, given.rounds)
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
