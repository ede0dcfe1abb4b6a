"""The receivers' side of Celery: rings the workers' bell over the broker, and watches the database for the outcome.

The database is the truth. A message says nothing but that there is work: one that is lost, doubled or late costs at
most the wait until a worker's next sweep. It must never know how a change is applied, nor let a request wait for the
broker.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from typing import Any

from connector.delivery.runner import SWEEP, until_settled
from connector.store import runners
from connector.store.database import Database, StoreUnavailable

log = logging.getLogger(__name__)

TASK = "connector.work"

ENOUGH = 4
"""Bells that may wait in the queue: what more of them would say is said already."""

EXPIRES = 60.0
"""Seconds after which a worker throws away a bell: its sweeps have long found the work."""

TIMEOUT = 3.0
"""Seconds that the broker has for each step."""

COMPLAINS = 60.0
"""Seconds between two log lines about a broker that is down."""

FIRST_LOOK, LONGEST_LOOK = 0.02, 0.25
"""Seconds between two looks at a delivery: they grow by half from the first to the longest."""


class BrokerUnavailable(Exception):
    """The broker, or what it takes to speak to it, is not there."""

    code = "broker_unavailable"


def require_celery(broker_url: str) -> None:
    """Raises `BrokerUnavailable` where Celery or the broker's driver is not installed."""
    driver = "redis" if broker_url.startswith("redis") else "amqp"
    if find_spec("celery") is None or find_spec(driver) is None:
        raise BrokerUnavailable(
            "CONNECTOR_BROKER_URL is set, but Celery is not installed. Run: pip install 'metric-connector[celery]'"
        )


def celery_app(broker_url: str, queue: str) -> Any:
    """The Celery application that receivers and workers share. Raises `BrokerUnavailable`, see `require_celery`.

    Settings: https://docs.celeryq.dev/en/stable/userguide/configuration.html
    """
    require_celery(broker_url)
    from celery import Celery  # type: ignore[import-untyped]  # noqa: PLC0415 - only for those who have a broker

    if broker_url.startswith("redis"):
        time_outs = {"socket_connect_timeout": TIMEOUT, "socket_timeout": 2 * TIMEOUT}
    else:
        time_outs = {"read_timeout": 2 * TIMEOUT, "write_timeout": TIMEOUT}
    app = Celery("connector", broker=broker_url, set_as_current=False)
    app.conf.update(
        task_default_queue=queue,
        task_default_delivery_mode="transient",  # the broker need not write to its disk what may be lost
        task_ignore_result=True,
        broker_connection_timeout=TIMEOUT,
        broker_transport_options={**time_outs, "max_retries": 0},
    )
    return app


class Bell:
    """Tells the workers that there is work. `ring` returns at once: a thread of its own speaks to the broker.

    Rings while the broker is being told, or is down, become one.
    """

    def __init__(self, app: Any, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._clock = clock
        self._connection: Any = None
        self._declared = False
        self._rung = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._complain_at = 0.0

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="connector-bell", daemon=True)
        self._thread.start()

    def ring(self) -> None:
        self._rung.set()

    def stop(self) -> None:
        self._stopping = True
        self._rung.set()
        if self._thread is not None:
            self._thread.join(TIMEOUT)
        if self._thread is None or not self._thread.is_alive():
            self._disconnect()

    def publish(self) -> None:
        """Tell the broker now. Raises `BrokerUnavailable`."""
        while True:
            fresh = self._connection is None
            try:
                self._send()
            except Exception as error:  # noqa: BLE001 - every transport has errors of its own
                self._disconnect()
                if fresh:
                    reason = str(error) or type(error).__name__
                    raise BrokerUnavailable(f"The broker does not answer: {reason}") from None
            else:
                return

    def _send(self) -> None:
        name = self._app.conf.task_default_queue
        if self._connection is None:
            self._connection = self._app.connection_for_write()
        channel = self._connection.default_channel
        queue = self._app.amqp.queues[name].bind(channel)
        if not self._declared:
            queue.declare()
            self._declared = True
        # To declare what is there changes nothing and says how long it is.
        waiting = channel.queue_declare(
            queue=name, durable=queue.durable, exclusive=queue.exclusive, auto_delete=queue.auto_delete
        ).message_count
        if waiting < ENOUGH:
            with self._app.amqp.Producer(self._connection, auto_declare=False) as producer:
                self._app.send_task(TASK, queue=name, expires=EXPIRES, producer=producer, retry=False)

    def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(Exception):
                self._connection.collect(TIMEOUT)
            self._connection = None
            self._declared = False

    def _run(self) -> None:
        while True:
            self._rung.wait()
            if self._stopping:
                break
            self._rung.clear()
            try:
                self.publish()
            except BrokerUnavailable as error:
                if self._clock() >= self._complain_at:
                    self._complain_at = self._clock() + COMPLAINS
                    log.warning("%s; until it does, workers find new work by their sweeps (%g s)", error, SWEEP)


class CeleryRunner:
    """The runner of a receiver whose work is done by `connector worker`, here or on other machines.

    Without a worker for `seen_within` seconds it is not healthy.
    """

    def __init__(
        self,
        database: Database,
        bell: Bell,
        *,
        seen_within: float,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._database = database
        self._bell = bell
        self._seen_within = seen_within
        self._clock = clock
        self._sleep = sleep

    def start(self) -> None:
        self._bell.start()

    def seat(self, connection_id: str) -> None:
        """None: the threads are elsewhere."""

    def ring(self) -> None:
        self._bell.ring()

    def wait(self, delivery_id: str, seconds: float) -> bool:
        look = FIRST_LOOK

        def pause(left: float) -> None:
            nonlocal look
            self._sleep(min(left, look))
            look = min(look * 1.5, LONGEST_LOOK)

        return until_settled(self._database, delivery_id, seconds, pause=pause, clock=self._clock)

    def health(self) -> str:
        since = self._clock() - self._seen_within
        try:
            with self._database.read() as tx:
                alive = runners.seen(tx, since=since)
        except StoreUnavailable:
            return "not known while the database is not usable"
        return "ok" if alive else f"no worker was seen for {self._seen_within:g} seconds; run: connector worker"

    def stop(self) -> None:
        self._bell.stop()
