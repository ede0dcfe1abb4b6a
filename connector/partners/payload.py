"""Bytes to JSON values, strictly: what two parsers could read differently is refused."""

from __future__ import annotations

import json
from typing import Any, NoReturn


class NotJson(Exception):
    """The body is not one JSON value in UTF-8 (RFC 8259), or one that parsers disagree about."""

    code = "body_not_json"


def decode(body: bytes) -> Any:
    """The value of `body`. Raises `NotJson` for anything but strict JSON without duplicate keys."""
    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant)
    except UnicodeDecodeError:
        raise NotJson("The body is not UTF-8.") from None
    except RecursionError:
        raise NotJson("The body is nested too deeply.") from None
    except json.JSONDecodeError as error:
        raise NotJson(f"The body is not JSON: {error.msg} at character {error.pos}.") from None
    except ValueError:
        # Python's own limit on the digits of an integer (CVE-2020-10735).
        raise NotJson("The body has a number with too many digits.") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise NotJson("The body has an object with the same key twice.")
    return result


def _constant(name: str) -> NoReturn:
    raise NotJson(f"The body has {name}, which is not JSON.")
