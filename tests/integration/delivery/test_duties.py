"""Periodic duties: each is done by one of many processes, when it is due, whatever became of it last time."""

from __future__ import annotations

import logging
import threading

import pytest

from connector.delivery.duties import LONGEST_LOOK, SHORTEST_LOOK, Duties, Duty
from connector.store.database import Database

NOW = 1_800_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_new_duty_is_due_at_once_and_then_every_so_often(database: Database, clock: Clock) -> None:
    done: list[float] = []
    duty = Duty("sweep", 30.0, lambda: done.append(clock.now))
    duties = Duties(database, [duty], clock=clock)
    assert duties.look(duty) == 30.0
    clock.now += 29
    assert duties.look(duty) == SHORTEST_LOOK
    clock.now += 1
    assert duties.look(duty) == 30.0
    assert done == [NOW, NOW + 30]


def test_one_that_is_not_urgent_waits_for_its_first_time(database: Database, clock: Clock) -> None:
    done: list[float] = []
    duty = Duty("sweep", 30.0, lambda: done.append(clock.now), at_once=False)
    duties = Duties(database, [duty], clock=clock)
    assert duties.look(duty) == 30.0
    clock.now += 30
    assert duties.look(duty) == 30.0
    assert done == [NOW + 30]


def test_of_two_processes_one_does_it(database: Database, clock: Clock) -> None:
    done: list[str] = []
    for process in ("one", "other"):
        duty = Duty("sweep", 30.0, lambda process=process: done.append(process))
        Duties(database, [duty], clock=clock).look(duty)
    assert done == ["one"]


def test_of_many_that_look_at_the_same_moment_one_does_it(database: Database, clock: Clock) -> None:
    done: list[int] = []
    together = threading.Barrier(8)

    def look(number: int) -> None:
        duty = Duty("sweep", 30.0, lambda: done.append(number))
        together.wait(60)
        Duties(database, [duty], clock=clock).look(duty)

    threads = [threading.Thread(target=look, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(done) == 1


def test_one_that_fails_is_logged_and_done_again_when_it_is_due(
    database: Database, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    duty = Duty("sweep", 30.0, fail)
    duties = Duties(database, [duty], clock=clock)
    with caplog.at_level(logging.ERROR):
        assert duties.look(duty) == 30.0
    assert "the duty sweep failed" in caplog.text
    done: list[bool] = []
    clock.now += 30
    duties.look(Duty("sweep", 30.0, lambda: done.append(True)))
    assert done == [True]


def test_a_store_that_is_gone_costs_a_wait_and_nothing_else(
    sqlite_database: Database, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    duty = Duty("sweep", 30.0, lambda: None)
    sqlite_database.close()
    assert Duties(sqlite_database, [duty], clock=clock).look(duty) == LONGEST_LOOK
    assert "the duty sweep has to wait" in caplog.text


def test_an_interval_made_shorter_and_a_clock_set_back_do_not_stop_it(database: Database, clock: Clock) -> None:
    done: list[float] = []
    Duties(database, [], clock=clock).look(Duty("sweep", 86400.0, lambda: None))
    Duties(database, [], clock=clock).look(Duty("sweep", 60.0, lambda: done.append(clock.now)))
    assert done == [NOW]


def test_started_it_works_by_itself_and_ends_when_told(database: Database) -> None:
    done = threading.Event()
    duties = Duties(database, [Duty("sweep", 3600.0, done.set)])
    duties.start()
    try:
        assert done.wait(60)
    finally:
        duties.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "connector-sweep"]
