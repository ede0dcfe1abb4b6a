"""What a run came to: tallies that add up, and as text for a person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from fuzz.targets import ALTERED, EXCEPTIONS, FAULTS, FORGERIES, LISTED, READ, TARGETS, UNTRUE, VERIFIED, Tally

REQUESTS = "requests"

_DEFECTS = (EXCEPTIONS, FORGERIES, UNTRUE, FAULTS)
_GOOD = {VERIFIED, ALTERED, READ, LISTED}


@dataclass
class Report:
    """Tallies by target; `coverage` is what libFuzzer counted where the code was instrumented for it."""

    tallies: dict[str, Tally] = field(default_factory=lambda: {name: {} for name in TARGETS})
    seconds: float = 0.0
    coverage: dict[str, int] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        return sum(tally.get(REQUESTS, 0) for tally in self.tallies.values())

    @property
    def defects(self) -> int:
        return sum(tally.get(defect, 0) for tally in self.tallies.values() for defect in _DEFECTS)

    def lines(self) -> Iterator[str]:
        yield f"{'target':8}{'requests':>12}{'exceptions':>12}{'forgeries':>11}{'untrue':>8}{'good':>11}{'edges':>7}"
        for name, tally in self.tallies.items():
            if REQUESTS in tally:
                good = sum(tally.get(outcome, 0) for outcome in _GOOD)
                defects = [tally.get(defect, 0) for defect in _DEFECTS]
                edges = self.coverage.get(name, "—")
                yield f"{name:8}{tally[REQUESTS]:12,}{defects[0]:12}{defects[1]:11}{defects[2]:8}{good:11,}{edges:>7}"
        rate = self.requests / self.seconds if self.seconds else 0
        yield f"{self.requests:,} requests in {self.seconds:,.0f} s: {rate:,.0f} a second"
        for name, tally in self.tallies.items():
            outcomes = sorted(((each, times) for each, times in tally.items() if each != REQUESTS), key=lambda o: -o[1])
            if outcomes:
                yield f"{name}: " + ", ".join(f"{each} {times:,}" for each, times in outcomes)


def total(reports: Iterable[Report]) -> Report:
    """Of runs beside each other: what they counted adds up, their time does not."""
    whole = Report()
    for report in reports:
        for name, tally in report.tallies.items():
            for outcome, times in tally.items():
                whole.tallies[name][outcome] = whole.tallies[name].get(outcome, 0) + times
        whole.seconds = max(whole.seconds, report.seconds)
        whole.coverage |= report.coverage
    return whole
