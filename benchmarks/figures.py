"""What was measured, beside its goal: values, and how they are written down."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table: the median of `rounds`. A `goal` is at least that value, or at most where `at_most`."""

    section: str
    name: str
    unit: str
    rounds: Sequence[float]
    goal: float | None = None
    at_most: bool = False
    note: str = ""

    @property
    def value(self) -> float:
        return statistics.median(self.rounds)

    @property
    def met(self) -> bool | None:
        if self.goal is None:
            return None
        return self.value <= self.goal if self.at_most else self.value >= self.goal


@dataclass(frozen=True, slots=True)
class Given:
    """How long to measure: `seconds` a round, `rounds` of each, `rows` of the largest backlog, `soak` seconds.

    Memory by the hour is not known after a minute or two: the default takes half an hour for it.
    `imported` event types are a catalogue, `offered` the rates of webhooks a second at which a slow LaunchDarkly is
    tried. `aside` also measures what has no goal and needs further processes.
    `peers` is the directory with what `peers/install.sh` installed; None measures those on the path alone.
    """

    seconds: float = 10.0
    rounds: int = 3
    rows: int = 1_000_000
    soak: float = 1800.0
    calls: int = 2000
    imported: int = 10_000
    offered: Sequence[int] = (10, 20, 30, 40, 60, 80)
    aside: bool = True
    peers: Path | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """All figures of a run, and what it ran on; `loads` are the load averages before and after."""

    figures: Sequence[Figure]
    missing: Mapping[str, str] = field(default_factory=dict)
    loads: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {
            "machine": machine() | {"load": dict(self.loads)},
            "missing": dict(self.missing),
            "figures": [
                asdict(figure) | {"rounds": list(figure.rounds), "value": figure.value, "met": figure.met}
                for figure in self.figures
            ],
        }


def machine() -> dict[str, Any]:
    """The machine, the versions and the commit."""
    commit, changed = (_git("rev-parse", "--short", "HEAD"), _git("status", "--porcelain", "connector"))
    distributions = ("flask", "gunicorn", "requests", "marshmallow", "sqlalchemy")
    return {
        "processors": os.cpu_count(),
        "processor": _processor(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "a million additions in Python": f"{_yardstick():.0f} ms",
        "commit": commit + (" with changes" if changed else ""),
    } | {name: version(name) for name in distributions}


def _yardstick() -> float:
    """Milliseconds of processor time of one thread, the best of five: what tells a slow machine from a fast one."""

    def additions() -> float:
        started, total = time.thread_time(), 0
        for number in range(1_000_000):
            total += number
        return (time.thread_time() - started) * 1000

    return min(additions() for _ in range(5))


def _git(*arguments: str) -> str:
    told = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False, cwd=_ROOT)
    return told.stdout.strip()


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def merged(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> dict[str, Any]:
    """A report in which a later run of some sections replaces what an earlier one measured of the same."""
    fresh = {(each["section"], each["name"]): each for each in later["figures"]}
    kept = [fresh.pop((each["section"], each["name"]), each) for each in earlier["figures"]]
    sections = [each["section"] for each in (*earlier["figures"], *later["figures"])]
    loads = {**earlier["machine"]["load"], **later["machine"]["load"]}
    return {
        "machine": later["machine"] | {"load": loads},
        "missing": {**earlier["missing"], **later["missing"]},
        "figures": sorted([*kept, *fresh.values()], key=lambda each: sections.index(each["section"])),
    }


def markdown(written: Mapping[str, Any]) -> Iterator[str]:
    """The tables of a report, as `Report.to_dict` gives it."""
    section = ""
    for figure in written["figures"]:
        if figure["section"] != section:
            section = figure["section"]
            yield from ("", f"### {section}", "", "| figure | measured | goal | |", "|---|---|---|---|")
        goal = ""
        if figure["goal"] is not None:
            goal = f"at {'most' if figure['at_most'] else 'least'} {amount(figure['goal'], figure['unit'])}"
        verdict = {None: "", True: "met", False: "**missed**"}[figure["met"]]
        note = f" ({figure['note']})" if figure["note"] else ""
        yield f"| {figure['name']}{note} | {amount(figure['value'], figure['unit'])} | {goal} | {verdict} |"


def amount(value: float, unit: str) -> str:
    """Three digits that count, and the unit."""
    digits = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{digits} {unit}".rstrip()
