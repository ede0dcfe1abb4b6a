"""The site is built without a warning, loads nothing from elsewhere, and says what the code says."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from connector.cli import cli
from connector.policy.rules import RuleSchema
from connector.signatures.refusals import RefusalCode
from docs.generators import ROOT, generated, house
from docs.generators.settings import entries
from tests.docs.blocks import blocks, pages

SHELL = ("console", "sh", "text", "")
_PLACED = re.compile(r"reader\.\w+\(\s*\"([A-Z_]+)\"")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(directory)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return directory


def test_every_page_is_in_it(site: Path) -> None:
    for page in (ROOT / "docs").rglob("*.md"):
        built = page.relative_to(ROOT / "docs").with_suffix("")
        directory = built.parent if built.name in {"index", "README"} else built
        assert (site / directory / "index.html").exists(), built


def test_it_loads_nothing_from_elsewhere(site: Path) -> None:
    loaded = re.compile(r"""<(?:script|img|iframe|link)\b[^>]*?\b(?:src|href)=["']?(?:https?:)?//[^"'\s>]+""")
    for page in site.rglob("*.html"):
        found = [tag for tag in loaded.findall(page.read_text()) if 'rel="canonical"' not in tag]
        assert found == [], page


@pytest.mark.parametrize("path", [path for path, _ in generated()], ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_generated_is_current(path: Path) -> None:
    assert path.read_text() == dict(generated())[path], "run: make docs"


def test_every_setting_is_in_the_example_and_so_in_the_docs() -> None:
    read = {f"CONNECTOR_{name}" for name in _PLACED.findall((ROOT / "connector/settings.py").read_text())}
    written = {name for entry in entries() for name, _ in entry.defaults}
    assert read <= written
    assert {name for name in written if name.startswith("CONNECTOR_")} <= read | {
        "CONNECTOR_PARTNER",
        "CONNECTOR_WEBHOOK_SECRET",
    }


def test_every_setting_of_a_rule_is_explained() -> None:
    page = (ROOT / "docs/reference/metric-rules.md").read_text()
    assert [name for name in RuleSchema().fields if f"| `{name}` |" not in page] == []


def test_every_refusal_of_a_signature_is_explained() -> None:
    page = (ROOT / "docs/reference/signature-dialects.md").read_text()
    assert [code.value for code in RefusalCode if f"`{code.value}`" not in page] == []


def test_every_room_is_explained() -> None:
    page = (ROOT / "docs/explanation/house.md").read_text()
    assert [room for room in house.build().arrows if not re.search(rf"^\|.*`{room}`.*\| ", page, re.MULTILINE)] == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_that_a_page_names_is_there(page: Path) -> None:
    named = re.findall(r"`((?:benchmarks|chaos|config|connector|docs|fuzz|tests)/[\w./-]+)`", page.read_text())
    made = ("acme", "fuzz/findings")  # by the reader, and by a run
    assert [path for path in named if not (ROOT / path).exists() and not any(each in path for each in made)] == []


def mentioned() -> Iterator[tuple[str, str]]:
    """Every `connector …` line of every page, also of those whose commands cannot be run here."""
    for page in pages():
        for block in blocks(page, *SHELL):
            text = re.sub(r"\\\n(?:> )?", " ", block.text)
            for line in text.splitlines():
                if found := re.match(r"(?:\$ )?(?:[A-Z_]+=\S+ )*(connector [a-z].*)", line):
                    yield str(block), found[1]


@pytest.mark.parametrize(("where", "line"), list(mentioned()))
def test_every_command_that_a_page_mentions_exists_with_its_options(where: str, line: str) -> None:
    words = _words(line.partition(" #")[0])
    command: click.Command = cli
    context = click.Context(cli, info_name="connector")
    for word in words[1:]:
        if isinstance(command, click.Group) and not word.startswith("-"):
            below = command.get_command(context, word)
            assert below is not None, f"{where}: there is no {word!r} in {line}"
            context = click.Context(below, info_name=word, parent=context)
            command = below
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    given = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
    assert given <= known | {"--help", "-h", "--version"}, f"{where}: {line}"


def _words(line: str) -> list[str]:
    """Up to where the shell would begin something else."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        words = list(lexer)
    except ValueError:  # a quotation that goes on in the next line
        words = line.split()
    return words[: next((at for at, word in enumerate(words) if word in {"|", "&", "&&", ">", ";"}), len(words))]
