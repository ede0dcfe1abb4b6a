"""What a process needs to start and to live: time, memory, and whether memory grows."""

from __future__ import annotations

import compileall
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.figures import Figure, Given
from benchmarks.processes import (
    await_answer,
    connector,
    family_bytes,
    instant_launchdarkly,
    memory_bytes,
    process,
)
from connector.cli.demo import free_port

_SECTION = "Processes"
SOAKING = 20.0
"""Webhooks a second."""

SETTLED = 0.5
"""The share of a soak after which threads have started and caches are full; memory's slope is taken from there on."""

BURST = 32
"""Connections that send as fast as they are answered before a soak, so that every thread and connection is there that
the settings allow: those come one by one where they must, and each takes memory once."""

_SAMPLES = 240
_PACKAGE = Path(__file__).parent.parent / "connector"


def run(given: Given, directory: Path) -> Iterator[Figure]:
    compileall.compile_dir(_PACKAGE, quiet=1)  # as pip does with what it installs
    yield Figure(
        _SECTION, "start to ready", "ms", [_start(directory, each) for each in range(given.rounds)], 700, at_most=True
    )
    cold = [_import("connector.serverless") for _ in range(given.rounds)]
    yield Figure(_SECTION, "Lambda's cold import of connector.serverless", "ms", cold, 800, at_most=True)
    yield from _soak(given, directory)


def _start(directory: Path, turn: int) -> float:
    """Milliseconds from the command to a ready answer, on a new SQLite file."""
    port, home = free_port(), directory / f"start{turn}"
    home.mkdir()
    environment = {"CONNECTOR_DATABASE_URL": f"sqlite:///{home}/connector.db"}
    began = time.perf_counter()
    with process(
        [sys.executable, "-m", "connector", "serve", "--bind", f"127.0.0.1:{port}"], home / "log", environment
    ):
        await_answer(f"http://127.0.0.1:{port}/readyz", home / "log")
        return (time.perf_counter() - began) * 1000


def _import(module: str) -> float:
    """Milliseconds of a fresh interpreter that imports the module and ends."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
    return (time.perf_counter() - began) * 1000


def _soak(given: Given, directory: Path) -> Iterator[Figure]:
    """A steady load with everything at work; of memory, the largest and the slope once it has settled."""
    with (
        instant_launchdarkly(directory) as launchdarkly,
        connector(directory / "soak", launchdarkly, respond_within=2) as ours,
    ):
        ours.load(BURST, given.soak / 60, warm_up=0.0).check("200", "201", "202")
        samples: list[tuple[float, int]] = []
        over = threading.Event()

        def watch() -> None:
            while not over.wait(given.soak / _SAMPLES):
                samples.append((time.monotonic(), memory_bytes(ours.pid)))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            ours.load(8, given.soak, SOAKING, warm_up=0.0).check("200", "201", "202")
        finally:
            over.set()
            watcher.join()
        together = family_bytes(ours.pid) / 1e6
        settled = samples[int(SETTLED * len(samples)) :]
        largest = max(size for _, size in samples) / 1e6
        yield Figure(_SECTION, "memory of the process that serves", "MB", [largest], 110, at_most=True)
        yield Figure(_SECTION, "memory with its master, what both share counted once", "MB", [together])
        note = f"the last {_minutes(settled):.3g} of {_minutes(samples):.3g} minutes at {SOAKING:g} webhooks a second"
        slope = _slope(settled) * 3600 / 1e6
        yield Figure(_SECTION, "soak: memory's slope", "MB an hour", [slope], 1, at_most=True, note=note)


def _minutes(samples: Sequence[tuple[float, int]]) -> float:
    return (samples[-1][0] - samples[0][0]) / 60


def _slope(samples: Sequence[tuple[float, int]]) -> float:
    """Bytes a second, by least squares."""
    middle_at = sum(at for at, _ in samples) / len(samples)
    middle = sum(size for _, size in samples) / len(samples)
    spread = sum((at - middle_at) ** 2 for at, _ in samples)
    return sum((at - middle_at) * (size - middle) for at, size in samples) / spread if spread else 0.0
