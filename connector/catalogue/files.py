"""A catalogue from a file or a folder: recognised by what is in it, and read by the module of its format.

The formats stand in docs/reference/catalogue-files.md. This module must never know what becomes of a catalogue.
"""

from __future__ import annotations

import os
from codecs import BOM_UTF8
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from connector.catalogue.formats import disk, exports, native, schemas
from connector.catalogue.formats.documents import decoded
from connector.catalogue.formats.refusal import FileRefused
from connector.catalogue.formats.tables import table
from connector.event_types import Catalogue
from connector.partners import Partner, segment, standard

__all__ = ["FORMATS", "FileRefused", "read_catalogue"]

TABLES = ("csv", "segment-csv")
FORMATS = ("native", "csv", "avo", "segment", "segment-csv", "json-schema", "list-api")


def read_catalogue(path: Path, *, partner: Partner | None = None, format: str | None = None) -> Catalogue:  # noqa: A002
    """The catalogue in a file, or in a folder of JSON Schemas. Raises `FileRefused`.

    `format` is one of `FORMATS`; without it the content tells. `partner` is the connection's: with it, a saved answer
    of its list API is recognised too.
    """
    name = str(path)
    if format is not None and format not in FORMATS:
        raise FileRefused(name, f"There is no format {format}.", f"Use one of {', '.join(FORMATS)}.")
    if os.path.isdir(path):  # noqa: PTH112 - pathlib's raises where a path cannot be one
        return _folder(path, name, format)
    with disk.opened(path) as file:
        if format in TABLES or (format is None and not _is_json(file)):
            return _table(name, file, format)
        return _document(path, name, file.read(), partner, format)


def _folder(path: Path, name: str, named: str | None) -> Catalogue:
    if named not in {None, "json-schema"}:
        raise FileRefused(name, f"Is a folder, and {named} a format of files.", "Name a file, or use json-schema.")
    return schemas.folder(name, ((each, decoded(str(each), content)) for each, content in disk.files_below(path)))


def _is_json(file: BinaryIO) -> bool:
    start = file.read(4096).removeprefix(BOM_UTF8).lstrip()
    file.seek(0)
    return start[:1] in {b"{", b"["}


def _table(name: str, file: BinaryIO, named: str | None) -> Catalogue:
    header, records = table(name, file)
    if named == "segment-csv" or (named is None and exports.EVENT_NAME in header):
        return exports.seen_events(name, header, records)
    return native.rows(name, header, records)


def _document(path: Path, name: str, content: bytes, partner: Partner | None, named: str | None) -> Catalogue:
    payload = decoded(name, content)
    match named or _recognised(payload, partner):
        case "native":
            return native.catalogue(name, payload)
        case "avo":
            return exports.published_plan(name, payload)
        case "segment":
            return exports.answer(name, payload, segment.PARTNER)
        case "json-schema":
            return schemas.folder(name, [(path, payload)])
        case "list-api" if partner is not None:
            return exports.answer(name, payload, partner)
        case _:
            raise FileRefused(
                name,
                "Is JSON of no shape that is known here.",
                f"Name its format, one of {', '.join(FORMATS)}, or convert it to the native one.",
            )


def _recognised(payload: Any, partner: Partner | None) -> str | None:
    stated: Mapping[str, Any] = payload if isinstance(payload, dict) else {}
    data = stated.get("data")
    if "event_types" in stated or stated.get("type") == standard.CATALOGUE:
        return "native"
    if "events" in stated and {"context", "removedEvents"} & stated.keys():
        return "avo"
    if isinstance(data, dict) and "rules" in data:
        return "segment"
    if {"$schema", "self"} & stated.keys():
        return "json-schema"
    return None if partner is None or partner.list_api is None else "list-api"
