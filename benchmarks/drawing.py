"""Pictures of figures as SVG: bars side by side, and lines over a rate. Colours hold on light and on dark pages."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from benchmarks.figures import amount

_INK, _OURS, _OTHERS, _LINE = "#6b7280", "#2563eb", "#9ca3af", "#d97706"
_STYLE = 'font-family="system-ui, sans-serif" font-size="13"'


def bars(title: str, unit: str, rows: Sequence[tuple[str, float]]) -> str:
    """Horizontal bars; those of the connector stand out."""
    widest = max((value for _, value in rows), default=1.0) or 1.0
    height = 46 + 30 * len(rows)
    parts = [_open(title, 720, height), f'<text x="10" y="22" fill="{_INK}" font-weight="600">{escape(title)}</text>']
    for number, (name, value) in enumerate(rows):
        top = 40 + 30 * number
        width = max(1.0, 400 * value / widest)
        colour = _OURS if name.startswith("connector") else _OTHERS
        parts += [
            f'<text x="220" y="{top + 15}" text-anchor="end" fill="{_INK}">{escape(name)}</text>',
            f'<rect x="230" y="{top}" width="{width:.1f}" height="20" rx="3" fill="{colour}"/>',
            f'<text x="{236 + width:.1f}" y="{top + 15}" fill="{_INK}">{value:,.0f} {escape(unit)}</text>',
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def lines(title: str, across: str, series: Sequence[tuple[str, str, Sequence[tuple[float, float]]]]) -> str:
    """One or two lines over the same rates, each with its own unit and its own scale: (name, unit, points)."""
    left, top, wide, tall = 60, 70, 560, 220
    rates = [x for _, _, points in series for x, _ in points]
    most_across = max(rates, default=1.0) or 1.0
    parts = [_open(title, 720, 350), f'<text x="10" y="22" fill="{_INK}" font-weight="600">{escape(title)}</text>']
    parts.append(f'<path d="M{left} {top}V{top + tall}H{left + wide}" fill="none" stroke="{_INK}"/>')
    for number, (name, unit, points) in enumerate(series):
        colour = (_OURS, _LINE)[number]
        most = max((y for _, y in points), default=1.0) or 1.0
        placed = [(left + wide * x / most_across, top + tall * (1 - y / most)) for x, y in points]
        label = f"{name} (top: {amount(most, unit)})"
        drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        parts += [
            f'<text x="{left + 290 * number}" y="50" fill="{colour}">{escape(label)}</text>',
            f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="2.5"/>',
            *(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>' for x, y in placed),
        ]
    for rate in sorted(set(rates)):
        x = left + wide * rate / most_across
        parts.append(f'<text x="{x:.1f}" y="{top + tall + 20}" text-anchor="middle" fill="{_INK}">{rate:,.0f}</text>')
    parts.append(
        f'<text x="{left + wide}" y="{top + tall + 42}" text-anchor="end" fill="{_INK}">{escape(across)}</text>'
    )
    return "\n".join([*parts, "</svg>"]) + "\n"


def _open(title: str, width: int, height: int) -> str:
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(title)}" {_STYLE}>'
