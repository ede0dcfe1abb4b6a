"""How fast webhooks are accepted, and how fast they become metrics, beside what an engineer would use instead."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import create_engine, text

from benchmarks import peers
from benchmarks.figures import Figure, Given
from benchmarks.load import Answers
from benchmarks.processes import Receiver, connector, cpu_seconds, flask_peer, instant_launchdarkly, sandbox

ACCEPTING = 32
"""Connections of the closed loop: twice the threads."""

WAITING = 8
"""Connections where each webhook is answered by its outcome: as many as may wait for one at the same time."""

ACCEPT, THROUGH = "Accept: verified and durable before the answer", "End to end: webhook to metric to 201"


def _take_turns(
    given: Given, receivers: Sequence[Receiver], connections: int, *expected: str
) -> dict[str, list[float]]:
    """Answers per second of each, round by round."""
    rates: dict[str, list[float]] = {receiver.name: [] for receiver in receivers}
    for _ in range(given.rounds):
        for receiver in receivers:
            rates[receiver.name].append(receiver.load(connections, given.seconds).check(*expected).rate)
    return rates


def _ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    return [mine / other for mine, other in zip(ours, theirs, strict=True)]


def accept(given: Given, directory: Path) -> Iterator[Figure]:
    """`RESPOND_WITHIN=0`, and a paused connection, so that only accepting is measured, but for the row that says so."""
    with ExitStack() as stack:
        launchdarkly = stack.enter_context(instant_launchdarkly(directory))
        ours = stack.enter_context(connector(directory / "accept", launchdarkly, respond_within=0, paused=True))
        empty = stack.enter_context(flask_peer("empty", directory, launchdarkly, ours.secret))
        rates = _take_turns(given, [ours, empty], ACCEPTING, "202")
        used = [_processor_time(receiver, given) for receiver in (ours, empty)]
        yield Figure(ACCEPT, "connector, closed loop", "/s", rates["connector"])
        yield Figure(ACCEPT, "empty Flask route, closed loop", "/s", rates["empty"], note="same gunicorn settings")
        yield Figure(ACCEPT, "against the empty Flask route", "times", _ratios(*rates.values()), goal=0.6)
        for receiver, seconds in zip((ours, empty), used, strict=True):
            yield Figure(ACCEPT, f"processor time a webhook, {receiver.name}", "µs", [seconds * 1e6])
        steady = 0.7 * statistics.median(rates["connector"])
        opened = [ours.load(ACCEPTING, given.seconds, steady).check("202") for _ in range(given.rounds)]
        yield from _latencies(ACCEPT, "open loop at 70 % of the top rate", opened, p99=20)
    if not given.aside:
        return
    with (
        instant_launchdarkly(directory) as launchdarkly,
        connector(directory / "applying", launchdarkly, respond_within=0) as busy,
    ):
        rate = _take_turns(given, [busy], ACCEPTING, "202")["connector"]
        yield Figure(ACCEPT, "connector, closed loop, while it applies what it accepts", "/s", rate)


def _processor_time(receiver: Receiver, given: Given) -> float:
    """Seconds a webhook, by the kernel's account: unlike a rate it holds on a machine with other work."""
    before = cpu_seconds(receiver.pid)
    answers = receiver.load(ACCEPTING, given.seconds, warm_up=0.0)
    return (cpu_seconds(receiver.pid) - before) / len(answers.latencies)


def _latencies(section: str, name: str, rounds: Sequence[Answers], *, p99: float | None = None) -> Iterator[Figure]:
    yield Figure(section, f"{name}, p50", "ms", [each.quantile(0.5) * 1000 for each in rounds])
    yield Figure(section, f"{name}, p99", "ms", [each.quantile(0.99) * 1000 for each in rounds], goal=p99, at_most=True)


_GOALS = {"naive": 0.8, "node-red": 1.0, "n8n": 20.0}


