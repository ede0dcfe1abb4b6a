"""Alerts are said once, said again when it is worse and when it is over, whatever a sink does."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import pytest

from connector.alerts import SinkFailed, Watch
from connector.alerts.watching import GIVE_UP, WAITS
from connector.event_types import Outcome
from connector.store.inbox import Settled
from tests.integration.alerts.conftest import World


class Sink:
    def __init__(self) -> None:
        self.got: list[tuple[str, Mapping[str, Any]]] = []
        self.tried = 0
        self.fails = False

    def send(self, message_id: str, content: Mapping[str, Any], now: float) -> None:
        self.tried += 1
        if self.fails:
            raise SinkFailed("The receiver answered HTTP 503.")
        self.got.append((message_id, content))

    @property
    def said(self) -> list[tuple[str, str]]:
        return [(content["state"], content["kind"]) for _, content in self.got]


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def watch(world: World, sink: Sink) -> Watch:
    return Watch(
        world.database, {"webhook": sink}, base_url="https://hooks.example.com", backlog=300, clock=world.clock
    )


def test_a_pause_is_said_once_and_once_more_when_it_is_over(world: World, sink: Sink, watch: Watch) -> None:
    world.connect()
    watch.run()
    assert sink.got == []
    world.pause("launchdarkly_unauthorized")
    watch.run()
    watch.run()
    assert sink.said == [("raised", "key_refused")]
    content = sink.got[0][1]
    assert content["connection"] == "con_1"
    assert content["summary"] == "Acme is paused: LaunchDarkly refuses its key."
    assert content["detail"] == "Its key is refused."
    assert content["at"] == content["raised_at"] == "2027-01-15T08:00:00+00:00"
    world.now += 60
    world.resume()
    watch.run()
    watch.run()
    assert sink.said == [("raised", "key_refused"), ("solved", "key_refused")]
    assert sink.got[1][1]["raised_at"] == "2027-01-15T08:00:00+00:00"
    assert sink.got[1][1]["at"] == "2027-01-15T08:01:00+00:00"
    assert sink.got[0][0] != sink.got[1][0]


def test_each_connection_has_its_own(world: World, sink: Sink, watch: Watch) -> None:
    world.connect()
    world.connect("con_2", "Other")
    world.pause("launchdarkly_forbidden")
    world.pause("launchdarkly_forbidden", "con_2")
    watch.run()
    assert {content["connection"] for _, content in sink.got} == {"con_1", "con_2"}


def test_parked_work_is_said_until_it_is_replayed(world: World, sink: Sink, watch: Watch) -> None:
    world.connect()
    world.park()
    watch.run()
    world.park()
    watch.run()
    assert sink.said == [("raised", "work_parked")]


def test_an_old_backlog_is_said_and_solved(world: World, sink: Sink, watch: Watch) -> None:
    world.connect()
    world.accept()
    world.now += 299
    watch.run()
    assert sink.got == []
    world.now += 2
    watch.run()
    assert sink.said == [("raised", "backlog_old")]
    world.attempt(Settled(Outcome.CREATED))
    watch.run()
    assert sink.said == [("raised", "backlog_old"), ("solved", "backlog_old")]


def test_what_a_pause_holds_is_no_backlog(world: World, sink: Sink, watch: Watch) -> None:
    world.connect()
    world.accept()
    world.pause("paused_by_person")
    world.now += 1000
    watch.run()
    assert sink.said == [("raised", "connection_paused")]


def test_the_failing_share_is_said_again_at_each_higher_step_only(world: World, sink: Sink, watch: Watch) -> None:
    world.connect()
    world.accept(10)
    failing = Settled(None, due_at=world.now + 1e6, result={"code": "launchdarkly_server_error"})
    world.attempt(Settled(Outcome.CREATED), 5)
    world.attempt(failing, 4)
    watch.run()
    assert sink.got == []
    world.attempt(failing)
    watch.run()
    watch.run()
    assert [content["level"] for _, content in sink.got] == [50]
    world.accept(40)
    world.attempt(failing, 40)
    watch.run()
    assert [content["level"] for _, content in sink.got] == [50, 90]
    world.succeed(20)  # of the latest fifty: thirty fail
    watch.run()
    assert len(sink.got) == 2
    world.succeed(10)
    watch.run()
    assert sink.said[2:] == [("solved", "failing_share")]


def test_a_single_failure_and_a_wait_for_a_turn_are_no_trend(world: World, sink: Sink, watch: Watch) -> None:
    world.connect()
    world.accept(9)
    world.attempt(Settled(None, due_at=world.now + 1e6, result={"code": "launchdarkly_server_error"}))
    watch.run()
    world.attempt(Settled(None, due_at=world.now + 1e6, result={"code": "launchdarkly_rate_limited"}), 8)
    watch.run()
    assert sink.got == []


def test_a_sink_that_fails_is_tried_again_with_the_same_id_and_stops_no_other(world: World, sink: Sink) -> None:
    other = Sink()
    watch = Watch(
        world.database, {"webhook": sink, "slack": other}, base_url="https://hooks.example.com", backlog=300,
        clock=world.clock,
    )  # fmt: skip
    world.connect()
    world.pause("launchdarkly_unauthorized")
    sink.fails = True
    watch.run()
    watch.run()
    assert sink.tried == 1
    assert other.said == [("raised", "key_refused")]
    sink.fails = False
    world.now += WAITS[0]
    watch.run()
    assert sink.said == [("raised", "key_refused")]
    world.now += WAITS[-1]
    watch.run()
    assert sink.tried == 2


def test_one_failure_is_enough_for_a_look(world: World, sink: Sink, watch: Watch) -> None:
    for number in range(5):
        world.connect(f"con_{number}")
        world.pause("launchdarkly_unauthorized", f"con_{number}")
    sink.fails = True
    watch.run()
    assert sink.tried == 1
    sink.fails = False
    world.now += WAITS[0]
    watch.run()
    assert len(sink.got) == 5


def test_a_message_that_never_goes_is_given_up_after_a_day(
    world: World, sink: Sink, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    world.connect()
    world.pause("launchdarkly_unauthorized")
    sink.fails = True
    watch.run()
    world.now += GIVE_UP
    watch.run()
    assert caplog.records[-1].levelno == logging.ERROR
    assert "given up: The receiver answered HTTP 503." in caplog.text
    world.now += GIVE_UP
    watch.run()
    assert sink.tried == 2


def test_what_a_sink_that_is_gone_should_say_is_forgotten(world: World, sink: Sink, watch: Watch) -> None:
    world.connect()
    world.pause("launchdarkly_unauthorized")
    sink.fails = True
    watch.run()
    world.now += WAITS[0]
    Watch(world.database, {}, base_url="https://hooks.example.com", backlog=300, clock=world.clock).run()
    sink.fails = False
    world.now += WAITS[-1]
    watch.run()
    assert sink.got == []


def test_without_a_sink_the_log_has_it(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.connect()
    world.pause("launchdarkly_unauthorized")
    with caplog.at_level(logging.INFO, "connector"):
        Watch(world.database, {}, base_url="https://hooks.example.com", backlog=300, clock=world.clock).run()
    assert [(record.getMessage(), record.kind) for record in caplog.records] == [("alert raised", "key_refused")]
