"""A catalogue from a file: our own formats, and what is said of a file that is none."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from connector.catalogue.files import FORMATS, FileRefused, read_catalogue
from connector.event_types import NO_VALUE, Aggregation, EventType, Value

PAGE = Path(__file__).parents[3] / "docs/reference/catalogue-files.md"
HEADER = "id,key,name,description,value_property,value_type,value_unit,aggregation,tags,url,status\n"
ORDER = {"id": "evt_1", "key": "order_completed", "name": "Order Completed"}


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Writes a file, called by its bare name as a person would, and gives its path."""
    monkeypatch.chdir(tmp_path)

    def write(name: str, content: str | bytes) -> Path:
        path = Path(name)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def refusal(path: Path, **options) -> str:
    with pytest.raises(FileRefused) as refused:
        read_catalogue(path, **options)
    assert refused.value.code == "file_refused"
    return str(refused.value)


def native(*event_types, complete: bool = True) -> str:
    return json.dumps({"complete": complete, "event_types": list(event_types)})


def test_the_native_catalogue_is_read(written):
    value = {"property": "revenue", "type": "number", "unit": "USD"}
    path = written("events.json", native(ORDER | {"description": None, "value": value, "tags": ["a"]}, {"key": "b"}))
    catalogue = read_catalogue(path)
    assert catalogue.complete is True
    assert catalogue.event_types == (
        EventType(
            id="evt_1",
            key="order_completed",
            name="Order Completed",
            description="",
            value=Value("revenue", "number", "USD"),
            tags=("a",),
        ),
        EventType(key="b"),
    )


def test_the_native_webhook_is_read_with_its_time(written):
    data = json.loads(native(ORDER, complete=False))
    path = written(
        "hook.json", json.dumps({"type": "event_type.catalogue", "timestamp": "2026-11-22T10:00:00Z", "data": data})
    )
    catalogue = read_catalogue(path)
    assert catalogue.complete is False
    assert catalogue.occurred_at is not None
    assert catalogue.event_types == (EventType(**ORDER),)


def test_a_webhook_of_one_change_is_no_catalogue(written):
    path = written("hook.json", json.dumps({"type": "event_type.defined", "data": ORDER}))
    assert refusal(path, format="native").startswith("hook.json, type: Must be event_type.catalogue.")


def test_an_empty_complete_catalogue_is_one(written):
    assert read_catalogue(written("events.json", native())).event_types == ()


def test_a_csv_is_read(written):
    path = written(
        "events.csv",
        HEADER + "evt_1,order_completed,Order Completed,Paid.,revenue,integer,EUR,sum,"
        '"checkout, web|shop;a",https://partner.example/1,active\n',
    )
    catalogue = read_catalogue(path)
    assert catalogue.complete is False
    assert catalogue.event_types == (
        EventType(
            id="evt_1",
            key="order_completed",
            name="Order Completed",
            description="Paid.",
            value=Value("revenue", "integer", "EUR", Aggregation.SUM),
            tags=("checkout", "web", "shop", "a"),
            url="https://partner.example/1",
        ),
    )


def test_an_empty_cell_states_that_there_is_none_and_a_missing_column_nothing(written):
    full = read_catalogue(written("full.csv", HEADER + ",signed_up,,,,,,,,,\n")).event_types[0]
    assert full == EventType(key="signed_up", description="", value=NO_VALUE, tags=(), url="")
    assert read_catalogue(written("keys.csv", "key\nsigned_up\n")).event_types[0] == EventType(key="signed_up")


def test_a_property_is_a_number_unless_the_file_says_otherwise(written):
    path = written("events.csv", "key,value_property,value_type\na,revenue,\nb,plan,String\n")
    assert [each.value for each in read_catalogue(path).event_types] == [
        Value("revenue", "number"),
        Value("plan", "string"),
    ]


def test_an_archived_row_is_removed_by_its_key_or_name(written):
    path = written("events.csv", "id,key,name,status\n1,a,A,archived\n2,,B,archived\n3,c,C,\n")
    catalogue = read_catalogue(path)
    assert catalogue.removed == ("a", "B")
    assert [each.id for each in catalogue.event_types] == ["3"]


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfkey,name\r\norder_completed,Order Completed\r\n",
        b"key;name\norder_completed;Order Completed\n",
        b"key\tname\norder_completed\tOrder Completed\n",
        b'"Key","NAME"\n"order_completed","Order Completed"',
        b" key , name \n\n,\norder_completed,Order Completed\n\n",
    ],
)
def test_a_csv_may_be_as_spreadsheets_write_it(written, content):
    event_types = read_catalogue(written("events.csv", content)).event_types
    assert event_types == (EventType(key="order_completed", name="Order Completed"),)


