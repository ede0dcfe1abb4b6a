"""Any order of the same changes, some of them twice, ends in one and the same set of metrics.

What is promised: every field of every metric that the event type has at the end. The metric key, which never changes,
is made of the first event key that is seen: it is the same in every order where each change names the first key, as
its key or as the one before it. A metric whose measure was wanted only in between stays archived where the order let
it come to be.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from connector.event_types import Change, ChangeKind, EventType, Value
from connector.store.database import Database
from connector.store.vault import Vault
from tests.integration.delivery.world import ORDERS, LoopbackSandbox, World

START = datetime(2026, 11, 1, tzinfo=UTC)
FIRST = EventType(id="evt_1", key="order", name="Order", description="A customer pays.", tags=("shop",))
RENAMED = EventType(id="evt_1", key="order_completed", name="Order Completed")
HISTORY = [
    Change(kind, event_type, occurred_at=START + timedelta(hours=number), previous_key=previous)
    for number, (kind, event_type, previous) in enumerate(
        [
            (ChangeKind.DEFINED, FIRST, None),
            (ChangeKind.UPDATED, replace(FIRST, description="A customer has paid."), None),
            (ChangeKind.RENAMED, RENAMED, "order"),
            (ChangeKind.ARCHIVED, RENAMED, "order"),
            (ChangeKind.RESTORED, RENAMED, "order"),
            (ChangeKind.UPDATED, replace(RENAMED, tags=("shop", "app"), value=Value("total", unit="EUR")), "order"),
            (ChangeKind.RENAMED, replace(RENAMED, name="Order Paid"), "order"),
        ]
    )
]
SHOWN = ("key", "name", "eventKey", "description", "isNumeric", "unit", "unitAggregationType", "archived")


def _shown(world: World, project: str, *fields: str) -> list[dict[str, Any]]:
    metrics = [metric | {"tags": sorted(metric["tags"])} for metric in world.metrics(project).values()]
    return sorted(({name: metric.get(name) for name in (*fields, "tags")} for metric in metrics), key=repr)


def _orders(number: int) -> list[Sequence[tuple[str, Change]]]:
    """The history as it happened, its reverse, and random orders; each with one delivery and one change twice."""
    dice = random.Random(7)  # noqa: S311 - the same orders in every run
    named = [(f"msg_{position}", change) for position, change in enumerate(HISTORY)]
    orders = [named, named[::-1], *(dice.sample(named, len(named)) for _ in range(number - 2))]
    return [[*order, order[0], ("sent again under another id", dice.choice(HISTORY))] for order in orders]


def test_sixty_orders_with_duplicates_end_in_one_set_of_metrics(
    sqlite_database: Database, vault: Vault, sandbox_server: LoopbackSandbox
) -> None:
    sandbox_server.reset()
    world = World(sqlite_database, vault, sandbox_server)
    for number, order in enumerate(_orders(ORDERS)):
        connection = world.connect(f"order-{number}")
        for message_id, change in order:
            world.accept(change, to=connection, message_id=message_id)
    world.work()
    world.close()

    as_it_happened, *others = [_shown(world, f"order-{number}", *SHOWN) for number in range(ORDERS)]
    assert [metric["key"] for metric in as_it_happened] == ["order", "order-average"]
    assert [metric["name"] for metric in as_it_happened] == ["Order Paid", "Order Paid: total (average)"]
    assert {metric["eventKey"] for metric in as_it_happened} == {"order_completed"}
    assert not any(metric["archived"] for metric in as_it_happened)
    assert others == [as_it_happened] * (ORDERS - 1)


def test_where_a_later_key_is_seen_first_only_the_metric_key_differs(world: World) -> None:
    definition = Change(ChangeKind.DEFINED, FIRST, occurred_at=START)
    later = Change(ChangeKind.UPDATED, RENAMED, occurred_at=START + timedelta(hours=1))  # without the key before it
    other = world.connect("other")

    for change in (definition, later):
        world.deliver(change)
    for change in (later, definition):
        world.deliver(change, to=other)

    assert (list(world.metrics()), list(world.metrics("other"))) == (["order"], ["order-completed"])
    assert _shown(world, "demo", *SHOWN[1:]) == _shown(world, "other", *SHOWN[1:])


def test_a_partner_without_ids_is_led_by_the_key_before(world: World) -> None:
    definition = Change(ChangeKind.DEFINED, EventType(key="order", name="Order"), occurred_at=START)
    rename = Change(
        ChangeKind.RENAMED,
        EventType(key="order_completed", name="Order Completed"),
        occurred_at=START + timedelta(hours=1),
        previous_key="order",
    )
    other = world.connect("other")

    for change in (definition, rename):
        world.deliver(change)
    for change in (rename, definition):
        world.deliver(change, to=other)

    assert list(world.metrics()) == ["order"]
    assert _shown(world, "demo", *SHOWN) == _shown(world, "other", *SHOWN)
