"""Whatever stands in a file: a catalogue, or the declared refusal with a sentence that can be shown."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from connector.catalogue.files import FORMATS, FileRefused, read_catalogue
from connector.catalogue.formats.native import COLUMNS
from connector.event_types import Catalogue
from connector.partners import Partners, built_in
from connector.partners.fields import KEY_LENGTH

FIXTURES = Path(__file__).parents[2] / "fixtures"
PARTNERS = [None, *(Partners().get(name) for name in built_in())]
FIELDS = sorted(
    {*COLUMNS, "complete", "event_types", "value", "type", "property", "data", "events", "rules", "context"}
)
FIELDS += ["removedEvents", "pagination", "$schema", "self", "vendor", "version", "format", "properties", "title"]

few = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
texts = st.one_of(
    st.sampled_from(["", " ", "1-0-0", "number", "track", "\0", "\ud800", "k" * 501]), st.text(max_size=8)
)
values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(st.sampled_from(FIELDS), texts), inner, max_size=6)
    ),
    max_leaves=20,
)
formats = st.one_of(st.none(), st.sampled_from(FORMATS))
partners = st.sampled_from(PARTNERS)


def read(name: str, content: bytes, **options: Any) -> Catalogue | str:
    """The catalogue, or the sentence of its refusal; any other error is the test's failure."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content)
        try:
            return read_catalogue(path, **options)
        except FileRefused as refused:
            return str(refused)


def holds(name: str, content: bytes, **options: Any) -> None:
    found = read(name, content, **options)
    if isinstance(found, str):
        assert found.endswith(".")
        assert found.isprintable()
    else:
        for event_type in found.event_types:
            assert max(len(event_type.id or ""), len(event_type.key or "")) <= KEY_LENGTH
            json.dumps(event_type.to_dict(), ensure_ascii=False).encode()


@few
@given(content=st.binary(max_size=200), named=formats, partner=partners)
@example(content=b"", named=None, partner=None)
@example(content=b"[" * 100_000, named=None, partner=None)
@example(content=b'{"a":' * 100_000, named="json-schema", partner=None)
@example(content=b"\xef\xbb\xbf{", named=None, partner=None)
@example(content=b"\xff\xfek\0e\0y\0", named=None, partner=None)
@example(content=b"key\rname\ra\rb\r", named=None, partner=None)
def test_any_bytes(content, named, partner):
    holds("file", content, format=named, partner=partner)


@few
@given(payload=values, named=formats, partner=partners)
@example(
    payload={"self": {"vendor": "a", "name": "b", "format": "jsonschema", "version": "9" * 99 + "-0-0"}},
    named=None,
    partner=None,
)
@example(payload={"type": "event_type.catalogue", "data": {}}, named=None, partner=None)
def test_any_json(payload, named, partner):
    holds("file.json", json.dumps(payload).encode(), format=named, partner=partner)


@few
@given(rows=st.lists(st.lists(texts, min_size=3, max_size=3), max_size=5), delimiter=st.sampled_from(",;\t"))
def test_any_rows(rows, delimiter):
    lines = [delimiter.join(("key", "tags", "value_type")), *(delimiter.join(row) for row in rows)]
    holds("file.csv", "\n".join(lines).encode("utf-8", "surrogatepass"))


def places(payload: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner = payload.items() if isinstance(payload, dict) else enumerate(payload) if isinstance(payload, list) else ()
    return [path, *(place for key, each in inner for place in places(each, (*path, key)))]


def put(payload: Any, path: tuple[str | int, ...], value: Any) -> Any:
    if not path:
        return value
    copied = payload.copy()
    copied[path[0]] = put(payload[path[0]], path[1:], value)
    return copied


def spoilt(file: Path, named: str) -> Callable[[], None]:
    payload = json.loads(file.read_text())

    @few
    @given(place=st.sampled_from(places(payload)), value=values)
    def check(place: tuple[str | int, ...], value: Any) -> None:
        holds("file.json", json.dumps(put(payload, place, value)).encode(), format=named)

    return check


@pytest.mark.parametrize(
    ("file", "named"),
    [
        ("partners/avo/plan.json", "avo"),
        ("partners/segment/rules.json", "segment"),
        ("catalogues/iglu/com.example/signed_up/jsonschema/2-0-0", "json-schema"),
    ],
)
def test_a_good_file_with_anything_in_any_place(file, named):
    spoilt(FIXTURES / file, named)()
