"""What commands print: tables for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import click

from connector import logs
from connector.installation import Installation, open_installation
from connector.settings import Settings


@contextmanager
def opened() -> Iterator[Installation]:
    """The installation that the environment names."""
    settings = Settings.from_environment()
    logs.set_up(settings.log_format, quiet=True)
    installation = open_installation(settings)
    try:
        yield installation
    finally:
        installation.close()


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, default=str))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str | None = None) -> None:
    """A table that shows foreign text as it is: no markup or emoji codes of its own."""
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    console = Console()
    # Folded and not cut: half an id is of no use.
    table = Table(*(Column(name, overflow="fold") for name in columns), title=title, title_justify="left")
    for row in rows:
        table.add_row(*(Text(printable("" if cell is None else str(cell))) for cell in row))
    if not console.is_terminal:
        console.width = 200  # a file or pipe has no width: do not cut there
    console.print(table)


def printable(text: str) -> str:
    """A foreign text that cannot drive a terminal."""
    return "".join(character if character.isprintable() else "�" for character in text)


def moment(seconds: float | None) -> str:
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
