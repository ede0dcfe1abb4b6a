"""What the pages tell their readers to type works, and says what the pages show."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, Block, blocks, commands, pages
from tests.docs.shell import Shell
from tests.needs import program

RUN = [page for page in pages() if any(blocks(page, "console"))]

TOOLS = {"curl", "pg_dump", "sqlite3"}
"""What pages use that is not everywhere."""


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", RUN, ids=named)
def test_the_commands_of_a_page_work_one_after_the_other(
    page: Path, open_shell: Callable[..., Shell], request: pytest.FixtureRequest
) -> None:
    found = list(blocks(page, "console"))
    for name in {command.text.split()[0] for block in found for command in commands(block)} & TOOLS:
        program(name)
    services = any("postgresql+psycopg://" in block.text for block in found)
    shell = open_shell(**(request.getfixturevalue("services") if services else {}))
    for block in found:
        for command in commands(block):
            shell.run(command)


@pytest.mark.parametrize("block", [each for page in pages() for each in blocks(page, "json")], ids=str)
def test_a_json_snippet_is_json(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("block", [each for page in pages() for each in blocks(page, "toml")], ids=str)
def test_a_toml_snippet_is_toml(block: Block) -> None:
    tomllib.loads(block.text)
