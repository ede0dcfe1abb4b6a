"""A file's bytes as JSON, strictly, or a sentence about it. It must never know what the JSON should say."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from typing import Any

from connector.catalogue.formats.refusal import FileRefused
from connector.partners.payload import NotJson, decode


def decoded(name: str, content: bytes) -> Any:
    """The JSON value of a file, called `name` in messages. Raises `FileRefused`."""
    try:
        return decode(content.removeprefix(BOM_UTF8))
    except NotJson as refused:
        at = refused.__context__  # what the parser said, where it was the parser
        line = f", line {at.lineno}, column {at.colno}" if isinstance(at, json.JSONDecodeError) else ""
        what = f"Is not JSON: {at.msg}." if isinstance(at, json.JSONDecodeError) else str(refused)
        raise FileRefused(name + line, what.replace("The body", "The file", 1)) from None
