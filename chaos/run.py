"""One run: everything is started, the stream is sent while everything dies, and the end is judged."""

from __future__ import annotations

import secrets
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import Engine, create_engine

from chaos import mortality
from chaos.histories import Message, generate
from chaos.partner import Endpoint, Partner
from chaos.services import CONNECTOR, FullDisk, Postgres, Redis, Sandbox, Service, command, connect, free_port
from chaos.verdict import Verdict, judge, pending

_APPLIERS = 2
_FULL_FOR = 3.0
_KILL_EVERY = 2.5
_CALAMITY_EVERY = 25
"""Seconds that the disk is full, seconds between kills on average, and kills between two full disks or restarts."""

_FAULTS: Mapping[str, tuple[float, Mapping[str, Any]]] = {
    "error-503": (4, {}),
    "error-500": (3, {}),
    "reset": (3, {}),
    "answer-lost": (4, {}),
    "conflict": (2, {}),
    "garbage": (1, {}),
    "content-type": (1, {}),
    "hold": (1, {"seconds": 1.5}),
    "slow-body": (1, {"seconds": 0.5}),
    "rate-limit-global": (0.1, {}),
    "rate-limit-route": (0.1, {}),
    "rate-limit-token": (0.1, {}),
    "rate-limit-ip": (0.1, {}),
}
"""How often each fault strikes in proportion to the others. A refusal by rate limit rests the whole account
for seconds, and with it the run."""


@dataclass(frozen=True)
class Plan:
    """What a run does.

    `broker` takes PostgreSQL, and lets two workers apply what the receiver stores: `redis` is one of the run's own, the
    URL of any other is used and never restarted. `faults` is the share of LaunchDarkly's answers that are faulty,
    `skew` how many seconds the connector's clock is off, `limit` and `drain` the most seconds for the stream and for
    the rest after it.
    """

    store: str = "sqlite"
    broker: str | None = None
    changes: int = 5000
    kills: int = 200
    faults: float = 0.22
    seed: int = 1
    connections: int = 4
    skew: float = -240.0
    limit: float = 2400.0
    drain: float = 600.0


@dataclass(frozen=True, slots=True)
class Report:
    plan: Plan
    verdict: Verdict
    accepted: int
    event_types: int
    answers: Mapping[str, int]
    kills: Mapping[str, int]
    calamities: int
    calls: int
    struck: Mapping[str, int]
    seconds: float
    drained: float

    @property
    def faulty(self) -> float:
        return sum(self.struck.values()) / max(1, self.calls)

    @property
    def complete(self) -> bool:
        plan = self.plan
        killed = sum(self.kills.values())
        return self.accepted == plan.changes and killed >= plan.kills and self.faulty >= 0.9 * plan.faults

    @property
    def good(self) -> bool:
        """Whether the run did all that was planned, and nothing was lost, doubled or stuck."""
        return self.verdict.good and self.complete

    def lines(self) -> list[str]:
        broker = "" if self.plan.broker is None else f" and {self.plan.broker.partition(':')[0]}"
        calamity = "full disks" if self.plan.store == "sqlite" else "restarts of the database"
        calamity += " and of Redis" if self.plan.broker == "redis" else ""
        return [
            f"{self.plan.store}{broker}, seed {self.plan.seed}, clock off by {self.plan.skew:+g} s",
            f"{self.accepted:,} changes of {self.event_types:,} event types accepted in {self.seconds:.0f} s",
            f"everything done {self.drained:.0f} s after that",
            f"the partner's answers: {_counts(self.answers)}",
            f"{sum(self.kills.values())} processes killed: {_counts(self.kills)}",
            f"{self.calamities} {calamity}",
            f"{self.calls:,} calls to LaunchDarkly, {self.faulty:.1%} answered faultily: {_counts(self.struck)}",
            f"outcomes: {_counts(self.verdict.outcomes)}",
            *([] if self.complete else ["the run ended before all of its changes, kills and faults were reached"]),
            *self.verdict.lines(),
        ]


def _counts(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counted.items(), key=lambda item: -item[1]))


