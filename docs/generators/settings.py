"""The page of all settings: texts and defaults of `config/example.env`, what is allowed from `Settings` itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from connector.settings import Settings, SettingsError
from docs.generators import ROOT

EXAMPLE = ROOT / "config/example.env"
_ASSIGNMENT = re.compile(r"#([A-Z_]+)=(.*)")
_NO_VALUE = "§"
"""What no setting takes, so that the sentence that refuses it tells what it takes."""

_HEAD = """\
# Settings

Everything is set by environment variables, read once at the start. An empty variable counts as unset. A wrong value
stops the start, and every wrong value is named at once with what to do. `config/example.env` is this
page as a file to copy.

*Written from [config/example.env](../../config/example.env) and the code by `make docs`.*
"""


@dataclass(frozen=True, slots=True)
class Entry:
    text: str
    defaults: tuple[tuple[str, str], ...]


def page() -> str:
    return _HEAD + "".join(_section(entry) for entry in entries())


def entries() -> Iterator[Entry]:
    """Paragraphs of the example: a comment, and the variables that it is about."""
    for paragraph in EXAMPLE.read_text().split("\n\n"):
        lines = paragraph.splitlines()
        defaults = tuple((found[1], found[2]) for line in lines if (found := _ASSIGNMENT.fullmatch(line)))
        if defaults:
            yield Entry(" ".join(line[2:] for line in lines if not _ASSIGNMENT.fullmatch(line)), defaults)


def _section(entry: Entry) -> str:
    names = ", ".join(f"`{name}`" for name, _ in entry.defaults)
    rows = "".join(
        f"| `{name}` | {f'`{default}`' if default else 'unset'} | {allowed(name)} |\n"
        for name, default in entry.defaults
    )
    text = re.sub(r"docs/(\S+?\.md)", r"[\1](../\1)", entry.text)
    return f"\n## {names}\n\n{text}\n\n| variable | default | allowed |\n|---|---|---|\n{rows}"


def allowed(name: str) -> str:
    """What the variable takes, in the words that refuse a wrong value."""
    try:
        Settings.from_environment({name: _NO_VALUE})
    except SettingsError as error:
        for problem in error.problems:
            if found := re.match(rf"{name} (?:must be|must|has) (.*?)(?:, not '{_NO_VALUE}'.*)?\.?$", problem):
                return found[1].replace("|", "\\|")
    return "any text"
