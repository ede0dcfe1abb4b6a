"""Payloads that are spoilt on purpose, for the tests of every partner."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def changed(payload: Any, path: str, value: Any) -> Any:
    """The payload with another value at a dotted path; a decimal step is an index of a list."""
    payload = copy.deepcopy(payload)
    *steps, last = [int(step) if step.isdecimal() else step for step in path.split(".")]
    inner = payload
    for step in steps:
        inner = inner[step]
    inner[last] = value
    return payload
