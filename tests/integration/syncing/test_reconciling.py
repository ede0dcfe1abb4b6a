"""A reconcile is queued when its time has come, by one process, and repairs without being asked."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from connector.event_types import Outcome
from connector.store import history, reconciles
from connector.store.connections import ConnectionState
from connector.store.history import ChangeRecord
from connector.store.reconciles import DAILY, NEVER, RECONCILE
from connector.store.tables import changes
from tests.integration.syncing.room import Room, complete, event_types

SIGNUP, *OTHERS = event_types(13)


def a_day_later(room: Room) -> None:
    room.world.time.now += DAILY + 1
    room.reconciler.queue_due()
    room.work()


def reconciled(room: Room) -> list[ChangeRecord]:
    with room.world.database.read() as tx:
        rows = tx.execute(select(changes.c.delivery_id).where(changes.c.kind == RECONCILE).order_by(changes.c.id))
        deliveries = list(rows.scalars())
        found = history.changes_of(tx, deliveries)
    return [each for delivery in deliveries for each in found[delivery]]


def test_the_first_comes_a_day_after_the_connection_and_then_daily(room: Room) -> None:
    room.reconciler.queue_due()
    assert reconciled(room) == []
    a_day_later(room)
    room.reconciler.queue_due()
    assert [each.outcome for each in reconciled(room)] == [Outcome.UNCHANGED]
    a_day_later(room)
    assert len(reconciled(room)) == 2


def test_it_repairs_what_broke_and_keeps_what_people_did(room: Room) -> None:
    room.sync(complete(SIGNUP, *OTHERS))
    room.world.edit("event-0", archived=True)
    room.world.edit("event-1", name="Theirs")
    a_day_later(room)
    (record,) = reconciled(room)
    assert (record.outcome, record.result["counts"]) == ("updated", {"repair": 1, "keep": 1, "unchanged": 11})
    assert room.syncer.report(record.result["delivery"]).counts["restored"] == 1
    assert room.world.metrics()["event-0"]["archived"] is False
    assert room.world.metrics()["event-1"]["name"] == "Theirs"


def test_of_many_that_look_at_the_same_moment_one_queues_it(room: Room) -> None:
    room.world.time.now += DAILY + 1
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: room.reconciler.queue_due(), range(8)))
    room.work()
    assert len(reconciled(room)) == 1


def test_of_many_whose_time_has_come_a_few_are_queued_at_once(room: Room) -> None:
    for number in range(6):
        room.world.connect(f"order-{number}")
    room.world.time.now += DAILY + 1
    for expected in (4, 7, 7):
        room.reconciler.queue_due()
        assert len(reconciled(room)) == expected


def test_a_person_may_want_it_more_often_or_never(room: Room) -> None:
    def set_every(seconds: float) -> None:
        now = room.world.time.now
        room.world.database.write(lambda tx: reconciles.set_every(tx, room.id, seconds, now=now))

    set_every(3600.0)
    room.world.time.now += 3601
    room.reconciler.queue_due()
    room.work()
    assert len(reconciled(room)) == 1
    set_every(NEVER)
    with room.world.database.read() as tx:
        assert reconciles.every(tx, room.id) == NEVER
    a_day_later(room)
    assert len(reconciled(room)) == 1


def test_another_key_is_followed_by_one(room: Room) -> None:
    room.world.connections.set_key(room.world.connection, "api-fresh")
    room.reconciler.queue_due()
    room.work()
    assert len(reconciled(room)) == 1


def test_a_paused_connection_is_left_until_it_has_a_key(room: Room) -> None:
    room.sync(complete(SIGNUP))
    room.world.sandbox.state.keys.clear()
    a_day_later(room)
    (record,) = reconciled(room)
    assert (record.state, record.held) == ("pending", True)
    assert room.world.connection_now().state is ConnectionState.PAUSED
    a_day_later(room)
    assert len(reconciled(room)) == 1


def test_while_a_plan_is_at_work_it_waits(room: Room) -> None:
    room.syncer.apply(room.plan(complete(SIGNUP)))
    room.world.time.now += DAILY + 1
    room.reconciler.queue_due()
    work = next(each for each in room.world.claim() if each.kind == RECONCILE)
    settled = room.reconciler.apply(work)
    assert (settled.outcome, settled.due_at) == (None, room.world.time.now + 300)


def test_launchdarkly_out_of_order_is_asked_again_later(sqlite_room: Room) -> None:
    sqlite_room.sync(complete(SIGNUP))
    sqlite_room.world.play("error-503", count=None)
    a_day_later(sqlite_room)
    (record,) = reconciled(sqlite_room)
    assert (record.state, record.result["code"]) == ("pending", "launchdarkly_server_error")


def test_too_many_archives_wait_for_a_person_and_the_rest_is_done(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.sync(complete(SIGNUP, *OTHERS))
    now = complete(replace(SIGNUP, name="Joined"))

    def listed(*_: Any) -> Any:
        return now

    monkeypatch.setattr(room.syncer, "_listed", listed)
    a_day_later(room)
    (record,) = reconciled(room)
    assert (record.outcome, record.result["code"]) == (Outcome.PARKED, "too_many_archives")
    assert "--allow-archive 12" in record.result["next_step"]
    metrics = room.world.metrics()
    assert metrics["event-0"]["name"] == "Joined"
    assert not any(metric["archived"] for metric in metrics.values())
