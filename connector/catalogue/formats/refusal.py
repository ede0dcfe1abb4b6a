"""What is wrong with a catalogue file, said so that a person can put it right. It must never know a format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CORRECT = "Correct it and read the file again."

_LONGEST_WORD = 100


class FileRefused(ValueError):
    """The file is not read as a catalogue, and nothing was changed.

    The text says where it is wrong (file, line or record, field), what is allowed there, and what to do.
    """

    code = "file_refused"

    def __init__(self, where: str, what: str, next_step: str = CORRECT) -> None:
        super().__init__(_printable(f"{where}: {what} {next_step}"))


def quoted(text: str) -> str:
    """A word of the file, as long as a message can bear it."""
    return text if len(text) <= _LONGEST_WORD else f"{text[:_LONGEST_WORD]}…"


def field_error(where: str, errors: Mapping[str, Any]) -> FileRefused:
    """The first of the field errors of a schema, behind the way to it; records are counted from 1."""
    at: Any = errors
    while isinstance(at, Mapping | list) and at:
        if isinstance(at, Mapping):
            step, at = next(iter(at.items()))
            if step != "_schema":
                where += f", item {step + 1}" if isinstance(step, int) else f", {quoted(str(step))}"
        else:
            at = at[0]
    sentence = str(at)
    return FileRefused(where, sentence if sentence.endswith(".") else f"{sentence}.")


def _printable(text: str) -> str:
    """Without what could drive a terminal: names of files and fields are anybody's."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text)
