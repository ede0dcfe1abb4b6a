"""The picture of the house: rooms and arrows as the code imports them, drawn as SVG.

A room stands above all that it uses. An arrow that others imply is left out, and so is what every room may use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

import grimp

PURE = {"event_types", "signatures", "partners", "policy"}
"""Rooms without any I/O, which `lint-imports` checks."""

_LEFT_OUT = {"__main__", "settings", "logs"}
_WIDTH, _HEIGHT, _GAP, _RISE, _MARGIN = 132, 44, 20, 52, 24


@dataclass(frozen=True, slots=True)
class House:
    """`floors` from the ground up, `arrows` from a room to those that it uses."""

    floors: tuple[tuple[str, ...], ...]
    arrows: Mapping[str, frozenset[str]]


def picture() -> str:
    house = build()
    widest = max(len(floor) for floor in house.floors)
    width = 2 * _MARGIN + widest * (_WIDTH + _GAP) - _GAP
    height = 2 * _MARGIN + len(house.floors) * (_HEIGHT + _RISE) - _RISE + 28
    places = _places(house, width)
    lines = [_arrow(places[user], places[used]) for user in sorted(places) for used in sorted(house.arrows[user])]
    boxes = [_box(room, *place) for room, place in sorted(places.items())]
    return "\n".join([_HEAD.format(width=width, height=height), *lines, *boxes, _legend(height), "</svg>", ""])


def build() -> House:
    uses = _uses()
    floor_of: dict[str, int] = {}

    def floor(room: str) -> int:
        if room not in floor_of:
            floor_of[room] = 1 + max((floor(used) for used in uses[room]), default=-1)
        return floor_of[room]

    for room in uses:
        floor(room)
    for room in sorted(uses, key=floor, reverse=True):  # up again, to just below the lowest that uses it
        if users := [floor_of[user] for user in uses if room in uses[user]]:
            floor_of[room] = min(users) - 1
    arrows = {room: frozenset(uses[room] - _implied(uses, room)) for room in uses}
    floors = [sorted(room for room in uses if floor_of[room] == level) for level in range(max(floor_of.values()) + 1)]
    return House(_straightened(floors, arrows), arrows)


def _uses() -> dict[str, set[str]]:
    graph = grimp.build_graph("connector", cache_dir=None)
    uses: dict[str, set[str]] = {
        room: set() for child in graph.find_children("connector") if (room := child.split(".")[1]) not in _LEFT_OUT
    }
    for module in graph.modules:
        for used in graph.find_modules_directly_imported_by(module):
            one, other = (*module.split("."), "")[1], (*used.split("."), "")[1]
            if one in uses and other in uses and one != other:
                uses[one].add(other)
    return uses


def _implied(uses: Mapping[str, set[str]], room: str) -> set[str]:
    """What a room uses that something else which it uses does, too."""
    found: set[str] = set()
    waiting = [below for used in uses[room] for below in uses[used]]
    while waiting:
        if (below := waiting.pop()) not in found:
            found.add(below)
            waiting.extend(uses[below])
    return found


def _straightened(floors: list[list[str]], arrows: Mapping[str, frozenset[str]]) -> tuple[tuple[str, ...], ...]:
    """Each floor in an order that keeps arrows short: every room near the middle of its neighbours."""
    at = {room: (place + 0.5) / len(floor) for floor in floors for place, room in enumerate(floor)}
    for _ in range(24):
        for floor in floors:
            for room in floor:
                near = [at[each] for each in arrows[room]] + [at[each] for each in at if room in arrows[each]]
                at[room] = sum(near) / len(near) if near else 1.0
            floor.sort(key=lambda room: (at[room], room))
            at |= {room: (place + 0.5) / len(floor) for place, room in enumerate(floor)}
    return tuple(tuple(floor) for floor in floors)


def _places(house: House, width: int) -> dict[str, tuple[int, int]]:
    places = {}
    for level, floor in enumerate(reversed(house.floors)):
        row = len(floor) * (_WIDTH + _GAP) - _GAP
        for number, room in enumerate(floor):
            x = (width - row) // 2 + number * (_WIDTH + _GAP)
            places[room] = x, _MARGIN + level * (_HEIGHT + _RISE)
    return places


def _arrow(user: tuple[int, int], used: tuple[int, int]) -> str:
    x, y = user[0] + _WIDTH // 2, user[1] + _HEIGHT
    to_x, to_y = used[0] + _WIDTH // 2, used[1] - 3
    bend = (to_y - y) // 2
    return f'<path d="M{x} {y} C{x} {y + bend} {to_x} {to_y - bend} {to_x} {to_y}" marker-end="url(#tip)"/>'


def _box(room: str, x: int, y: int) -> str:
    kind = "pure" if room in PURE else "room"
    label = escape(room)
    return (
        f'<rect class="{kind}" x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="7"/>'
        f'<text x="{x + _WIDTH // 2}" y="{y + _HEIGHT // 2 + 5}">{label}</text>'
    )


def _legend(height: int) -> str:
    y = height - 22
    return (
        f'<rect class="pure" x="{_MARGIN}" y="{y}" width="14" height="14" rx="3"/>'
        f'<text class="legend" x="{_MARGIN + 22}" y="{y + 12}">no I/O</text>'
        f'<text class="legend" x="{_MARGIN + 90}" y="{y + 12}">An arrow: uses. Arrows that others imply, and the '
        "settings and logs that all may use, are left out.</text>"
    )


_HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">
<title>How the rooms of the code depend on one another</title>
<style>
.ground {{ fill: #ffffff }} .room {{ fill: #eef1f8; stroke: #3f51b5 }} .pure {{ fill: #e4f5ec; stroke: #1b8a5a }}
path {{ fill: none; stroke: #7a86b8; stroke-width: 1.4 }} .tip {{ fill: #7a86b8; stroke: none }}
text {{ font: 15px ui-sans-serif, system-ui, sans-serif; text-anchor: middle; fill: #1c2340 }}
.legend {{ font-size: 13px; text-anchor: start; fill: #4a5170 }}
</style>
<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">
<path class="tip" d="M0 0 L8 4 L0 8 z"/></marker>
<rect class="ground" width="{width}" height="{height}"/>"""
