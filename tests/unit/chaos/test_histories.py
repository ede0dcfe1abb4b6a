from __future__ import annotations

import json
from collections import Counter

from chaos.histories import generate


def test_a_seed_repeats_its_stream() -> None:
    assert generate(7, changes=50, connections=2) == generate(7, changes=50, connections=2)
    assert generate(7, changes=50, connections=2) != generate(8, changes=50, connections=2)


def test_a_stream_has_as_many_different_messages_as_asked_for_and_duplicates_with_the_same_bytes() -> None:
    stream, _ = generate(7, changes=500, connections=3)

    times = Counter(stream)
    assert len({message.id for message in stream}) == len(times) == 500
    assert set(times.values()) == {1, 2}
    assert {message.connection for message in stream} == {0, 1, 2}


def test_messages_of_an_event_type_overtake_one_another() -> None:
    stream, _ = generate(7, changes=500, connections=1)

    versions: dict[str, list[int]] = {}
    for message in stream:
        data = json.loads(message.body)["data"]
        versions.setdefault(data["id"], []).append(data["version"])
    assert any(seen != sorted(seen) for seen in versions.values())


def test_the_newest_statement_of_each_field_is_expected() -> None:
    stream, expected = generate(7, changes=500, connections=1)

    said: dict[str, dict[str, object]] = {}
    for message in sorted(stream, key=lambda message: json.loads(message.body)["timestamp"]):
        data = json.loads(message.body)["data"]
        said.setdefault(data["id"], {}).update(data)
    for event_type in expected:
        last = said[f"evt_{event_type.stem[1:].split('-')[0]}_{event_type.stem.split('-')[1][1:]}"]
        value = last.get("value")
        assert (event_type.key, event_type.name, event_type.description) == (
            last["key"],
            last["name"],
            last["description"],
        )
        assert event_type.unit == (value["unit"] if isinstance(value, dict) else None)
