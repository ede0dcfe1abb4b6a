"""Seeded random requests, as many as the cores can judge. It must never know what a target does."""

from __future__ import annotations

import multiprocessing
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from fuzz.choices import Seeded
from fuzz.dialects import dialects
from fuzz.findings import judge
from fuzz.readers import listers
from fuzz.reports import Report, total

# The verifiers are what everybody can reach; behind them stand only those who hold a secret.
_WHEEL = ("read", *["verify"] * 8, "list", *["verify"] * 5, "read", *["verify"] * 4)


def run(seed: int, processes: int, runs: int | None, seconds: float | None, findings: Path) -> Report:
    """Requests until there were `runs` in all or `seconds` are over.

    The same seed makes the same requests, but for RSA keys, which each process makes anew.
    """
    share = None if runs is None else -(-runs // processes)
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        shares = [pool.submit(run_share, seed + number, share, seconds, findings) for number in range(processes)]
        return total(each.result() for each in shares)


def run_share(seed: int, runs: int | None, seconds: float | None, findings: Path) -> Report:
    """What one process does."""
    report, choices = Report(), Seeded(seed)
    dialects(), listers()  # with their keys, before the clock starts
    start, done = time.monotonic(), 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nobody reads a warning in production: here, it is a finding
        while (runs is None or done < runs) and (seconds is None or time.monotonic() - start < seconds):
            target = _WHEEL[done % len(_WHEEL)]
            judge(target, choices, report.tallies[target], findings)
            done += 1
    report.seconds = time.monotonic() - start
    return report
