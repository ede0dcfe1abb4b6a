"""Which row a change speaks of: by the source's id, else by every key it ever had."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from connector.event_types import Change
from connector.store import briefing, event_types
from connector.store.database import Database
from connector.store.inbox import Accepted, Work
from connector.store.tables import changes

NOW = 1_800_000_000.0

Make = Callable[..., Change]
Resolve = Callable[..., int]


@pytest.fixture
def resolve(database: Database, connect: Callable[..., str], change: Make) -> Resolve:
    connect()

    def find(id: str | None = None, key: str | None = None, *, to: str = "con_1", **fields: str) -> int:  # noqa: A002
        said = change(id, key, **fields)
        return database.write(lambda tx: event_types.resolve(tx, to, said, now=NOW))

    return find


class TestSourcesWithIds:
    def test_an_id_is_the_event_type_whatever_its_key(self, resolve: Resolve) -> None:
        assert resolve("1", "order") == resolve("1", "purchase") == resolve("1")

    def test_another_id_is_another_event_type_even_with_the_same_key(self, resolve: Resolve) -> None:
        assert resolve("1", "order") != resolve("2", "order")

    def test_an_id_that_reads_like_a_key_is_no_key(self, resolve: Resolve) -> None:
        assert resolve("order") != resolve(key="order")

    def test_a_key_leads_to_the_newest_id_that_uses_it(self, resolve: Resolve) -> None:
        resolve("1", "order")
        newest = resolve("2", "order")
        assert resolve(key="order") == newest

    def test_a_key_that_an_id_gave_up_still_leads_to_it(self, resolve: Resolve) -> None:
        first = resolve("1", "order")
        resolve("1", "purchase", previous_key="order")
        assert resolve(key="order") == first

    def test_a_previous_key_does_not_take_a_key_from_who_uses_it_now(self, resolve: Resolve) -> None:
        resolve("1", "order")
        taker = resolve("2", "order")
        resolve("1", "purchase", previous_key="order")
        assert resolve(key="order") == taker


class TestSourcesWithKeysOnly:
    def test_a_key_is_the_event_type(self, resolve: Resolve) -> None:
        assert resolve(key="order") == resolve(key="order") != resolve(key="Order")

    def test_a_rename_keeps_the_event_type(self, resolve: Resolve) -> None:
        first = resolve(key="order")
        assert resolve(key="purchase", previous_key="order") == first
        assert resolve(key="purchase") == first

    def test_renames_chain(self, resolve: Resolve) -> None:
        first = resolve(key="a")
        resolve(key="b", previous_key="a")
        resolve(key="c", previous_key="b")
        assert {resolve(key=key) for key in "abc"} == {first}

    def test_a_rename_that_comes_before_its_definition_is_the_same_event_type(self, resolve: Resolve) -> None:
        renamed = resolve(key="purchase", previous_key="order")
        assert resolve(key="order") == renamed

    def test_a_renamed_key_leads_to_what_it_is_now_when_it_was_known_before(self, resolve: Resolve) -> None:
        resolve(key="purchase")
        first = resolve(key="order")
        assert resolve(key="purchase", previous_key="order") == first


class TestIsolation:
    def test_connections_share_neither_ids_nor_keys(self, resolve: Resolve, connect: Callable[..., str]) -> None:
        connect("con_2")
        assert resolve("1", "order") != resolve("1", "order", to="con_2")
        assert resolve(key="order") != resolve(key="order", to="con_2")


class TestRaces:
    @pytest.mark.parametrize("said", [{"id": "1", "key": "order"}, {"key": "order"}], ids=["id", "key"])
    def test_receivers_that_race_find_one_event_type(self, resolve: Resolve, said: dict[str, str]) -> None:
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _: resolve(**said), range(8)))
        assert len(set(found)) == 1

    def test_a_definition_and_its_rename_that_race_are_one_event_type(
        self, database: Database, accept: Callable[..., Accepted], change: Make
    ) -> None:
        racing = [change(key="order"), change(key="purchase", previous_key="order")] * 4
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(accept, racing))

        with database.read() as tx:
            assert len(set(tx.execute(select(changes.c.event_type_id)).scalars())) == 1


class TestState:
    def test_what_the_source_said_is_kept_as_it_was_saved(self, database: Database, resolve: Resolve) -> None:
        row = resolve("1", "order")
        with database.read() as tx:
            assert briefing.of_event_type(tx, row).registers == {}
        said = {"name": {"value": "Bestellung ✓ 🎉", "at": 1.5}, "tags": None}
        database.write(lambda tx: event_types.save_state(tx, row, said))
        with database.read() as tx:
            assert briefing.of_event_type(tx, row).registers == said
            assert list(event_types.states(tx, "con_1")) == [said]

    def test_event_types_of_which_nothing_was_applied_are_not_known_yet(
        self, database: Database, resolve: Resolve
    ) -> None:
        resolve("1", "order")
        with database.read() as tx:
            assert list(event_types.states(tx, "con_1")) == []


def test_a_change_in_the_inbox_and_the_resolved_row_are_the_same(
    accept: Callable[..., Accepted], claim: Callable[..., list[Work]], change: Make, resolve: Resolve
) -> None:
    accept(change("1", "order"))
    (work,) = claim()
    assert work.event_type_id == resolve("1")
