"""The benchmark suite in its short form: that every figure is measured and written down, whatever its value."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks.__main__ import BEGIN, SECTIONS, SHORT, keep, measure
from benchmarks.figures import Figure, Report, merged


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The docs of a short run, which silences the log of its process for good."""
    missing: dict[str, str] = {}
    log = logging.getLogger("connector")
    level = log.level
    try:
        figures = list(measure(SHORT, SECTIONS, missing))
    finally:
        log.setLevel(level)
    into = tmp_path_factory.mktemp("docs")
    keep(Report(figures, missing).to_dict(), into)
    return into


def test_every_goal_has_a_figure_and_each_is_a_number(written: Path) -> None:
    report = json.loads((written / "explanation" / "performance.json").read_text())
    figures = {figure["name"]: figure for figure in report["figures"]}

    assert {name for name, figure in figures.items() if figure["goal"] is not None} >= {
        "against the empty Flask route",
        "against naive",
        "read, verify, parse, schema: all of a request",
        "received to POST on the wire, idle, p50",
        "received to POST on the wire, idle, p99",
        "accept, p99, 2,000 against none",
        "claim, p99, 2,000 against none",
        "start to ready",
        "memory of the process that serves",
        "Lambda's cold import of connector.serverless",
        "soak: memory's slope",
    }
    assert all(isinstance(figure["value"], float) for figure in figures.values())
    assert report["missing"].keys() <= {"node-red", "n8n", "webhook + curl", "PostgreSQL"}


def test_the_page_and_its_pictures_are_written(written: Path) -> None:
    page = (written / "explanation" / "performance.md").read_text()
    pictures = sorted(path.name for path in (written / "images").iterdir())

    assert BEGIN in page
    assert "| against the empty Flask route |" in page
    assert pictures == ["performance-accept.svg", "performance-end-to-end.svg", "performance-slow.svg"]
    for name in pictures:
        assert ET.parse(written / "images" / name).getroot().tag.endswith("svg")  # noqa: S314 - our own


def test_a_later_run_of_some_figures_replaces_those_alone() -> None:
    first = Report(
        [Figure("A", "one", "ms", [1.0]), Figure("A", "two", "ms", [2.0]), Figure("B", "three", "ms", [3.0])]
    )
    later = Report([Figure("A", "two", "ms", [5.0]), Figure("A", "four", "ms", [4.0])], loads={"A": "1.0 to 2.0"})

    whole = merged(first.to_dict(), later.to_dict())

    assert [(each["name"], each["value"]) for each in whole["figures"]] == [
        ("one", 1.0),
        ("two", 5.0),
        ("four", 4.0),
        ("three", 3.0),
    ]
    assert whole["machine"]["load"] == {"A": "1.0 to 2.0"}


def test_what_stands_around_the_tables_stays(tmp_path: Path) -> None:
    report = Report([Figure("Section", "a figure", "ms", [3.0, 1.0, 2.0], goal=1.0, at_most=True)]).to_dict()
    keep(report, tmp_path)
    page = tmp_path / "explanation" / "performance.md"
    page.write_text(page.read_text().replace("# Performance", "# Ours") + "Words behind.\n")

    keep(report, tmp_path)

    assert page.read_text().startswith("# Ours\n")
    assert page.read_text().endswith("Words behind.\n")
    assert page.read_text().count("| a figure | 2 ms | at most 1 ms | **missed** |") == 1
