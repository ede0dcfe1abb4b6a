"""The smallest JSON Patch between two bodies of ours: what an update sends.

This module must never know why a field differs, nor what LaunchDarkly holds now: what a person edited there stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_IMMUTABLE = {"key", "kind"}


def patch_operations(applied: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
    """RFC 6902 operations for the editable fields that differ between the body last applied and the one wanted now.

    A mapping that stands on both sides is patched member by member, as LaunchDarkly's `/eventDefault/disabled` wants.
    """
    return list(_differences("", applied, wanted))


def _differences(parent: str, applied: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for field in {**wanted, **applied}:
        path = f"{parent}/{field}"
        if not parent and field in _IMMUTABLE:
            continue
        if field not in wanted:
            yield {"op": "remove", "path": path}
        elif field not in applied:
            yield {"op": "add", "path": path, "value": wanted[field]}
        elif isinstance(applied[field], Mapping) and isinstance(wanted[field], Mapping):
            yield from _differences(path, applied[field], wanted[field])
        elif applied[field] != wanted[field]:
            yield {"op": "replace", "path": path, "value": wanted[field]}