def end_to_end(given: Given, directory: Path, missing: dict[str, str]) -> Iterator[Figure]:
    """Against a LaunchDarkly that answers at once, the same for all; and ours against the sandbox."""
    with ExitStack() as stack:
        launchdarkly = stack.enter_context(instant_launchdarkly(directory))
        ours = stack.enter_context(connector(directory / "through", launchdarkly, respond_within=30))
        others = [stack.enter_context(flask_peer("naive", directory, launchdarkly, ours.secret))]
        for name, start in peers.FOREIGN.items():
            try:
                others.append(stack.enter_context(start(directory, launchdarkly, ours.secret, given.peers)))
            except peers.NotInstalled as reason:
                missing[name] = str(reason)
        rates = _take_turns(given, [ours, *others], WAITING, "201")
        for name, rate in rates.items():
            yield Figure(THROUGH, f"{name}, closed loop", "/s", rate)
        for other in others:
            ratios = _ratios(rates["connector"], rates[other.name])
            yield Figure(THROUGH, f"against {other.name}", "times", ratios, goal=_GOALS.get(other.name))
        if "node-red" in rates:
            accepting = stack.enter_context(
                connector(directory / "beside", launchdarkly, respond_within=0, paused=True)
            )
            accepted = [accepting.load(ACCEPTING, given.seconds).check("202").rate for _ in range(given.rounds)]
            ratios = _ratios(accepted, rates["node-red"])
            yield Figure(THROUGH, "accept (durable, 202) against node-red end to end", "times", ratios, goal=1.5)
    if not given.aside:
        return
    with sandbox(directory) as real, connector(directory / "sandbox", real, respond_within=30) as ours:
        rates = _take_turns(given, [ours], WAITING, "201")
        yield Figure(THROUGH, "connector, against the sandbox", "/s", rates["connector"], note="on the same two cores")


_QUEUED = "SELECT metric_key, queued_at FROM links JOIN changes ON changes.event_type_id = links.event_type_id"


def wire(given: Given, directory: Path) -> Iterator[Figure]:
    """From the receipt of a webhook (before its commit) to the arrival of its POST, with one webhook at a time."""
    import requests  # noqa: PLC0415 - as late as its only use

    with instant_launchdarkly(directory) as launchdarkly:
        home = directory / "wire"
        with connector(home, launchdarkly, respond_within=30) as ours:
            ours.load(1, 2 * given.seconds, 10.0, warm_up=0.0).check("201")
            arrivals = dict(requests.get(f"{launchdarkly}/arrivals", timeout=30).json())
        engine = create_engine(f"sqlite:///{home}/connector.db")
        with engine.connect() as tx:
            queued = tx.execute(text(_QUEUED)).all()
        engine.dispose()
    waits = Answers(0.0, {}, sorted(arrivals[key] - at for key, at in queued if key in arrivals))
    note = f"{len(waits.latencies)} webhooks, ten a second"
    for share, goal in ((0.5, 10), (0.99, 50)):
        name = f"received to POST on the wire, idle, p{share * 100:.0f}"
        yield Figure(THROUGH, name, "ms", [waits.quantile(share) * 1000], goal=goal, at_most=True, note=note)


SLOW = "LaunchDarkly at 100 ms a call"


def slow(given: Given, directory: Path) -> Iterator[Figure]:
    """One customer, one metric a webhook, and the default of two seconds that an answer waits."""
    with instant_launchdarkly(directory, latency=0.1) as launchdarkly:
        for rate in given.offered:
            with connector(directory / f"slow{rate}", launchdarkly, respond_within=2) as ours:
                answers = ours.load(64, given.seconds, rate).check("201", "202")
            made = answers.statuses.get("201", 0) / len(answers.latencies)
            yield Figure(SLOW, f"{rate} webhooks a second: answered 201", "%", [100 * made])
            yield Figure(SLOW, f"{rate} webhooks a second: p99", "ms", [answers.quantile(0.99) * 1000])
