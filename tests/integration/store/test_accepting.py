"""Accepting a delivery: kept whole, once, in order."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Table

from connector.event_types import Change, Outcome
from connector.store import history, inbox
from connector.store.database import Database
from connector.store.history import ChangeRecord
from connector.store.inbox import Accepted, MessageIdReused, NewChange, Work
from connector.store.tables import changes, deliveries

NOW = 1_800_000_000.0
LEASE = 60.0

Accept = Callable[..., Accepted]
Claim = Callable[..., list[Work]]
Make = Callable[..., Change]
NumberOf = Callable[[Table], int]


class TestAccepting:
    def test_a_delivery_is_kept_whole_with_its_changes_in_order(
        self, database: Database, accept: Accept, change: Make
    ) -> None:
        accepted = accept(change("evt_1"), change(key="b"), message_id="msg_1", body=b'{"a": "\xc3\xa9"}')

        with database.read() as tx:
            details = history.details(tx, accepted.delivery_id)
        assert not accepted.duplicate
        assert accepted.delivery_id.startswith("dlv_")
        assert details is not None
        assert (details.body, details.headers) == (b'{"a": "\xc3\xa9"}', {"webhook-id": "msg_1"})
        assert [(each.label, each.state) for each in details.delivery.changes] == [
            ("evt_1", "pending"),
            ("b", "pending"),
        ]

    def test_the_same_message_again_is_a_duplicate_and_adds_nothing(
        self, number_of: NumberOf, accept: Accept, change: Make
    ) -> None:
        first = accept(change("evt_1"), message_id="msg_1", body=b"same")
        again = accept(change("evt_1"), message_id="msg_1", body=b"same", now=NOW + 5)

        assert again == Accepted(first.delivery_id, duplicate=True)
        assert number_of(changes) == 1

    def test_a_message_id_with_other_bytes_is_refused(self, number_of: NumberOf, accept: Accept, change: Make) -> None:
        accept(change("evt_1"), message_id="msg_1", body=b"one")

        with pytest.raises(MessageIdReused, match="'msg_1' was seen before with other bytes"):
            accept(change("evt_2"), message_id="msg_1", body=b"two")
        assert number_of(changes) == 1

    def test_message_ids_are_of_their_endpoint(
        self, database: Database, accept: Accept, connect: Callable[..., str]
    ) -> None:
        accept(message_id="msg_1", body=b"one")
        connect("con_2", endpoint="ep_2")
        elsewhere = database.write(
            lambda tx: inbox.accept(
                tx, endpoint_id="ep_2", message_id="msg_1", body=b"two", headers={}, new_changes=[], now=NOW
            )
        )
        assert not elsewhere.duplicate

    def test_of_the_same_message_at_the_same_moment_one_is_new(
        self, number_of: NumberOf, accept: Accept, change: Make
    ) -> None:
        with ThreadPoolExecutor(8) as pool:
            accepted = list(pool.map(lambda _: accept(change("evt_1"), message_id="msg_1"), range(8)))

        assert sorted(each.duplicate for each in accepted) == [False, *[True] * 7]
        assert len({each.delivery_id for each in accepted}) == 1
        assert number_of(changes) == 1

    def test_what_feeds_no_connection_is_kept_as_done_with_its_reason(
        self, accept: Accept, claim: Claim, records: Callable[[str], list[ChangeRecord]]
    ) -> None:
        skipped = NewChange("ws_9", "defined", outcome=Outcome.SKIPPED, reason="No connection for the workspace.")
        parked = NewChange("x", "archived", outcome=Outcome.PARKED, reason="Too many.", next_step="Look.")

        first, second = records(accept(new_changes=[skipped, parked]).delivery_id)

        assert (first.state, first.outcome, first.result) == (
            "done",
            "skipped",
            {"reason": "No connection for the workspace."},
        )
        assert (second.state, second.outcome, second.result["next_step"]) == ("parked", "parked", "Look.")
        assert claim() == []

    def test_work_without_a_connection_is_a_defect_and_not_accepted(self, number_of: NumberOf, accept: Accept) -> None:
        with pytest.raises(ValueError, match="needs a connection"):
            accept(new_changes=[NewChange("x", "defined")])
        assert number_of(deliveries) == 0

    def test_deliveries_with_the_same_event_types_the_other_way_round_do_not_wait_for_each_other(
        self, number_of: NumberOf, connect: Callable[..., str], accept: Accept, change: Make
    ) -> None:
        connect("con_2")

        def send(number: int) -> Accepted:
            both = [change("evt_1"), change("evt_2")][:: 1 if number % 2 else -1]
            pair = ["con_1", "con_2"][:: 1 if number % 2 else -1]
            return accept(new_changes=[NewChange(one.label, one.kind, one, to) for to in pair for one in both])

        with ThreadPoolExecutor(6) as pool:
            assert not any(each.duplicate for each in pool.map(send, range(24)))
        assert number_of(changes) == 24 * 4
