"""All targets under the coverage-guided fuzzer, beside each other. It must never know what a target does."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fuzz.reports import REQUESTS, Report, total
from fuzz.targets import EXCEPTIONS, TARGETS

_EDGES = re.compile(r"\bcov: (\d+)")


def run(seed: int, runs: int | None, seconds: float | None, findings: Path) -> Report:
    """Requests until each target had its share of `runs`, or `seconds` are over."""
    share = None if runs is None else -(-runs // len(TARGETS))
    findings.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor(len(TARGETS)) as pool:
        told = Path(directory)
        reports = pool.map(lambda target: _bred(target, seed, share, seconds, findings, told), TARGETS)
        return total(reports)


def _bred(target: str, seed: int, runs: int | None, seconds: float | None, findings: Path, directory: Path) -> Report:
    told = directory / target
    given = {"target": target, "seed": seed, "runs": runs, "seconds": seconds}
    arguments = json.dumps({**given, "findings": str(findings), "told": str(told)})
    command = [sys.executable, "-m", "fuzz.breeding", arguments]
    ended = subprocess.run(command, capture_output=True, check=False)
    said = ended.stderr.decode("utf-8", "replace")
    report = Report()
    if ended.returncode or not told.exists():
        # A crash or a hang, of which libFuzzer has kept the input.
        (findings / f"{target}-ended.txt").write_text(said)
        report.tallies[target] = {REQUESTS: 0, EXCEPTIONS: 1}
        return report
    result = json.loads(told.read_text())
    report.tallies[target], report.seconds = result["tally"], result["seconds"]
    report.coverage[target] = max(map(int, _EDGES.findall(said)), default=0)
    return report
