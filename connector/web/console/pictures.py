"""The geometry of the overview's pictures: figures in, rectangles out. The templates draw them as inline SVG.

Pure: it must never know where a figure comes from, nor a colour: a mark has a class, the style sheet the rest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

KINDS = {
    "created": ("created", "adopted", "restored"),
    "changed": ("renamed", "updated", "archived", "deleted"),
    "same": ("unchanged", "superseded", "skipped"),
    "parked": ("parked",),
    "waiting": ("pending",),
}
"""What a bar is stacked of, from the bottom: a class for the style sheet and the outcomes that it stands for."""

LABELS = {
    "created": "created",
    "changed": "changed",
    "same": "nothing to do",
    "parked": "parked",
    "waiting": "waiting",
}


@dataclass(frozen=True, slots=True)
class Mark:
    """A rectangle of the picture; `title` is what a pointer and a screen reader are told."""

    kind: str
    x: float
    y: float
    width: float
    height: float
    title: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A label at a place of an axis."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Bars:
    """Stacked bars over time in a box of `width` by `height`, with the values of the vertical axis and the times."""

    width: float
    height: float
    left: float
    base: float
    marks: Sequence[Mark]
    values: Sequence[Tick]
    times: Sequence[Tick]
    total: int


def by_kind(outcomes: Mapping[str, int]) -> dict[str, int]:
    return {kind: sum(outcomes.get(outcome, 0) for outcome in members) for kind, members in KINDS.items()}


def stacked_bars(
    spans: Sequence[Mapping[str, int]], labels: Sequence[str], *, width: float = 1120, height: float = 260
) -> Bars:
    """One bar for each of `spans` (counts by outcome); an empty label leaves its place on the axis blank."""
    left, top, bottom = 44.0, 10.0, 24.0
    base = height - bottom
    counted = [by_kind(span) for span in spans]
    highest = max((sum(each.values()) for each in counted), default=0)
    step = _step(highest)
    ceiling = step * max(1, math.ceil(highest / step))
    slot = (width - left) / max(1, len(spans))
    marks = []
    for index, counts in enumerate(counted):
        y = base
        for kind, number in counts.items():
            if number:
                tall = number / ceiling * (base - top)
                y -= tall
                title = f"{labels[index] or 'this span'}: {number:,} {LABELS[kind]}"
                marks.append(
                    Mark(
                        kind,
                        round(left + slot * (index + 0.14), 2),
                        round(y, 2),
                        round(slot * 0.72, 2),
                        round(tall, 2),
                        title,
                    )
                )
    values = [
        Tick(round(base - value / ceiling * (base - top), 2), f"{value:,}") for value in range(0, ceiling + 1, step)
    ]
    every = max(1, math.ceil(len(labels) / 12))
    times = [
        Tick(round(left + slot * (index + 0.5), 2), label)
        for index, label in enumerate(labels)
        if label and index % every == 0
    ]
    total = sum(sum(each.values()) for each in counted)
    return Bars(width, height, left, base, marks, values, times, total)


def shares(values: Sequence[float], *, length: float) -> list[float]:
    """Lengths in proportion to `values`, the largest as long as `length`; what is there at all can be seen."""
    largest = max(values, default=0)
    return [0.0 if value <= 0 else round(max(3.0, value / largest * length), 2) for value in values]


def _step(highest: int) -> int:
    """A round number, so that two to five lines stand behind the bars."""
    if highest <= 4:
        return 1
    magnitude: int = 10 ** (len(str(highest)) - 1)
    return next(
        step
        for step in (max(1, magnitude // 5), max(1, magnitude // 2), magnitude, 2 * magnitude, 5 * magnitude)
        if highest / step <= 5
    )
