"""The fenced blocks of a page, and what a `console` block asks for: commands, and what they say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(
    r"^(?P<indent> *)(?P<fence>`{3,})(?P<language>[a-z]*)[^\n]*\n(?P<text>.*?)^ *(?P=fence) *$",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@dataclass(frozen=True)
class Command:
    """`says` is None where the page does not show what comes out; then only the exit code counts."""

    where: str
    text: str
    says: str | None


def pages() -> list[Path]:
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path, *languages: str) -> Iterator[Block]:
    content = page.read_text()
    for found in _FENCE.finditer(content):
        if not languages or found["language"] in languages:
            text = re.sub(f"^{found['indent']}", "", found["text"], flags=re.MULTILINE)
            yield Block(page, content.count("\n", 0, found.start()) + 1, found["language"], text)


def commands(block: Block) -> Iterator[Command]:
    """A line with `$ ` is a command, lines with `> ` below continue it, and the others are what it says."""
    text: list[str] = []
    says: list[str] = []
    for line in [*block.text.splitlines(), "$ "]:
        if (line == ">" or line.startswith("> ")) and text and not says:
            text.append(line[2:])
        elif line.startswith("$ "):
            if text:
                yield Command(f"{block}: {text[0]}", "\n".join(text), "\n".join(says) if says else None)
            text, says = [line[2:]], []
        else:
            says.append(line)
