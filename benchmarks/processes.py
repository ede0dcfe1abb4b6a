"""The processes that are measured, on free ports of the loopback: started, awaited, looked at, ended."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import requests

from benchmarks.load import Answers, Load
from connector.cli.demo import free_port
from connector.connections import NewConnection
from connector.installation import open_installation
from connector.settings import Settings
from connector.store import connections
from connector.store.connections import ConnectionState

UP_WITHIN = 60.0
_TICKS = os.sysconf("SC_CLK_TCK")
_ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Receiver:
    """Something that takes webhooks: where, with which secret, and the process that does it."""

    name: str
    url: str
    secret: str = field(repr=False)
    pid: int

    def load(self, connections: int, seconds: float, rate: float | None = None, warm_up: float = 1.0) -> Answers:
        """What it answers to a load from a process of its own."""
        plan = Load(self.url, self.secret, connections, seconds, rate, warm_up)
        sender = subprocess.run(
            [sys.executable, "-m", "benchmarks.load"],
            input=json.dumps(asdict(plan)),
            stdout=subprocess.PIPE,
            text=True,
            check=False,
            cwd=_ROOT,
        )
        if sender.returncode:
            raise SystemExit(f"the sender to {self.name} failed")
        return Answers(**json.loads(sender.stdout))


@contextmanager
def process(arguments: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> Iterator[int]:
    """A process that runs while the context does; its pid."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CONNECTOR_", "LAUNCHDARKLY_"))}
    with log.open("ab") as output:
        running = subprocess.Popen(
            arguments,
            env=kept | dict(environment or {}),
            stdout=output,
            stderr=output,
            cwd=_ROOT,
            start_new_session=True,
        )
    try:
        yield running.pid
    finally:
        running.terminate()
        try:
            running.wait(30)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def await_answer(url: str, log: Path, expected: Sequence[int] = (200, 401, 403, 404, 405)) -> None:
    """Wait until the URL answers. Raises `SystemExit` with the end of the process's log."""
    deadline = time.monotonic() + UP_WITHIN
    while time.monotonic() < deadline:
        try:
            if requests.get(url, timeout=5).status_code in expected:
                return
        except requests.RequestException:
            time.sleep(0.02)
    raise SystemExit(f"{url} did not come up: {log.read_text(errors='replace')[-2000:]}")


def await_log(said: str, log: Path) -> None:
    """Wait until a process has said this. Raises `SystemExit` with the end of its log."""
    deadline = time.monotonic() + 2 * UP_WITHIN
    while said not in log.read_text(errors="replace"):
        if time.monotonic() > deadline:
            raise SystemExit(f"did not come up: {log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.1)


@contextmanager
def instant_launchdarkly(directory: Path, latency: float = 0.0) -> Iterator[str]:
    log = directory / "launchdarkly.log"
    with process([sys.executable, "-m", "benchmarks.instant", "--latency", str(latency)], log):
        deadline = time.monotonic() + UP_WITHIN
        while not (said := log.read_text()).endswith("\n"):
            if time.monotonic() > deadline:
                raise SystemExit("the instant LaunchDarkly did not come up")
            time.sleep(0.02)
        yield said.split()[0]


@contextmanager
def sandbox(directory: Path) -> Iterator[str]:
    port, log = free_port(), directory / "sandbox.log"
    with process([sys.executable, "-m", "connector", "sandbox", "--port", str(port)], log):
        await_answer(f"http://127.0.0.1:{port}/sandbox/", log)
        yield f"http://127.0.0.1:{port}"


@contextmanager
def connector(
    directory: Path, launchdarkly: str, *, respond_within: float, paused: bool = False, **settings: str
) -> Iterator[Receiver]:
    """`connector serve` on SQLite with one connection; while that is paused, webhooks are stored and not applied."""
    directory.mkdir(parents=True, exist_ok=True)
    port, log = free_port(), directory / "connector.log"
    environment = {
        "CONNECTOR_DATABASE_URL": f"sqlite:///{directory}/connector.db",
        "CONNECTOR_RESPOND_WITHIN": str(respond_within),
        "CONNECTOR_ENDPOINT_RATE": "1000000",
        **settings,
    }
    logging.getLogger("connector").setLevel(logging.ERROR)  # that it made a key is no news here
    installation = open_installation(Settings.from_environment(environment))
    try:
        added = installation.connections.add(
            NewConnection("bench", "standard", "demo", "api-demo", base_url=launchdarkly)
        )
        if paused:
            connection = replace(added.connection, state=ConnectionState.PAUSED)
            installation.database.write(lambda tx: connections.set_state(tx, connection.id, connection.state))
    finally:
        installation.close()
    serve = [sys.executable, "-m", "connector", "serve", "--bind", f"127.0.0.1:{port}"]
    with process(serve, log, environment) as pid:
        await_answer(f"http://127.0.0.1:{port}/readyz", log)
        url = f"http://127.0.0.1:{port}/webhooks/{added.connection.endpoint_id}"
        yield Receiver("connector", url, added.secret or "", pid)


@contextmanager
def flask_peer(name: str, directory: Path, launchdarkly: str, secret: str) -> Iterator[Receiver]:
    """`peers/{name}.py` under the connector's own settings of gunicorn."""
    port, log = free_port(), directory / f"{name}.log"
    gunicorn = [sys.executable, "-m", "gunicorn", "--config", "python:benchmarks.peers.gunicorn_settings"]
    environment = {"BENCH_SECRET": secret, "BENCH_LAUNCHDARKLY": launchdarkly}
    with process([*gunicorn, "--bind", f"127.0.0.1:{port}", f"benchmarks.peers.{name}:app"], log, environment) as pid:
        await_answer(f"http://127.0.0.1:{port}/", log)
        yield Receiver(name, f"http://127.0.0.1:{port}/webhooks/bench", secret, pid)


def family(pid: int) -> list[int]:
    """The process and its descendants."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*"):
            found += map(int, (task / "children").read_text().split())
    return found


def cpu_seconds(pid: int) -> float:
    """Processor time of the process and its descendants so far."""
    used = 0
    for member in family(pid):
        fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        used += sum(map(int, fields[11:15]))
    return used / _TICKS


def memory_bytes(pid: int) -> int:
    """Resident memory of the process that serves: the youngest of its family, which is gunicorn's worker."""
    return _kept(family(pid)[-1])["Rss"]


def family_bytes(pid: int) -> int:
    """Resident memory of the process and its descendants: what they have for themselves, and the files mapped once.

    A page that a fork left to several counts once. Files are not divided so, as strangers map the same libraries.
    """
    members = [_kept(member) for member in family(pid)]
    return sum(each["Pss_Anon"] for each in members) + max(each["Rss"] - each["Anonymous"] for each in members)


def _kept(pid: int) -> dict[str, int]:
    """Source: https://www.kernel.org/doc/html/latest/filesystems/proc.html, smaps_rollup."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {name: int(size.split()[0]) * 1024 for name, _, size in (line.partition(":") for line in lines)}
