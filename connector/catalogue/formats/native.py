"""Our own formats: the catalogue of the native protocol, and CSV with its fields as columns."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from connector.catalogue.formats.records import gathered
from connector.catalogue.formats.refusal import FileRefused, field_error, quoted
from connector.event_types import NO_VALUE, Aggregation, Catalogue, EventType, Value
from connector.partners import PayloadRefused, standard
from connector.partners.fields import Key, Text, load

COLUMNS = {
    "id": "the event type's stable id",
    "key": "exactly what the SDK sends as event key, case kept",
    "name": "what people call it; made from the key where it is empty",
    "description": "any text",
    "value_property": "the property with the number that the events carry",
    "value_type": f"one of {', '.join(standard.JSON_TYPES)}; a number where it is empty",
    "value_unit": "the number's unit, such as USD or ms",
    "aggregation": f"how the values are added up: one of {', '.join(Aggregation)}",
    "tags": "texts with commas, semicolons or vertical bars between them",
    "url": "where people find it",
    "status": "active or archived; active where it is empty",
}
"""The columns of a CSV file, and what may stand in each."""

_TAG_SEPARATORS = re.compile(r"[,;|]")
_IDENTITY = ("id", "key")
_WORDS = ("value_type", "aggregation", "status")


def catalogue(name: str, payload: Any) -> Catalogue:
    """The `data` of `event_type.catalogue`, or the whole envelope. Raises `FileRefused`."""
    try:
        if isinstance(payload, Mapping) and "event_types" not in payload:
            found = standard.read(payload, {}).catalogue
        else:
            found = standard.catalogue(payload)
    except PayloadRefused as refused:
        raise field_error(name, refused.errors) from None
    if found is None:
        raise FileRefused(f"{name}, type", f"Must be {standard.CATALOGUE}.")
    gathered(enumerate(found.event_types, 1), lambda number: f"{name}, event type {number}")
    return found


class RowSchema(standard.EventTypeSchema):
    value_property = Key()
    value_type = Text(choices=standard.JSON_TYPES)
    value_unit = Text(longest=100)
    aggregation = Text(choices=tuple(Aggregation))
    status = Text(choices=("active", "archived"))


_row = RowSchema()


def rows(name: str, header: Iterable[str], records: Iterable[tuple[int, list[str]]]) -> Catalogue:
    """A CSV file with our columns: a partial catalogue, as a row that is missing says nothing. Raises `FileRefused`."""
    columns = [column.lower() for column in header]
    for column in columns:
        if column not in COLUMNS:
            unknown = f"The column {quoted(column)} is not known; there are: {', '.join(COLUMNS)}."
            raise FileRefused(f"{name}, line 1", unknown)
    if not set(_IDENTITY) & set(columns):
        raise FileRefused(f"{name}, line 1", "Neither the column id nor the column key is there.")
    archived: set[EventType] = set()

    def found() -> Iterator[tuple[int, EventType]]:
        for line, record in records:
            cells = dict(zip(columns, record, strict=True))
            try:
                row = load(_row, _stated(cells))
            except PayloadRefused as refused:
                raise field_error(f"{name}, line {line}", refused.errors) from None
            event_type = _event_type(row, columns)
            for field in _IDENTITY:
                if (text := getattr(event_type, field)) and text != text.strip():
                    raise FileRefused(f"{name}, line {line}, {field}", "Begins or ends with a blank.")
            if row.get("status") == "archived":
                archived.add(event_type)
            yield line, event_type

    event_types = gathered(found(), lambda line: f"{name}, line {line}")
    return Catalogue(
        event_types=tuple(each for each in event_types if each not in archived),
        complete=False,
        removed=tuple(each.key or each.name or "" for each in event_types if each in archived),
    )


def _stated(cells: Mapping[str, str]) -> dict[str, Any]:
    """The cells that are not empty, as the schema wants them."""
    stated: dict[str, Any] = {column: cell for column, cell in cells.items() if cell.strip()}
    for column in _WORDS:
        if column in stated:
            stated[column] = stated[column].strip().lower()
    if "tags" in stated:
        stated["tags"] = [tag.strip() for tag in _TAG_SEPARATORS.split(stated["tags"]) if tag.strip()]
    return stated


def _event_type(row: Mapping[str, Any], columns: Collection[str]) -> EventType:
    """What a column is there for is stated: an empty cell in it says that there is none."""
    return EventType(
        id=row.get("id"),
        key=row.get("key"),
        name=row.get("name"),
        description=row.get("description", "" if "description" in columns else None),
        value=_value(row, columns),
        tags=tuple(row.get("tags", ())) if "tags" in columns else None,
        url=row.get("url", "" if "url" in columns else None),
    )


def _value(row: Mapping[str, Any], columns: Collection[str]) -> Value | None:
    stated = {"property": "value_property", "type": "value_type", "unit": "value_unit", "aggregation": "aggregation"}
    given = {field: row[column] for field, column in stated.items() if column in row}
    if given:
        return Value(**given | {"aggregation": Aggregation(given["aggregation"]) if "aggregation" in given else None})
    return NO_VALUE if set(stated.values()) & set(columns) else None
