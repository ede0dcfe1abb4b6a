"""Mapping files: what they may say, how a wrong one is refused, and what the partners that they describe read."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.event_types import Aggregation, Change, ChangeKind, EventType, Value
from connector.partners import Partner, PayloadRefused, Reading, Skip, Webhook
from connector.partners.mapping import MappingRefused, parse_mapping
from connector.partners.payload import decode

EXAMPLES = Path(__file__).parents[3] / "config" / "mappings"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOW = 1_614_265_330.0

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)

FILE = """
name = "acme"
title = "Acme"
[signature]
kind = "hmac"
header = "X-Acme-Signature"
[payload]
event = "type"
id = "data.id"
key = "data.key"
name = "data.name"
[events]
"event.created" = "defined"
"event.gone" = "archived"
"""

FULL = """
name = "acme"
title = "Acme"
answer = 204
max_body = 1048576
[signature]
kind = "hmac"
header = "X-Acme-Signature"
[payload]
event = "type"
id = "id"
key = "key"
name = "name"
previous_key = "previous_key"
previous_name = "previous_name"
description = "description"
value_property = "value_property"
value_type = "value_type"
unit = "unit"
aggregation = "aggregation"
tags = "tags"
url = "url"
occurred_at = "occurred_at"
sequence = "sequence"
workspace = "workspace"
message_id = "message_id"
[events]
renamed = "renamed"
[aggregations]
sum_agg = "sum"
"""

BODY: dict[str, Any] = {
    "type": "renamed",
    "id": "evt_1",
    "key": "order_paid",
    "name": "Order Paid",
    "previous_key": "order_done",
    "previous_name": "Order Done",
    "description": "Money came in.",
    "value_property": "revenue",
    "value_type": "integer",
    "unit": "USD",
    "aggregation": "sum_agg",
    "tags": ["checkout"],
    "url": "https://acme.example/1",
    "occurred_at": "2026-11-22T10:00:00Z",
    "sequence": 3,
    "workspace": "w7",
    "message_id": "m1",
}

CHANGE = Change(
    kind=ChangeKind.RENAMED,
    event_type=EventType(
        id="evt_1",
        key="order_paid",
        name="Order Paid",
        description="Money came in.",
        value=Value("revenue", "integer", "USD", Aggregation.SUM),
        tags=("checkout",),
        url="https://acme.example/1",
    ),
    occurred_at=datetime(2026, 11, 22, 10, tzinfo=UTC),
    sequence=3,
    previous_key="order_done",
    previous_name="Order Done",
    workspace="w7",
)


def webhook(text: str) -> Webhook:
    described = parse_mapping(text, "acme.toml").webhook
    assert described is not None
    return described


def with_lines(lines: str, *, under: str = "payload") -> str:
    return FILE.replace(f"[{under}]\n", f"[{under}]\n{lines}\n")


def test_every_word_of_ours_can_be_mapped() -> None:
    described = webhook(FULL)
    assert described.read(BODY, {}) == Reading(changes=(CHANGE,), message_id="m1")
    assert (described.answer, described.max_body, described.kinds) == (204, 1_048_576, (ChangeKind.RENAMED,))
    assert described.compose("renamed", BODY, datetime.now(UTC)) is BODY


def test_what_the_body_does_not_say_is_not_stated() -> None:
    reading = webhook(FULL).read({"type": "renamed", "id": "evt_1", "name": "Paid", "tags": None}, {})
    assert reading == Reading(changes=(Change(kind=ChangeKind.RENAMED, event_type=EventType(id="evt_1", name="Paid")),))


def test_an_aggregation_without_a_word_of_ours_is_not_stated() -> None:
    (change,) = webhook(FULL).read({"type": "renamed", "key": "k", "aggregation": "p99"}, {}).changes
    assert change.event_type.value is None


def test_our_own_words_for_aggregations_need_no_table() -> None:
    body = {"type": "event.created", "data": {"key": "k", "how": "count"}}
    (change,) = webhook(with_lines('aggregation = "data.how"')).read(body, {}).changes
    assert change.event_type.value == Value(aggregation=Aggregation.COUNT)


@pytest.mark.parametrize(("event", "what"), [("ping", "ping"), (None, "event"), ("x" * 200, "x" * 100)])
def test_an_event_that_the_file_does_not_name_is_skipped(event: str | None, what: str) -> None:
    reading = webhook(FULL).read({"type": event, "id": 5}, {})
    assert reading == Reading(skips=(Skip(what, "The mapping file does not name this event."),))


@pytest.mark.parametrize(
    ("time_format", "value"),
    [
        ("iso8601", "2026-11-22T11:00:00+01:00"),
        ("iso8601", "2026-11-22T10:00:00"),
        ("s", 1795341600),
        ("ms", 1795341600000),
        ("rfc1123", "Sun, 22 Nov 2026 10:00:00 GMT"),
    ],
)
def test_times_come_in_four_formats(time_format: str, value: Any) -> None:
    described = webhook(with_lines(f'occurred_at = "at"\ntime_format = "{time_format}"'))
    (change,) = described.read({"type": "event.created", "data": {"key": "k"}, "at": value}, {}).changes
    assert change.occurred_at == datetime(2026, 11, 22, 10, tzinfo=UTC)


@pytest.mark.parametrize("time_format", ["iso8601", "s", "ms", "rfc1123"])
@pytest.mark.parametrize("value", [10**400, -1, True, "nan", 1e308, [], "Mon, 1 Jan 99999999999999999999 0:0:0 GMT"])
def test_a_time_that_is_none_is_refused(time_format: str, value: Any) -> None:
    described = webhook(with_lines(f'occurred_at = "at"\ntime_format = "{time_format}"'))
    with pytest.raises(PayloadRefused) as refused:
        described.read({"type": "event.created", "data": {"key": "k"}, "at": value}, {})
    assert list(refused.value.errors) == ["occurred_at"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", 5),
        ("key", ""),
        ("name", []),
        ("previous_key", {}),
        ("previous_name", 1),
        ("description", True),
        ("value_property", 1),
        ("value_type", "money"),
        ("unit", "x" * 101),
        ("aggregation", 1),
        ("tags", "checkout"),
        ("url", 1),
        ("occurred_at", "soon"),
        ("sequence", "3"),
        ("sequence", -1),
        ("workspace", 7),
        ("message_id", 7),
    ],
)
def test_a_wrong_type_is_refused_by_our_name_of_the_field(field: str, value: Any) -> None:
    with pytest.raises(PayloadRefused) as refused:
        webhook(FULL).read(BODY | {field: value}, {})
    assert list(refused.value.errors) == [field]


def test_an_event_name_that_is_no_text_is_refused() -> None:
    with pytest.raises(PayloadRefused) as refused:
        webhook(FULL).read(BODY | {"type": 1}, {})
    assert list(refused.value.errors) == ["event"]


def test_an_event_type_without_id_and_key_is_refused() -> None:
    with pytest.raises(PayloadRefused) as refused:
        webhook(FILE).read({"type": "event.created", "data": {"name": "n"}}, {})
    assert list(refused.value.errors) == ["id"]


ITEMS = with_lines('items = "changes"\nworkspace = "account"\nmessage_id = "delivery"')


def test_each_item_is_an_event_and_the_body_around_it_says_what_they_share() -> None:
    body = {
        "type": "event.created",
        "account": "w1",
        "delivery": "m1",
        "changes": [
            {"data": {"key": "a"}},
            {"data": {"key": "b"}, "type": "event.gone", "account": "w2"},
            {"type": "ping"},
            {"type": "ping"},
        ],
    }
    assert webhook(ITEMS).read(body, {}) == Reading(
        changes=(
            Change(kind=ChangeKind.DEFINED, event_type=EventType(key="a"), workspace="w1"),
            Change(kind=ChangeKind.ARCHIVED, event_type=EventType(key="b"), workspace="w2"),
        ),
        skips=(Skip("ping", "The mapping file does not name this event."),),
        message_id="m1",
    )


def test_an_item_that_says_enough_leaves_the_body_alone() -> None:
    described = webhook(with_lines('items = "changes"\nworkspace = "join(\'/\', path)"'))
    body = {"changes": [{"type": "event.created", "data": {"key": "a"}, "path": ["org", "w1"]}]}
    assert [change.workspace for change in described.read(body, {}).changes] == ["org/w1"]


def test_an_event_type_is_never_read_from_the_body_around_an_item() -> None:
    with pytest.raises(PayloadRefused) as refused:
        webhook(ITEMS).read({"type": "event.created", "data": {"key": "a"}, "changes": [{}]}, {})
    assert list(refused.value.errors) == ["items.0"]


def test_a_body_without_items_is_skipped() -> None:
    assert [skip.what for skip in webhook(ITEMS).read({"type": "ping"}, {}).skips] == ["items"]


def test_items_that_are_no_list_are_refused() -> None:
    with pytest.raises(PayloadRefused) as refused:
        webhook(ITEMS).read({"changes": {}}, {})
    assert refused.value.errors == {"items": ["Not a list."]}


def test_an_expression_that_fails_on_a_body_refuses_the_body() -> None:
    described = webhook(with_lines('workspace = "sort_by(data.teams, &size)[0].id"'))
    body = {"type": "event.created", "data": {"key": "k", "teams": [{"size": 1}, {"size": "x"}]}}
    with pytest.raises(PayloadRefused) as refused:
        described.read(body, {})
    assert list(refused.value.errors) == ["workspace"]


@given(JSON, st.sampled_from(["", *BODY]))
def test_any_json_is_read_or_refused(value: Any, field: str) -> None:
    with suppress(PayloadRefused):
        assert isinstance(webhook(FULL).read(BODY | {field: value} if field else value, {}), Reading)


@given(JSON)
def test_no_data_makes_the_functions_crash(value: Any) -> None:
    lines = """
        items = "sort_by(@, &id)"
        sequence = "ceil(to_number(a))"
        tags = "map(&join(',', @), values(@))"
        workspace = "to_string(max_by(@, &x))"
    """
    described = webhook(with_lines(lines))
    with suppress(PayloadRefused):
        assert isinstance(described.read(value, {}), Reading)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x = [", "acme.toml is not TOML"),
        ("x = " + "[" * 5000, "acme.toml is not TOML"),
        ("more = 1\n" + FILE, "acme.toml, more: is not known; allowed are name, title, answer"),
        (FILE.replace('name = "acme"', ""), "acme.toml, name: is missing"),
        (FILE.replace('"acme"', '"Acme Inc"'), "acme.toml, name: must be 1 to 64 small letters"),
        (FILE.replace('"Acme"', '""'), "acme.toml, title: must be 1 to 100 characters"),
        ("answer = 302\n" + FILE, "acme.toml, answer: must be a whole number from 200 to 299"),
        ("max_body = true\n" + FILE, "acme.toml, max_body: must be a whole number from 1 to 67108864"),
        ("payload = 1\n" + FILE.replace("[payload]", "[other]"), "acme.toml, [payload]: must be a table"),
        ("signature = 1\n" + FILE.replace("[signature]", "[other]"), "acme.toml, signature: must be a table"),
        (with_lines('titel = "x"'), "acme.toml, [payload] titel: is not known; allowed are items"),
        (with_lines("url = 1"), "acme.toml, [payload] url: must be a text with a JMESPath expression"),
        (with_lines('url = "a["'), "acme.toml, [payload] url: is not a JMESPath expression: Incomplete"),
        (with_lines(f'url = "{"(" * 5000}"'), "acme.toml, [payload] url: is not a JMESPath expression"),
        (with_lines('url = "a[].{b: lower(c)}"'), "acme.toml, [payload] url: uses lower(), which is no JMESPath"),
        (with_lines('time_format = "us"'), "acme.toml, [payload] time_format: must be one of iso8601, s, ms, rfc1123"),
        (FILE.replace('event = "type"', ""), "acme.toml, [payload] event: is missing"),
        (re.sub("(id|key) = .*", "", FILE), "acme.toml, [payload] id: is missing (key would do)"),
        (re.sub('(key|name) = "data.*', "", FILE), "acme.toml, [payload] name: is missing (key would do)"),
        (FILE.replace('"defined"', '"made"'), "acme.toml, [events] event.created: must be one of defined, renamed"),
        (FILE.replace('"event.created"', "event.created"), "acme.toml, [events] event: must be one of defined"),
        (FILE.partition("[events]")[0], "acme.toml, events: is missing"),
        (FILE.partition("[events]")[0] + "[events]", "acme.toml, events: must be a table from the partner's words"),
        (FILE + '[aggregations]\np99 = "p99"', "acme.toml, [aggregations] p99: must be one of count, sum, average"),
        (FILE.replace('"hmac"', '"rot13"'), "acme.toml, [signature] kind: must be one of hmac, standard-webhooks"),
        (FILE.replace('kind = "hmac"', ""), "acme.toml, [signature] kind: must be one of hmac"),
        (FILE.replace('header = "X-Acme-Signature"', ""), "acme.toml, [signature] header: is missing"),
        (FILE.replace("X-Acme-Signature", "X Acme"), "acme.toml, [signature] header: must be the name of a header"),
        (
            FILE.replace('"hmac"', '"standard-webhooks"'),
            "acme.toml, [signature] header: is not known; standard-webhooks",
        ),
        (
            FILE.replace('"hmac"', '"itsdangerous"\ntolerance = "5"'),
            "acme.toml, [signature] tolerance: must be a number",
        ),
        (with_lines("tolerance = inf", under="signature"), "acme.toml, [signature] tolerance: must be a number of sec"),
        (with_lines("prefix = 1", under="signature"), "acme.toml, [signature] prefix: must be a text"),
        (with_lines('algorithm = "md5"', under="signature"), "acme.toml, [signature]: algorithm must be one of 'sha1'"),
        (with_lines('template = "{ts}"', under="signature"), "acme.toml, [signature]: template must end with {body}"),
        (
            FILE.replace('"hmac"', '"jwt-body"\npinned_header = "X-Algorithm"'),
            "acme.toml, [signature] pinned_header: must be given together with pinned_value",
        ),
    ],
)
def test_a_wrong_file_is_refused_by_file_table_and_key(text: str, sentence: str) -> None:
    with pytest.raises(MappingRefused, match=re.escape(sentence)) as refused:
        parse_mapping(text, "acme.toml")
    assert refused.value.code == "mapping_refused"


def example(name: str) -> Partner:
    return parse_mapping((EXAMPLES / f"{name}.toml").read_text(), f"{name}.toml")


# A body as the example's product would send it, and the change that it tells of.
SENT: dict[str, tuple[Any, Change]] = {
    "standard-webhooks": (
        {
            "type": "event_definition.created",
            "timestamp": "2026-11-22T10:00:00Z",
            "data": {
                "id": "e1",
                "slug": "paid",
                "display_name": "Paid",
                "labels": [{"name": "a"}],
                "workspace_id": "w",
            },
        },
        Change(
            kind=ChangeKind.DEFINED,
            event_type=EventType(id="e1", key="paid", name="Paid", tags=("a",)),
            occurred_at=datetime(2026, 11, 22, 10, tzinfo=UTC),
            workspace="w",
        ),
    ),
    "hex-with-prefix": (
        {
            "account": "w",
            "delivery_id": "m1",
            "at": "Sun, 22 Nov 2026 10:00:00 GMT",
            "changes": [{"action": "rename", "event": {"id": 7, "key": "paid", "previous": {"key": "done"}}}],
        },
        Change(
            kind=ChangeKind.RENAMED,
            event_type=EventType(id="7", key="paid"),
            occurred_at=datetime(2026, 11, 22, 10, tzinfo=UTC),
            previous_key="done",
            workspace="w",
        ),
    ),
    "base64-body": (
        {
            "event": "meter.created",
            "meter": {"id": "e1", "code": "gb", "name": "Storage", "field": "size", "formula": "sum_agg", "version": 2},
        },
        Change(
            kind=ChangeKind.DEFINED,
            event_type=EventType(
                id="e1", key="gb", name="Storage", value=Value("size", "number", None, Aggregation.SUM)
            ),
            sequence=2,
        ),
    ),
    "timestamped-pairs": (
        {"id": "m1", "type": "schema.retired", "created": 1795341600, "data": {"object": {"name": "paid"}}},
        Change(
            kind=ChangeKind.ARCHIVED,
            event_type=EventType(key="paid", name="paid"),
            occurred_at=datetime(2026, 11, 22, 10, tzinfo=UTC),
        ),
    ),
    "slack-style": (
        {"data": [{"timestamp": 1795341600000, "metadata": {"action": "updated", "event_name": "paid"}}]},
        Change(
            kind=ChangeKind.UPDATED,
            event_type=EventType(key="paid"),
            occurred_at=datetime(2026, 11, 22, 10, tzinfo=UTC),
        ),
    ),
    "jwt-bearer": (
        {"kind": "published", "schema": {"id": "s1", "event": "paid", "title": "Paid"}},
        Change(kind=ChangeKind.DEFINED, event_type=EventType(id="s1", key="paid", name="Paid")),
    ),
    "itsdangerous": (
        {"event": "renamed", "id": "e1", "key": "paid", "name": "Paid", "at": "2026-11-22T10:00:00Z"},
        Change(
            kind=ChangeKind.RENAMED,
            event_type=EventType(id="e1", key="paid", name="Paid"),
            occurred_at=datetime(2026, 11, 22, 10, tzinfo=UTC),
        ),
    ),
}


def test_every_example_is_tried() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.toml")} == set(SENT)


@pytest.mark.parametrize("name", sorted(SENT))
def test_what_an_examples_product_signs_and_sends_is_verified_and_read(name: str) -> None:
    described = example(name).webhook
    assert described is not None
    payload, change = SENT[name]
    raw = json.dumps(payload).encode()
    headers = {key.lower(): value for key, value in described.scheme.sign(raw, SECRET, "m1", NOW).items()}
    verified = described.scheme.verify(raw, headers, [SECRET], NOW)
    assert described.read(decode(verified.body), headers).changes == (change,)
    assert change.kind in described.kinds


def test_a_body_that_nothing_signs_is_named_as_a_weakness() -> None:
    assert "does not cover the body" in example("jwt-bearer").weaknesses[0]
    assert example("standard-webhooks").weaknesses == ()
