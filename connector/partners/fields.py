"""Marshmallow fields that every partner's schemas share, and the one way to load them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

from connector.partners.partner import PayloadRefused

KEY_LENGTH = 500
"""Characters of an id or key: LaunchDarkly does not publish its limit, an index of PostgreSQL holds this many."""

TEXT_LENGTH = 50_000


_UNFIT = re.compile("[\0\ud800-\udfff]")


class PartnerSchema(Schema):
    """Fields that we do not know are tolerated: partners add some whenever they like."""

    class Meta:
        unknown = EXCLUDE


class Text(fields.String):
    """A string that every database can hold and every page can show."""

    def __init__(
        self, *, longest: int = TEXT_LENGTH, shortest: int = 0, choices: Sequence[str] | None = None, **options: Any
    ) -> None:
        allowed = validate.Length(min=shortest, max=longest) if choices is None else validate.OneOf(choices)
        super().__init__(validate=allowed, **options)

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        if not isinstance(value, str):
            raise self.make_error("invalid")
        if _UNFIT.search(value):
            raise ValidationError("Has a NUL character or half a surrogate pair.")
        return value


class Key(Text):
    """An id or a key: not empty, and short enough to be looked up."""

    def __init__(self, **options: Any) -> None:
        super().__init__(longest=KEY_LENGTH, shortest=1, **options)


class Moment(fields.AwareDateTime):
    """A time in one of marshmallow's formats, ISO 8601 by default; one without an offset is taken as UTC."""

    def __init__(self, *, format: str = "iso", **options: Any) -> None:  # noqa: A002 - marshmallow's word
        super().__init__(format=format, default_timezone=UTC, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **options: Any) -> Any:
        try:
            return super()._deserialize(value, attr, data, **options)
        except OverflowError:  # marshmallow lets the most absurd numbers of some formats crash
            raise self.make_error("invalid", input=value, obj_type=self.OBJ_TYPE) from None


def load(schema: Schema, payload: Any, *, within: str | None = None) -> dict[str, Any]:
    """The loaded payload. Raises `PayloadRefused` with the field errors, `within` the part of the body that it is."""
    try:
        loaded: dict[str, Any] = schema.load(payload)
    except ValidationError as error:
        errors = error.messages_dict
        raise PayloadRefused(errors if within is None else {within: errors}) from None
    return loaded