def test_a_text_in_quotes_may_hold_line_breaks_and_later_lines_keep_their_numbers(written):
    path = written("events.csv", 'key,description\na,"one\ntwo, ""three"""\nb,\nc\n')
    assert refusal(path).startswith("events.csv, line 5: Has 1 cells, where the header has 2.")
    path = written("events.csv", 'key,description\na,"one\ntwo, ""three"""\n')
    assert read_catalogue(path).event_types[0].description == 'one\ntwo, "three"'


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("key,colour\na,red\n", "events.csv, line 1: The column colour is not known; there are: id, key, name, "),
        ("key,\x1b[2J\na,red\n", r"events.csv, line 1: The column \x1b[2j is not known; there are: id, key, name, "),
        (f"key,{'c' * 9999}\na,red\n", f"events.csv, line 1: The column {'c' * 100}… is not known; there are: id, "),
        ("name\na\n", "events.csv, line 1: Neither the column id nor the column key is there."),
        ("key,key\na,b\n", "events.csv, line 1: The column key is there twice."),
        ("Key,key\na,b\n", "events.csv, line 1: The column key is there twice."),
        ("key,,name\na,b,c\n", "events.csv, line 1: Column 2 has no name."),
        ("", "events.csv, line 1: Neither the column id nor the column key is there."),
        ("key,name\na,A,x\n", "events.csv, line 2: Has 3 cells, where the header has 2. Put a text that holds the"),
        ('key,name\na,"A\n', "events.csv, line 2: Is not CSV: unexpected end of data."),
        (b"key\na\n\xff\n", "events.csv, line 3: Is not UTF-8. Save it as CSV in UTF-8"),
        ("key\na\n".encode("utf-16"), "events.csv, line 1: Is UTF-16, not UTF-8. Save it as CSV in UTF-8"),
        ("id,name\n1,\n", "events.csv, line 2, name: An event type needs a name or a key."),
        ("key,id\n,\nx,1\n ,2\n", "events.csv, line 4, name: An event type needs a name or a key."),
        ("key\na\na\n", "events.csv, line 3, key: Is the same as in events.csv, line 2. Keep one of them, or give"),
        ("id,key\n1,a\n1,b\n", "events.csv, line 3, id: Is the same as in events.csv, line 2."),
        (
            "key\ncaf\u00e9\ncafe\u0301\n",
            "events.csv, line 3, key: Looks the same as in events.csv, line 2, but is spelt",
        ),
        ("key\n a\n", "events.csv, line 2, key: Begins or ends with a blank."),
        ('key\n"a\nb"\n', "events.csv, line 2, key: Has a control character, such as a line break."),
        ("key\na\0b\n", "events.csv, line 2, key: Has a NUL character or half a surrogate pair."),
        (f"key\n{'k' * 501}\n", "events.csv, line 2, key: Length must be between 1 and 500."),
        ("key,value_type\na,money\n", "events.csv, line 2, value_type: Must be one of: number, integer, "),
        ("key,aggregation\na,median\n", "events.csv, line 2, aggregation: Must be one of: count, sum, average, "),
        ("key,status\na,gone\n", "events.csv, line 2, status: Must be one of: active, archived."),
        (f"key,tags\na,{'t' * 201}\n", "events.csv, line 2, tags, item 1: Length must be between 0 and 200."),
        ("key,description\na," + "d" * 140_000, "events.csv, line 2: Is not CSV: field larger than field limit"),
    ],
)
def test_what_is_wrong_with_a_csv_is_said_with_its_place(written, content, sentence):
    assert refusal(written("events.csv", content)).startswith(sentence)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('{"complete": true,\n "event_types": [}', "events.json, line 2, column 18: Is not JSON: Expecting value."),
        ('{"complete": true, "complete": false}', "events.json: The file has an object with the same key twice."),
        ('{"event_types": [], "complete": NaN}', "events.json: The file has NaN, which is not JSON."),
        ('{"a":' * 100_000, "events.json: The file is nested too deeply."),
        (b'{"a": "\xff"}', "events.json: The file is not UTF-8."),
        ('{"a": ' + "9" * 5000 + "}", "events.json: The file has a number with too many digits."),
        ('{"event_types": []}', "events.json, complete: Missing data for required field."),
        (native(ORDER, {"key": "k" * 501}), "events.json, event_types, item 2, key: Length must be between 1 and 500."),
        (native(ORDER, "no"), "events.json, event_types, item 2: Invalid input type."),
        (native(ORDER, ORDER), "events.json, event type 2, id: Is the same as in events.json, event type 1."),
        (native({"key": "a"}, {"key": "a\tb"}), "events.json, event type 2, key: Has a control character"),
        ("[]", "events.json: Is JSON of no shape that is known here. Name its format, one of native, csv, "),
        ('{"events": []}', "events.json: Is JSON of no shape that is known here."),
    ],
)
def test_what_is_wrong_with_a_json_file_is_said_with_its_place(written, content, sentence):
    assert refusal(written("events.json", content)).startswith(sentence)


def test_a_format_may_be_named_and_must_be_known(written):
    path = written("events.json", native(ORDER))
    assert read_catalogue(path, format="native").event_types == (EventType(**ORDER),)
    assert refusal(path, format="xml") == f"events.json: There is no format xml. Use one of {', '.join(FORMATS)}."
    assert refusal(path, format="csv").startswith("events.json, line 1: ")
    assert refusal(path, format="list-api").startswith("events.json: Is JSON of no shape")


def test_more_event_types_than_the_limit_are_refused(written, monkeypatch):
    monkeypatch.setattr("connector.catalogue.formats.records.MOST_EVENT_TYPES", 2)
    assert len(read_catalogue(written("events.csv", "key\na\nb\n")).event_types) == 2
    sentence = "events.csv, line 4: A file may hold at most 2 event types. Split it into several files that are not"
    assert refusal(written("events.csv", "key\na\nb\nc\n")).startswith(sentence)


def test_the_page_shows_sentences_as_they_are(written):
    shown = re.search(r"```text\n(.*?)```", PAGE.read_text(), re.DOTALL)[1].splitlines()
    said = [
        refusal(written("events.csv", "key,value_type\na,\nb,money\n")),
        refusal(written("events.csv", "key\na\nb\na\n")),
        refusal(written("events.json", native(ORDER, {"key": "k" * 501}))),
    ]
    assert said == shown
