"""Event types as JSON Schemas, a file each: plain ones, and the self-describing ones of Snowplow.

Sources: https://json-schema.org/understanding-json-schema and
https://docs.snowplow.io/docs/api-reference/json-schema-reference
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unicodedata import normalize

from marshmallow import ValidationError, fields

from connector.catalogue.formats.records import gathered
from connector.catalogue.formats.refusal import FileRefused, field_error
from connector.event_types import Catalogue, EventType
from connector.partners import PayloadRefused
from connector.partners.fields import Key, PartnerSchema, Text, load
from connector.partners.json_schema import ObjectSchema, value_of

_ENDING = re.compile(r"(\.schema)?\.(json|jsonschema)\Z", re.IGNORECASE)
_VERSION = re.compile(r"[0-9]{1,9}-[0-9]{1,9}-[0-9]{1,9}")


class SchemaVer(Text):
    """A version of Snowplow's, as numbers in the order of their weight."""

    def _deserialize(self, value: Any, *rest: Any, **options: Any) -> Any:
        text = super()._deserialize(value, *rest, **options)
        if not _VERSION.fullmatch(text):
            raise ValidationError("Must be a SchemaVer, such as 1-0-0.")
        return tuple(map(int, text.split("-")))


class SelfSchema(PartnerSchema):
    """https://docs.snowplow.io/docs/api-reference/iglu/common-architecture/self-describing-json-schemas"""

    vendor = Key(required=True)
    name = Key(required=True)
    format = Text(required=True, choices=("jsonschema",))
    version = SchemaVer(required=True)


class FileSchema(ObjectSchema):
    title = Text(allow_none=True)
    described = fields.Nested(SelfSchema, data_key="self")


class NamesSchema(PartnerSchema):
    """What an event type is called by: together, a vendor and a name can be too long."""

    id = Key()
    name = Key(required=True)


_file, _named = FileSchema(), NamesSchema()


@dataclass(frozen=True, slots=True)
class _Schema:
    where: str
    event_type: EventType
    version: tuple[int, ...] = ()


def folder(name: str, files: Iterable[tuple[Path, Any]]) -> Catalogue:
    """From paths and JSON: a partial catalogue, as a schema that is missing says nothing. Raises `FileRefused`."""
    newest: dict[tuple[str | None, str | None], _Schema] = {}
    plain: list[_Schema] = []
    for path, payload in files:
        schema = _schema(path, payload)
        if not schema.version:
            plain.append(schema)
            continue
        identity = (schema.event_type.id, schema.event_type.key)
        known = newest.setdefault(identity, schema)
        if known is not schema and known.version == schema.version:
            raise FileRefused(
                f"{schema.where}, self, version", f"Is the same as in {known.where}.", "Keep one of the two files."
            )
        newest[identity] = max(known, schema, key=lambda each: each.version)
    schemas = sorted((*plain, *newest.values()), key=lambda each: each.where)
    if not schemas:
        raise FileRefused(name, "Holds no JSON Schema.", "Name a folder with files that end in .json.")

    def found() -> Iterator[tuple[str, EventType]]:
        for schema in schemas:
            yield schema.where, schema.event_type

    return Catalogue(gathered(found(), str), complete=False)


def _schema(path: Path, payload: Any) -> _Schema:
    where = str(path)
    if not isinstance(payload, dict) or not {"$schema", "self", "type", "properties"} & payload.keys():
        raise FileRefused(
            where,
            "Is not a JSON Schema: it has none of $schema, self, type and properties.",
            "Put it elsewhere, or give it a name that does not end in .json.",
        )
    try:
        stated = load(_file, payload)
        described = stated.get("described")
        if described is None:
            names = load(_named, {"name": _key_of(path)}, within="file name")
        else:
            names = load(_named, described | {"id": f"{described['vendor']}/{described['name']}"}, within="self")
    except PayloadRefused as refused:
        raise field_error(where, refused.errors) from None
    event_type = EventType(
        id=names.get("id"),
        key=names["name"],
        name=stated.get("title"),
        description=stated.get("description"),
        value=value_of(stated.get("properties")),
    )
    return _Schema(where, event_type, () if described is None else described["version"])


def _key_of(path: Path) -> str:
    """A file's name without its ending; in NFC, whatever form the file system keeps names in."""
    return normalize("NFC", _ENDING.sub("", path.name))
