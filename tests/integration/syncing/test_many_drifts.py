"""A thousand drifts of every kind: all are found, and each is repaired or reported as a person's."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable

from connector.catalogue.drift import Found
from connector.delivery.merging import Clock, merge
from connector.event_types import Change, ChangeKind, EventType
from connector.policy import Rules, Source, plan_metrics
from connector.store import event_types as stored
from connector.store import links
from connector.store.links import Link, LinkState
from tests.integration.syncing.room import Room, event_types

MANY = 1000

_KINDS = ("archived", "deleted", "eventKey", "unitAggregationType", "name", "description", "tags", "successCriteria")
_REPAIRED = _KINDS[:4]


def test_every_one_is_found_and_repaired_or_kept(sqlite_room: Room) -> None:
    room = sqlite_room
    made = _made(room, event_types(MANY + 100, description="What it is."))
    book = room.world.sandbox.state.book("demo")
    injected = dict(zip(list(made)[:MANY], itertools.cycle(_KINDS), strict=False))
    break_it: dict[str, Callable[[str], object]] = {
        "archived": lambda key: book.edit(key, {"archived": True}),
        "deleted": book.delete,
        "eventKey": lambda key: book.edit(key, {"eventKey": f"{key}.other"}),
        "unitAggregationType": lambda key: book.edit(key, {"unitAggregationType": "sum"}),
        "name": lambda key: book.edit(key, {"name": "Theirs"}),
        "description": lambda key: book.edit(key, {"description": "Theirs"}),
        "tags": lambda key: book.edit(key, {"tags": ["theirs"]}),
        "successCriteria": lambda key: book.edit(key, {"successCriteria": "LowerThanBaseline"}),
    }
    for key, kind in injected.items():
        break_it[kind](key)
    theirs = {key: metric for key, metric in room.world.metrics().items() if injected.get(key) not in _REPAIRED}

    plan = room.plan(None)
    told = {action.metrics[0].key: action for action in plan.actions}
    assert told.keys() == injected.keys()
    codes = {"archived": Found.ARCHIVED, "deleted": Found.DELETED} | dict.fromkeys(_KINDS[2:4], Found.REDEFINED)
    assert all(told[key].code == codes.get(kind, Found.EDITED) for key, kind in injected.items())
    assert plan.unchanged == 100

    delivery_id = room.syncer.apply(plan)
    room.work()
    report = room.syncer.report(delivery_id)
    assert report.left == []
    expected = Counter(kind for kind in injected.values() if kind in _REPAIRED)
    assert report.counts == {
        "created": expected["deleted"],
        "kept": MANY - expected.total(),
        "renamed": expected["eventKey"],
        "restored": expected["archived"],
        "updated": expected["unitAggregationType"],
        "unchanged": 100,
    }
    after = room.world.metrics()
    assert {key: after[key] for key in theirs} == theirs
    assert all(after[key]["eventKey"] == event_key and not after[key]["archived"] for key, event_key in made.items())
    assert all(after[key]["unitAggregationType"] == "average" for key in made)
    assert room.plan(None).pending == ()


def _made(room: Room, given: tuple[EventType, ...]) -> dict[str, str]:
    """Metrics as if they had been made long ago: their event keys by their keys."""
    book = room.world.sandbox.state.book("demo")
    source = Source(partner="standard", partner_title="Standard Webhooks")
    made: dict[str, str] = {}

    def write(tx: object) -> None:
        for event_type in given:
            change = Change(ChangeKind.DEFINED, event_type)
            row = stored.resolve(tx, room.id, change, now=0.0)  # type: ignore[arg-type]
            merged = merge({}, change, Clock(0.0, -1, "msg", 0))
            stored.save_state(tx, row, merged.registers)  # type: ignore[arg-type]
            for planned in plan_metrics(event_type, source, Rules(), key_hint=merged.key_hint).metrics:
                link = Link(planned.measure, planned.key, planned.body, LinkState.LIVE)
                links.reserve(tx, room.id, row, link, now=0.0)  # type: ignore[arg-type]
                book.create(dict(planned.body))
                made[planned.key] = planned.body["eventKey"]

    room.world.database.write(write)
    return made
