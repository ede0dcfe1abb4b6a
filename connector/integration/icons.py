"""Judges the two logos of a submission: still vector drawings of the right shape, that reach for nothing outside.

Pure, and must never change a logo: a partner's mark is the partner's.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping
from xml.parsers import expat

SHAPES = ("square", "horizontal")

_SVG = "http://www.w3.org/2000/svg"
_XLINK_HREF = "http://www.w3.org/1999/xlink href"
_LARGEST = 500 * 1024  # the framework's repository refuses larger files

_ELEMENTS = {
    *("svg", "g", "defs", "symbol", "use", "title", "desc"),
    *("path", "rect", "circle", "ellipse", "line", "polyline", "polygon"),
    *("linearGradient", "radialGradient", "stop", "clipPath", "mask"),
}
_ADVICE = {
    "image": "draw the picture as vectors.",
    "script": "a logo runs no code.",
    "style": "export the styles as attributes; class names of a style sheet collide in a page.",
    "text": "convert the text to paths; who looks does not have the font.",
}
# Anything in an attribute that can reach outside the drawing; a back slash could hide one in CSS.
_REACHES_OUT = re.compile(r"//|\\|data:|javascript:|image(-set)?\(|src\(|url\((?!\s*['\"]?\s*#)", re.IGNORECASE)


def path(shape: str) -> str:
    """Where a logo lies in the submission."""
    return f"assets/images/{shape}.svg"


def broken_rules(shape: str, svg: bytes) -> list[str]:
    """A sentence for every rule that the SVG file of a `square` or `horizontal` logo breaks."""
    if len(svg) > _LARGEST:
        return [f"{shape}: the file has {len(svg)} bytes; a vector logo needs fewer than {_LARGEST}."]
    drawing = _Drawing()
    try:
        drawing.read(svg)
    except (expat.ExpatError, LookupError, ValueError) as error:
        return [f"{shape}: this is no SVG file ({error}); export the logo as SVG."]
    if drawing.root != "svg":
        return [f"{shape}: this is no SVG file, because no svg element is around it; export the logo as SVG."]
    broken = drawing.broken | dict.fromkeys(_broken_proportions(shape, drawing.view_box))
    return [f"{shape}: {sentence}" for sentence in broken]


def _broken_proportions(shape: str, view_box: str) -> list[str]:
    try:
        _x, _y, width, height = map(float, re.split(r"[\s,]+", view_box.strip()))
    except ValueError:
        width = height = math.nan
    if not (0 < width < math.inf and 0 < height < math.inf):
        return ['the svg element needs a viewBox of four numbers that closely fits the drawing, such as "0 0 40 40".']
    if shape == "square" and width != height:
        return [f"the viewBox is {width:g} wide and {height:g} high; make it a square."]
    if shape == "horizontal" and width <= height:
        return [f"the viewBox is {width:g} wide and {height:g} high; make it wider than high."]
    return []


class _Drawing:
    """Reads an SVG file element by element. The sentences are keys: each is said once, in the order found."""

    def __init__(self) -> None:
        self.root = ""
        self.view_box = ""
        self.broken: dict[str, None] = {}

    def read(self, svg: bytes) -> None:
        """Raises `ExpatError` for what is no well-formed XML, `LookupError` or `ValueError` for its encoding."""
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartDoctypeDeclHandler = self._doctype
        parser.ProcessingInstructionHandler = self._instruction
        parser.StartElementHandler = self._element
        parser.ParseFile(io.BytesIO(svg))

    def _doctype(self, *_: object) -> None:
        # Stops here, before an entity of it is expanded.
        raise expat.ExpatError("it has a document type, which can hide other files: take out <!DOCTYPE …>")

    def _instruction(self, target: str, _: str) -> None:
        self._say(f"take out <?{target} …?>: it can reach for other files.")

    def _element(self, qualified: str, attributes: Mapping[str, str]) -> None:
        namespace, _, name = qualified.rpartition(" ")
        if not self.root:
            self.root = name if namespace == _SVG else "?"
            self.view_box = attributes.get("viewBox", "")
        if namespace != _SVG:
            self._say(f"take out <{name}>, which is not of SVG: export the logo as plain SVG.")
        elif name not in _ELEMENTS:
            advice = _ADVICE.get(name, "a still vector logo does not need it.")
            self._say(f"take out <{name}>: {advice}")
        for attribute, value in attributes.items():
            self._attribute(name, attribute, value)

    def _attribute(self, element: str, attribute: str, value: str) -> None:
        name = attribute.rpartition(" ")[2]
        if name.lower().startswith("on"):
            self._say(f"take out {name} of <{element}>: a logo runs no code.")
        elif attribute in {"href", _XLINK_HREF} and not value.strip().startswith("#"):
            self._say(f"take out {name} of <{element}>: it may only refer to a part of the same file (#…).")
        elif name == "base" or _REACHES_OUT.search(value):
            self._say(f"take out {name} of <{element}>: it reaches for something outside of the file.")

    def _say(self, sentence: str) -> None:
        self.broken[sentence] = None