class _Reaper:
    """Kills from outside, brings calamities, starts again what died."""

    def __init__(self, plan: Plan, connector: _Connector, control: Path, backends: Sequence[Postgres | Redis]) -> None:
        self._plan = plan
        self._connector = connector
        self._deaths = control / mortality.DEATHS
        self._mercy = control / mortality.MERCY
        self._backends = backends
        self._dice = Random(f"{plan.seed}/reaper")
        self._killed: Counter[str] = Counter()
        self.calamities = 0

    def kills(self) -> Counter[str]:
        """All deaths so far, by whom or where."""
        lines = self._deaths.read_text().splitlines() if self._deaths.exists() else []
        return self._killed + Counter(f"at {point!r}" for point in lines)

    def reap(self, due: Callable[[int], bool], done: Callable[[], bool]) -> None:
        """Kill as long as `due` says that after so many kills another one is, until all is `done`."""
        next_kill = time.monotonic() + 1.0
        while not done():
            self._connector.ensure()
            if not due(self.kills().total()):
                self._mercy.touch()
                time.sleep(0.1)
                continue
            self._mercy.unlink(missing_ok=True)
            if self.kills().total() >= (self.calamities + 0.5) * min(_CALAMITY_EVERY, self._plan.kills):
                self._calamity()
                self.calamities += 1
            if time.monotonic() >= next_kill:
                self._kill()
                next_kill = time.monotonic() + self._dice.expovariate(1 / _KILL_EVERY)
            time.sleep(0.1)

    def _kill(self) -> None:
        if self._connector.appliers and self._dice.random() < 0.6:
            killed, whom = self._dice.choice(self._connector.appliers).kill("all"), "applier"
        else:
            whom = self._dice.choices(["worker", "all", "master"], [6, 2, 1])[0]
            killed = self._connector.receiver.kill(whom)
        self._killed += Counter({f"{whom} from outside": killed})

    def _calamity(self) -> None:
        for backend in self._backends:
            backend.restart()
        if not self._backends:
            receiver = self._connector.receiver
            receiver.wait()
            with FullDisk(receiver.workers()):
                time.sleep(_FULL_FOR)


@dataclass(frozen=True, slots=True)
class _Connector:
    """The processes that die. `appliers` are the workers beside the receiver, where there is a broker."""

    receiver: Service
    appliers: Sequence[Service]
    endpoints: Sequence[Endpoint]

    def ensure(self) -> None:
        for service in (self.receiver, *self.appliers):
            service.ensure()

    def stop(self) -> None:
        for service in (self.receiver, *self.appliers):
            service.stop()


def run(plan: Plan, directory: Path) -> Report:
    """Carry out `plan` with all files in `directory`. Ends every process that it started."""
    control = directory / "control"
    control.mkdir()
    stream, expected = generate(plan.seed, changes=plan.changes, connections=plan.connections)
    projects = [f"project-{number}" for number in range(plan.connections)]
    with ExitStack() as stack:
        backends, environment = _backends(plan, directory, stack)
        environment |= {
            "CONNECTOR_RESPOND_WITHIN": "0.3",
            "CONNECTOR_TAKE_OVER_AFTER": "5",
            "CHAOS_CONTROL": str(control),
            "CHAOS_SEED": str(plan.seed),
            "CHAOS_SKEW": str(plan.skew),
        }
        sandbox = Sandbox(directory, projects, plan.seed)
        stack.callback(sandbox.service.stop)
        sandbox.service.wait()
        connector = _connector(environment, directory, sandbox, projects)
        stack.callback(connector.stop)
        connector.ensure()
        connector.receiver.wait()
        sandbox.play(_faults(plan.faults))

        partner = Partner(connector.endpoints, plan.seed)
        reaper = _Reaper(plan, connector, control, backends)
        seconds = _storm(plan, stream, partner, reaper)

        (control / mortality.MERCY).touch()
        struck, calls = sandbox.struck(), sandbox.calls()
        sandbox.play([])
        connector.receiver.wait()
        engine = create_engine(environment["CONNECTOR_DATABASE_URL"])
        stack.callback(engine.dispose)
        drained = _drain(engine, connector, plan.drain)
        return Report(
            plan=plan,
            verdict=judge(engine, partner.accepted, expected, [sandbox.metrics(project) for project in projects]),
            accepted=len(partner.accepted),
            event_types=len(expected),
            answers=partner.answers,
            kills=reaper.kills(),
            calamities=reaper.calamities,
            calls=calls,
            struck=struck,
            seconds=seconds,
            drained=drained,
        )


