"""CSV as spreadsheets write it: records with the line that each begins at. It must never know what columns mean.

RFC 4180, and what they do beside it: a byte order mark, semicolons or tabs for commas, line breaks in quotes.
"""

from __future__ import annotations

import csv
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Protocol

from connector.catalogue.formats.refusal import FileRefused, quoted

DELIMITERS = ",;\t"

_AS_UTF8 = "Save it as CSV in UTF-8 (in Excel: “CSV UTF-8”), and read it again."


class _Reader(Protocol):
    """What the standard library's reader has, and has no name for."""

    @property
    def line_num(self) -> int: ...

    def __next__(self) -> list[str]: ...


def table(name: str, lines: Iterable[bytes]) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """The header, and the records that are not blank, each with the line that it begins at, counted from 1.

    Raises `FileRefused`, also while the records are taken.
    """
    text = _decoded(name, lines)
    first = next(text, "")
    delimiter = max(DELIMITERS, key=first.count)
    reader = csv.reader(chain([first], text), delimiter=delimiter, strict=True)
    records = _records(name, reader)
    _, header = next(records, (1, []))
    header = [cell.strip() for cell in header]
    for number, column in enumerate(header, 1):
        if not column:
            raise FileRefused(f"{name}, line 1", f"Column {number} has no name.")
        if column.lower() in map(str.lower, header[: number - 1]):
            raise FileRefused(f"{name}, line 1", f"The column {quoted(column)} is there twice.")
    return header, _whole(name, records, len(header))


def _decoded(name: str, lines: Iterable[bytes]) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        content = line
        if number == 1:
            if line.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
                raise FileRefused(f"{name}, line 1", "Is UTF-16, not UTF-8.", _AS_UTF8)
            content = line.removeprefix(BOM_UTF8)
        try:
            yield content.decode("utf-8")
        except UnicodeDecodeError:
            raise FileRefused(f"{name}, line {number}", "Is not UTF-8.", _AS_UTF8) from None


def _records(name: str, reader: _Reader) -> Iterator[tuple[int, list[str]]]:
    while True:
        line = reader.line_num + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise FileRefused(f"{name}, line {line}", f"Is not CSV: {error}.") from None
        if any(record):
            yield line, record


def _whole(name: str, records: Iterator[tuple[int, list[str]]], width: int) -> Iterator[tuple[int, list[str]]]:
    for line, record in records:
        if len(record) != width:
            raise FileRefused(
                f"{name}, line {line}",
                f"Has {len(record)} cells, where the header has {width}.",
                "Put a text that holds the delimiter into double quotes, and read the file again.",
            )
        yield line, record
