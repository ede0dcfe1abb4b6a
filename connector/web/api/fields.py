"""Fields that say no to what the published schema does not allow: marshmallow's own would take `"yes"` for true.

They must never know a resource.
"""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import UTC, datetime
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate

LONGEST = 500
"""Characters of a text, unless the field says more."""

# RFC 3339, section 5.6; `fromisoformat` takes a lot besides.
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_LARGEST_ID = 2**63 - 1


class Strict(Schema):
    """A field that we do not know is a mistake of the caller's, and is named."""

    class Meta:
        unknown = RAISE


class Text(fields.String):
    """A text that every database holds; `lines` allows it tabs and line breaks."""

    def __init__(self, *, longest: int = LONGEST, shortest: int = 0, lines: bool = False, **options: Any) -> None:
        metadata = options.pop("metadata", {})
        if not lines:
            metadata = {"pattern": r"^[^\u0000-\u001f\u007f-\u009f]*$"} | metadata
        super().__init__(validate=validate.Length(min=shortest, max=longest), metadata=metadata, **options)
        self._allowed = "\t\r\n" if lines else ""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        if not isinstance(value, str):
            raise self.make_error("invalid")
        if any(unicodedata.category(each) in {"Cc", "Cs"} and each not in self._allowed for each in value):
            raise ValidationError("Has control characters or half a surrogate pair.")
        return value


class Choice(fields.String):
    """One of a few words."""

    def __init__(self, *choices: str, **options: Any) -> None:
        super().__init__(validate=validate.OneOf(choices), **options)


class Flag(fields.Boolean):
    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class Seconds(fields.Float):
    """A number of seconds, not below zero."""

    def __init__(self, *, most: float, **options: Any) -> None:
        super().__init__(validate=validate.Range(min=0, max=most), **options)

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self.make_error("invalid", input=value)
        return float(value)


class Whole(fields.Integer):
    """A whole number, in a body or (in digits) in a query."""

    def __init__(self, *, low: int, high: int = _LARGEST_ID, **options: Any) -> None:
        super().__init__(validate=validate.Range(min=low, max=high), **options)

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int:
        if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,20}", value):
            return int(value)
        if isinstance(value, float) and value.is_integer():
            return int(value)  # JSON knows only one kind of number
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.make_error("invalid", input=value)
        return value


class Moment(fields.Float):
    """Unix seconds inside, RFC 3339 in UTC outside."""

    def __init__(self, **options: Any) -> None:
        metadata = {"type": "string", "format": "date-time"} | options.pop("metadata", {})
        super().__init__(metadata=metadata, **options)

    def _serialize(self, value: float | None, *_: Any, **__: Any) -> Any:
        if not value:
            return None
        return datetime.fromtimestamp(value, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> float:
        if not isinstance(value, str) or not _MOMENT.fullmatch(value):
            raise ValidationError("Is no RFC 3339 time with an offset, such as 2026-11-22T10:00:00Z.")
        try:
            return datetime.fromisoformat(value.upper()).timestamp()
        except (ValueError, OverflowError):
            raise ValidationError("Is no time that there is.") from None


class PageQuery(Strict):
    """`cursor` is the `next` of the page before."""

    cursor = Text(shortest=1, metadata={"description": "The `next` of the page before."})
    limit = Whole(low=1, high=200, load_default=50, metadata={"description": "How many at most."})
