"""The only change of a delivery may be leased as it is accepted, under the same conditions as a claim's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from connector.event_types import Change
from connector.store import connections
from connector.store.database import Database
from connector.store.history import ChangeRecord
from connector.store.inbox import Accepted, Lease, Work

NOW = 1_800_000_000.0
LEASE = Lease("runner", NOW + 60)

Accept = Callable[..., Accepted]
Claim = Callable[..., list[Work]]
Make = Callable[..., Change]
Records = Callable[[str], list[ChangeRecord]]


def test_it_is_the_work_that_a_claim_would_have_given(accept: Accept, claim: Claim, change: Make) -> None:
    leased = accept(change("evt_1", "order"), lease=LEASE)
    assert leased.work is not None

    assert claim("another", now=NOW + 59) == []
    (late,) = claim("another", now=NOW + 61)
    assert late == replace(leased.work, owner="another", attempts=2)


def test_it_is_settled_like_any_other(
    accept: Accept, change: Make, settle: Callable[..., bool], records: Records
) -> None:
    leased = accept(change("evt_1"), lease=LEASE)

    assert settle(leased.work)
    assert [record.outcome for record in records(leased.delivery_id)] == ["created"]
    assert accept(change("evt_1"), lease=LEASE).work is not None, "its event type is free again"


def test_a_change_whose_event_type_is_at_work_waits_for_its_turn(accept: Accept, claim: Claim, change: Make) -> None:
    first = accept(change("evt_1"), lease=LEASE)
    second = accept(change("evt_1"), lease=LEASE)

    assert first.work is not None
    assert second.work is None
    assert claim("another", now=NOW + 1) == []


def test_a_change_behind_one_that_waits_does_not_overtake_it(accept: Accept, claim: Claim, change: Make) -> None:
    accept(change("evt_1", name="first"))

    assert accept(change("evt_1", name="second"), lease=LEASE).work is None
    assert [work.change.event_type.name for work in claim() if work.change] == ["first"]


@pytest.mark.parametrize("held", ["paused", "resting"])
def test_a_connection_that_is_held_gets_none(
    database: Database, accept: Accept, claim: Claim, change: Make, pause: Callable[[], None], held: str
) -> None:
    accept(change("evt_0"))
    (work,) = claim()
    if held == "paused":
        pause()
    else:
        with database.read() as tx:
            connection = connections.get(tx, work.connection_id)
        assert connection is not None
        database.write(lambda tx: connections.rest(tx, connection, NOW + 10))

    assert accept(change("evt_1"), lease=LEASE).work is None
    assert claim(now=NOW + 9) == []


def test_of_several_changes_none_is_leased(accept: Accept, claim: Claim, change: Make) -> None:
    assert accept(change("evt_1"), change("evt_2"), lease=LEASE).work is None
    assert len(claim()) == 2


def test_a_duplicate_leases_nothing(accept: Accept, change: Make) -> None:
    accept(change("evt_1"), message_id="msg_1", lease=LEASE)

    assert accept(change("evt_1"), message_id="msg_1", lease=LEASE) == Accepted(
        accept(change("evt_1"), message_id="msg_1").delivery_id, duplicate=True
    )