def _backends(plan: Plan, directory: Path, stack: ExitStack) -> tuple[Sequence[Postgres | Redis], dict[str, str]]:
    """What is started beside the connector and restarted with it, and the connector's settings for it."""
    if plan.store == "sqlite":
        return (), {"CONNECTOR_DATABASE_URL": f"sqlite:///{directory}/instance/connector.db"}
    postgres = Postgres(directory)
    stack.callback(postgres.stop)
    environment = {
        "CONNECTOR_DATABASE_URL": postgres.url,
        "CONNECTOR_ENCRYPTION_KEYS": command({}, "keys", "generate").strip(),
    }
    command(environment, "db", "upgrade")
    if plan.broker is None:
        return (postgres,), environment
    environment["CONNECTOR_BROKER_QUEUE"] = f"chaos-{secrets.token_hex(6)}"
    if plan.broker != "redis":
        return (postgres,), environment | {"CONNECTOR_BROKER_URL": plan.broker}
    redis = Redis(directory)
    stack.callback(redis.service.stop)
    return (postgres, redis), environment | {"CONNECTOR_BROKER_URL": redis.url}


def _connector(
    environment: Mapping[str, str], directory: Path, sandbox: Sandbox, projects: Sequence[str]
) -> _Connector:
    """Ready to be started, with a connection for each project."""
    bind = f"127.0.0.1:{free_port()}"
    environment = {**environment, "CONNECTOR_BASE_URL": f"http://{bind}"}
    endpoints = [Endpoint(*connect(environment, sandbox.url, project)) for project in projects]
    configuration = str(Path(__file__).with_name("receiver.py"))
    serve = (*CONNECTOR, "serve", "--bind", bind, "--config", configuration)
    work = (sys.executable, "-m", "chaos.worker", "worker")
    return _Connector(
        Service(environment, directory / "receiver.log", f"http://{bind}/readyz", *serve),
        [
            Service(environment, directory / f"worker-{number}.log", None, *work)
            for number in range(_APPLIERS if "CONNECTOR_BROKER_URL" in environment else 0)
        ],
        endpoints,
    )


def _storm(plan: Plan, stream: Sequence[Message], partner: Partner, reaper: _Reaper) -> float:
    """Send everything while everything dies; how many seconds it took."""
    started = time.monotonic()
    sent = threading.Event()

    # The stream and the deaths keep pace with one another, so that these fall on all of it, however fast the machine.
    def may_send(number: int) -> bool:
        return number * plan.kills < (reaper.kills().total() + 2) * len(stream)

    def due(kills: int) -> bool:
        return sent.is_set() or kills * len(stream) < (partner.done + 1) * plan.kills + len(stream)

    def send() -> None:
        try:
            partner.send(stream, may_send, started + plan.limit)
        finally:
            sent.set()

    sending = threading.Thread(target=send, name="partner")
    sending.start()
    try:
        reaper.reap(
            due,
            lambda: sent.is_set() and (reaper.kills().total() >= plan.kills or time.monotonic() > started + plan.limit),
        )
    finally:
        partner.stop()
        sending.join()
    return time.monotonic() - started


def _drain(engine: Engine, connector: _Connector, limit: float) -> float:
    """Let the receiver finish what it has accepted; how many seconds it took, `limit` at most."""
    started = time.monotonic()
    while pending(engine) and time.monotonic() < started + limit:
        connector.ensure()
        time.sleep(0.2)
    return time.monotonic() - started


def _faults(share: float) -> list[dict[str, Any]]:
    """Each fault's probability, such that `share` of all answers are struck by one of them, the first that does."""
    total = sum(weight for weight, _ in _FAULTS.values())
    spared = 1.0
    faults = []
    for kind, (weight, options) in _FAULTS.items():
        probability = share * weight / total
        faults.append({"kind": kind, "probability": probability / spared, **options})
        spared -= probability
    return faults
