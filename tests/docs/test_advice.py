"""What people are told to type when something is wrong can be typed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import connector
from connector.cli import cli

SOURCE = Path(connector.__file__).parent
ADVICE = [
    SOURCE / "web/errors.toml",
    *sorted((SOURCE / "doctor").glob("*.py")),
    *sorted((SOURCE / "alerts").glob("*.py")),
    SOURCE.parent / "config/monitoring/alerts.rules.yaml",
]
_COMMAND = re.compile(
    r"\bconnector ((?:doctor|serve|worker|db|keys|partners|connections|deliveries|import|sync)\b[a-z -]*)"
)


def told() -> Iterator[tuple[str, list[str]]]:
    for path in ADVICE:
        for found in _COMMAND.findall(path.read_text()):
            yield path.name, found.split()


@pytest.mark.parametrize(("where", "words"), sorted({(where, " ".join(words)) for where, words in told()}))
def test_the_command_exists(where: str, words: str) -> None:
    command: click.Command | None = cli
    for word in words.split():
        if not isinstance(command, click.Group):
            break
        command = command.get_command(click.Context(command), word)
    assert command is not None, words
    assert not isinstance(command, click.Group), words
