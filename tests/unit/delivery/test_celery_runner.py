"""The bell and the receivers' runner: nobody waits for the broker, and the log does not fill while it is down."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import MagicMock

import pytest

from connector.delivery import celery_runner
from connector.delivery import runner as runner_module
from connector.delivery.celery_runner import (
    ENOUGH,
    LONGEST_LOOK,
    TASK,
    Bell,
    BrokerUnavailable,
    CeleryRunner,
    celery_app,
)
from connector.store.database import StoreUnavailable

LONG = 5.0


def broker(waiting: int = 0) -> Any:
    """Celery's application, with so many bells in the queue."""
    app = MagicMock()
    app.connection_for_write().default_channel.queue_declare().message_count = waiting
    app.connection_for_write.reset_mock()
    return app


class TestBell:
    def test_a_ring_is_one_message_without_content_that_expires(self) -> None:
        app = broker()
        Bell(app).publish()

        ((task,), options) = app.send_task.call_args
        assert task == TASK
        assert options["expires"] > 0
        assert options["retry"] is False
        assert not options.keys() & {"args", "kwargs"}

    def test_where_enough_bells_wait_no_other_is_added(self) -> None:
        app = broker(waiting=ENOUGH)
        Bell(app).publish()
        assert not app.send_task.called

    def test_a_connection_that_broke_meanwhile_is_made_again_at_once(self) -> None:
        app = broker()
        bell = Bell(app)
        bell.publish()
        app.send_task.side_effect = [ConnectionResetError, None]

        bell.publish()

        assert app.connection_for_write.call_count == 2

    def test_a_broker_that_is_down_is_asked_once(self) -> None:
        app = broker()
        app.connection_for_write.side_effect = ConnectionRefusedError("refused")
        with pytest.raises(BrokerUnavailable, match="The broker does not answer: refused"):
            Bell(app).publish()
        assert app.connection_for_write.call_count == 1

    def test_to_ring_waits_for_nothing_and_rings_meanwhile_become_one(self) -> None:
        app = broker()
        reached, go, asked = threading.Event(), threading.Event(), threading.Semaphore(0)

        def send(*_: Any, **__: Any) -> None:
            asked.release()
            reached.set()
            go.wait(LONG)

        app.send_task.side_effect = send
        bell = Bell(app)
        bell.start()
        bell.ring()
        assert reached.wait(LONG)
        for _ in range(50):
            bell.ring()
        go.set()
        assert asked.acquire(timeout=LONG)
        assert asked.acquire(timeout=LONG)
        bell.stop()

        assert app.send_task.call_count == 2

    def test_a_broker_that_is_down_is_one_log_line_a_minute(self, caplog: pytest.LogCaptureFixture) -> None:
        app = broker()
        asked = threading.Semaphore(0)

        def refuse() -> None:
            asked.release()
            raise ConnectionRefusedError("refused")

        app.connection_for_write.side_effect = refuse
        moments = iter([100.0, 100.0, 159.0, 160.0, 160.0])
        bell = Bell(app, clock=lambda: next(moments))
        with caplog.at_level(logging.WARNING):
            bell.start()
            for _ in range(3):
                bell.ring()
                assert asked.acquire(timeout=LONG)
            bell.stop()

        assert [record.getMessage() for record in caplog.records] == [
            "The broker does not answer: refused; until it does, workers find new work by their sweeps (1 s)"
        ] * 2


class TestReceiver:
    def test_it_looks_at_the_database_ever_less_often_until_its_time_is_over(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = [0.0]
        slept: list[float] = []

        def sleep(seconds: float) -> None:
            slept.append(seconds)
            now[0] += seconds

        pending = MagicMock(state="pending", leased=True)
        monkeypatch.setattr(runner_module.standing, "of_delivery", lambda _tx, _id: [pending])
        monkeypatch.setattr(runner_module.time, "monotonic", lambda: now[0])
        runner = CeleryRunner(MagicMock(), MagicMock(), seen_within=30, clock=lambda: now[0], sleep=sleep)

        assert not runner.wait("dlv_1", 2.0)
        assert slept[:3] == [0.02, 0.03, 0.045]
        assert max(slept) == LONGEST_LOOK
        assert sum(slept) == pytest.approx(2.0)

    def test_without_the_database_its_health_is_not_known(self) -> None:
        class Down:
            @contextmanager
            def read(self) -> Iterator[None]:
                raise StoreUnavailable("down")
                yield

        down: Any = Down()
        runner = CeleryRunner(down, Bell(broker()), seen_within=30)
        assert runner.health() == "not known while the database is not usable"


@pytest.mark.parametrize(("url", "driver"), [("redis://h", "redis"), ("amqp://h", "amqp"), ("redis://h", "celery")])
def test_without_celery_or_its_driver_the_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, url: str, driver: str
) -> None:
    installed: Sequence[str] = [name for name in ("celery", "redis", "amqp") if name != driver]
    monkeypatch.setattr(celery_runner, "find_spec", lambda name: name if name in installed else None)
    with pytest.raises(BrokerUnavailable, match=r"pip install 'metric-connector\[celery\]'"):
        celery_app(url, "connector")
