"""Links: one metric key for one event type and measure, and a collision that is seen before LaunchDarkly sees it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from connector.event_types import Change
from connector.store import event_types, links
from connector.store.database import Database
from connector.store.links import Link, LinkState

NOW = 1_800_000_000.0
LINK = Link("occurrence", "order", {"key": "order", "name": "Order ✓"}, LinkState.CREATING)

Reserve = Callable[..., bool]


@pytest.fixture
def row(database: Database, connect: Callable[..., str], change: Callable[..., Change]) -> Callable[..., int]:
    """An event type of `con_1` (or `to`) by its id."""

    def find(name: str, *, to: str = "con_1") -> int:
        connect(to)
        return database.write(lambda tx: event_types.resolve(tx, to, change(name), now=NOW))

    return find


@pytest.fixture
def reserve(database: Database) -> Reserve:
    def take(event_type_id: int, link: Link = LINK, *, to: str = "con_1") -> bool:
        return database.write(lambda tx: links.reserve(tx, to, event_type_id, link, now=NOW))

    return take


@pytest.fixture
def stored(database: Database) -> Callable[[int], list[Link]]:
    def read(event_type_id: int) -> list[Link]:
        with database.read() as tx:
            return list(links.of_event_type(tx, event_type_id))

    return read


def test_a_reserved_key_is_kept_with_the_body_that_is_meant(
    row: Callable[..., int], reserve: Reserve, stored: Callable[[int], list[Link]]
) -> None:
    one = row("1")
    assert stored(one) == []
    assert reserve(one)
    assert stored(one) == [LINK]


def test_reserving_again_is_no_collision_with_oneself(
    row: Callable[..., int], reserve: Reserve, stored: Callable[[int], list[Link]]
) -> None:
    one = row("1")
    reserve(one)
    assert reserve(one, replace(LINK, body={"key": "order", "name": "Purchase"}))
    assert [link.body["name"] for link in stored(one)] == ["Purchase"]


def test_another_key_takes_the_place_of_the_one_before(
    row: Callable[..., int], reserve: Reserve, stored: Callable[[int], list[Link]]
) -> None:
    one = row("1")
    reserve(one)
    assert reserve(one, replace(LINK, metric_key="order-2f"))
    assert [link.metric_key for link in stored(one)] == ["order-2f"]


@pytest.mark.parametrize("measure", ["occurrence", "count"])
def test_a_key_that_another_event_type_holds_is_a_collision_and_changes_nothing(
    row: Callable[..., int], reserve: Reserve, stored: Callable[[int], list[Link]], measure: str
) -> None:
    one, two = row("1"), row("2")
    reserve(one)
    mine = replace(LINK, measure=measure, metric_key="mine")
    reserve(two, mine)
    assert not reserve(two, replace(mine, metric_key="order"))
    assert (stored(one), stored(two)) == ([LINK], [mine])


def test_another_measure_of_the_same_event_type_collides_too(row: Callable[..., int], reserve: Reserve) -> None:
    one = row("1")
    reserve(one)
    assert not reserve(one, replace(LINK, measure="count"))


def test_connections_do_not_collide(row: Callable[..., int], reserve: Reserve) -> None:
    assert reserve(row("1"))
    assert reserve(row("1", to="con_2"), to="con_2")


def test_of_event_types_that_race_for_a_key_one_gets_it(row: Callable[..., int], reserve: Reserve) -> None:
    rows = [row(str(number)) for number in range(6)]
    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(reserve, rows)) == [*[False] * 5, True]


def test_saving_remembers_what_launchdarkly_was_told(
    database: Database, row: Callable[..., int], reserve: Reserve, stored: Callable[[int], list[Link]]
) -> None:
    one = row("1")
    reserve(one)
    live = replace(LINK, body={"key": "order", "tags": ["a"]}, state=LinkState.LIVE)
    database.write(lambda tx: links.save(tx, one, live, now=NOW + 1))
    assert stored(one) == [live]


def test_a_dropped_link_frees_its_key_and_no_other(
    database: Database, row: Callable[..., int], reserve: Reserve, stored: Callable[[int], list[Link]]
) -> None:
    one, two = row("1"), row("2")
    count = replace(LINK, measure="count", metric_key="order-count")
    reserve(one)
    reserve(one, count)
    database.write(lambda tx: links.drop(tx, one, "occurrence"))
    assert stored(one) == [count]
    assert reserve(two)
