"""What writes the parts of the documentation that the code knows best. `python -m docs.generators` writes them all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def generated() -> Iterator[tuple[Path, str]]:
    """Every generated file, and what it must hold."""
    from connector.web import errors  # noqa: PLC0415
    from docs.generators import commands, house, licences, limits, settings  # noqa: PLC0415 - mkdocs needs none of them

    yield DOCS / "reference/settings.md", settings.page()
    yield DOCS / "reference/cli.md", commands.page()
    yield DOCS / "reference/errors.md", errors.markdown()
    yield DOCS / "reference/licences.md", licences.page()
    yield DOCS / "explanation/partner-limits.md", limits.page()
    yield DOCS / "images/house.svg", house.picture()
