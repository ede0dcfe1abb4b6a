"""Checks of the work: who does it, what waits, what is stuck."""

from __future__ import annotations

import fcntl

from connector.delivery.celery_runner import BrokerUnavailable, celery_app
from connector.delivery.worker import check_broker
from connector.doctor.findings import Finding, Skipped, failure, ok, warning
from connector.doctor.premises import Premises
from connector.store import alerts, checkup, runners

GRACE = 300.0
"""Seconds that a duty may be late before something is wrong."""


def backlog(premises: Premises) -> Finding:
    now = premises.clock()
    with premises.database.read() as tx:
        oldest = alerts.oldest_wait(tx)
    if oldest is None:
        return ok("Nothing waits.")
    said = f"The oldest change that is not held by a pause has waited for {max(0.0, now - oldest):.0f} seconds."
    if now - oldest > premises.settings.alert_backlog:
        return failure(
            said, "See runner and broker below, and the connections: connector deliveries list --state pending"
        )
    return ok(said)


def parked(premises: Premises) -> Finding:
    with premises.database.read() as tx:
        number = sum(trouble.parked for trouble in alerts.troubles(tx))
    if number:
        return failure(
            f"{number} parked change{'' if number == 1 else 's'} wait{'s' if number == 1 else ''} for a person.",
            "See why: connector deliveries list --state parked. Mend it, then: connector deliveries replay",
        )
    return ok("Nothing is parked.")


def runner(premises: Premises) -> Finding:
    """Somebody has to apply what comes in."""
    settings = premises.settings
    if settings.sqlite:
        if _held(premises):
            return ok("connector serve runs, and applies.")
        return failure("Nobody applies changes: connector serve does not run.", "Run: connector serve")
    with premises.database.read() as tx:
        alive = runners.seen(tx, since=premises.clock() - settings.take_over_after)
    if not alive:
        who = "connector serve" if settings.broker_url is None else "connector worker"
        return failure(f"Nobody applies changes: no {who} was seen for {settings.take_over_after:g} s.", f"Run: {who}")
    return ok("Somebody who applies changes was seen a moment ago.")


def _held(premises: Premises) -> bool:
    try:
        with (premises.settings.instance / "runner.lock").open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return False
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False


def leases(premises: Premises) -> Finding:
    now = premises.clock()
    with premises.database.read() as tx:
        number = checkup.stale_leases(tx, now=now)
    if number:
        return warning(
            f"{number} changes were taken by somebody who never came back, and nobody else has taken them yet.",
            "Start connector serve or a worker: they are taken over by themselves.",
        )
    return ok("Nobody has left work behind.")


def duties(premises: Premises) -> Finding:
    with premises.database.read() as tx:
        late = checkup.overdue_duties(tx, before=premises.clock() - GRACE)
    if late:
        return warning(
            f"Late: {', '.join(late)}.", "Keep connector serve or a worker running; the log says why a duty fails."
        )
    return ok("All that is done every so often is done.")


def alerts_sent(premises: Premises) -> Finding:
    with premises.database.read() as tx:
        number = checkup.unsent_alerts(tx)
    if number:
        return warning(
            f"{number} messages about alerts could not be sent yet.",
            "The log says why; check the address, secret and password of the sink.",
        )
    return ok("Every alert was sent.")


def broker(premises: Premises) -> Finding:
    settings = premises.settings
    if settings.broker_url is None:
        raise Skipped("There is no broker: connector serve applies by itself.")
    try:
        check_broker(celery_app(settings.broker_url, settings.broker_queue))
    except BrokerUnavailable as error:
        return failure(str(error), "Start it; until then workers find new work by looking each second.")
    return ok("The broker answers.")


CHECKS = (backlog, parked, runner, leases, duties, alerts_sent, broker)
