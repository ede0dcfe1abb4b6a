"""The files of a submission: a listing read from a TOML file and options, and the directory that it becomes.

Must never delete a file, and writes none before every rule is kept.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from string import Template
from typing import Any

from connector.integration import icons
from connector.integration.listing import Listing

_DEFAULTS = Path(__file__).parent / "defaults"
_FIELDS = tuple(field.name for field in fields(Listing))
_TEXTS = ("overview", "description", "details")


class SubmissionRefused(ValueError):
    """Values or a directory that reviewers would reject; `sentences` say what to do, one for each rule."""

    code = "submission_refused"

    def __init__(self, sentences: list[str]) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = sentences


def listing(file: Path | None = None, options: Mapping[str, Any] | None = None) -> Listing:
    """The connector's own values, then those of the TOML file, then the options; a later one wins.

    Logos are paths: in the file from where the file lies, in the options from the working directory.

    Raises `SubmissionRefused` where a rule is broken.
    """
    values = _stated(_DEFAULTS / "listing.toml")
    if file is not None:
        values |= _stated(file)
    values |= _with_logos(dict(options or {}), Path())
    for field in _TEXTS:
        values[field] = values[field].replace("{name}", values["name"])
    read = Listing(**{**values, "categories": tuple(values["categories"])})
    if broken := read.broken_rules():
        raise SubmissionRefused(broken)
    return read


def files(of: Listing) -> dict[str, bytes]:
    """Every file of the submission, by its path in the directory."""
    readme = Template((_DEFAULTS / "README.md").read_text(encoding="utf-8")).substitute(asdict(of))
    return {
        "manifest.json": of.manifest().encode(),
        "README.md": readme.encode(),
        icons.path("square"): of.square,
        icons.path("horizontal"): of.horizontal,
    }


def write(directory: Path, wanted: Mapping[str, bytes]) -> None:
    """Raises `SubmissionRefused` where the directory holds anything else."""
    if strays := _strays(directory, wanted):
        raise SubmissionRefused(strays)
    for name, content in wanted.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def differences(directory: Path, wanted: Mapping[str, bytes]) -> list[str]:
    """A sentence for everything that `write` would change or refuse."""
    found = _strays(directory, wanted)
    for name, content in wanted.items():
        path = directory / name
        if not path.is_file():
            found.append(f"{path} is missing; run build without --check.")
        elif path.read_bytes() != content:
            found.append(f"{path} is not what build makes; run build without --check.")
    return found


def _strays(directory: Path, wanted: Mapping[str, bytes]) -> list[str]:
    strays = [
        path.relative_to(directory).as_posix()
        for path in sorted(directory.rglob("*"))
        if not path.is_dir() and path.relative_to(directory).as_posix() not in wanted
    ]
    if not strays:
        return []
    shown = ", ".join(strays[:3]) + (f" and {len(strays) - 3} more" if len(strays) > 3 else "")
    return [f"{directory} holds what is no part of a submission: {shown}. Move it, or give another --out."]


def _stated(file: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeError, tomllib.TOMLDecodeError) as error:
        raise SubmissionRefused([f"{file} cannot be read as TOML: {error}."]) from None
    broken = []
    for key, value in values.items():
        if key not in _FIELDS:
            broken.append(f"{file}: {key!r} is not known; known are {', '.join(_FIELDS)}.")
        elif key == "categories" and not (isinstance(value, list) and all(isinstance(each, str) for each in value)):
            broken.append(f'{file}: write {key} as a list of texts, such as ["analytics"].')
        elif key != "categories" and not isinstance(value, str):
            broken.append(f'{file}: write {key} as a text, such as {key} = "…".')
    if broken:
        raise SubmissionRefused(broken)
    return _with_logos(values, file.parent)


def _with_logos(values: dict[str, Any], origin: Path) -> dict[str, Any]:
    """The values, with the bytes of the logos in place of their paths."""
    for shape in icons.SHAPES:
        if shape in values:
            try:
                values[shape] = (origin / values[shape]).read_bytes()
            except OSError as error:
                raise SubmissionRefused([f"{shape}: the logo cannot be read: {error}."]) from None
    return values
