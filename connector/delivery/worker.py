"""A Celery worker around a runner: what comes from the broker rings the runner's bell, and nothing else.

The runner sweeps and applies in threads of its own, so that a broker that is down stops no work. It must never know
how a change is applied.
"""

from __future__ import annotations

from typing import Any

from connector.delivery.celery_runner import TASK, TIMEOUT, Bell, BrokerUnavailable
from connector.delivery.runner import Runner


def check_broker(app: Any) -> None:
    """Raises `BrokerUnavailable` where the broker does not answer."""
    try:
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=0, timeout=TIMEOUT)
    except Exception as error:  # noqa: BLE001 - every transport has errors of its own
        reason = str(error) or type(error).__name__
        raise BrokerUnavailable(
            f"The broker does not answer: {reason}. Check CONNECTOR_BROKER_URL, and that the broker runs."
        ) from None


def work(app: Any, runner: Runner, bell: Bell) -> None:
    """Work until SIGTERM or SIGINT, then finish what is under way.

    Celery keeps the signals and the connection to the broker, which it makes again as often as it breaks.
    """
    from celery import signals  # type: ignore[import-untyped]  # noqa: PLC0415 - only for those who have a broker

    @app.task(name=TASK)  # type: ignore[untyped-decorator]
    def ring() -> None:
        runner.ring()

    def keep_logging(**_: Any) -> None:
        """That somebody listens to this signal keeps Celery from setting up logging of its own."""

    signals.setup_logging.connect(keep_logging)
    app.conf.update(
        worker_pool="threads",
        worker_concurrency=1,
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_redirect_stdouts=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
    )
    celery_worker = app.Worker(without_gossip=True, without_mingle=True, without_heartbeat=True, quiet=True)
    # Its event loop notices a signal only when it wakes, which without this may take ten seconds.
    celery_worker.timer.call_repeatedly(0.5, lambda: None)
    bell.start()
    runner.start()
    try:
        celery_worker.start()
    finally:
        runner.stop()
        bell.stop()
