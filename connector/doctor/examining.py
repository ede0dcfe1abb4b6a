"""Runs the checks and keeps what each says, whatever one of them does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from connector.doctor import configuration, customers, machine, storage, work
from connector.doctor.findings import Finding, Skipped, Verdict, failure, warning
from connector.doctor.premises import Customer, Premises
from connector.store.database import StoreUnavailable

CHECKS: tuple[Callable[[Premises], Finding], ...] = (
    *configuration.CHECKS,
    *machine.CHECKS,
    *storage.CHECKS,
    *work.CHECKS,
)
"""Those of the installation."""

OF_CONNECTIONS: tuple[Callable[[Customer], Finding], ...] = customers.CHECKS

MOST_CONNECTIONS = 100
"""Connections that are looked at unless one is named: each costs a few calls to LaunchDarkly."""

TOGETHER = 8


def examine(
    environment: Mapping[str, str], connection: str | None = None, *, clock: Callable[[], float] = time.time
) -> Sequence[Finding]:
    """What every check says, in their order; with `connection` (an id or name) only that one's. Raises nothing."""
    premises = Premises(environment, clock)
    try:
        return [*_of_installation(premises), *_of_connections(premises, connection)]
    finally:
        premises.close()


def _of_installation(premises: Premises) -> Iterator[Finding]:
    for check in CHECKS:
        yield _said(check.__name__, lambda check=check: check(premises))  # type: ignore[misc]


def _of_connections(premises: Premises, connection: str | None) -> Iterator[Finding]:
    name = "connections"
    try:
        found = premises.connected(connection)
    except (Skipped, StoreUnavailable) as reason:
        yield Finding(Verdict.SKIPPED, str(reason), check=name)
        return
    if not found:
        yield replace(
            warning("There is no connection yet.", "Add one: connector connections add --help")
            if connection is None
            else failure(f"There is no connection {connection!r}.", "See: connector connections list"),
            check=name,
        )
    if len(found) > MOST_CONNECTIONS:
        yield replace(
            warning(
                f"There are {len(found)} connections; the first {MOST_CONNECTIONS} were looked at.",
                "Name another one: connector doctor CONNECTION",
            ),
            check=name,
        )
    with ThreadPoolExecutor(TOGETHER, thread_name_prefix="connector-doctor") as pool:
        for findings in pool.map(_of_connection, found[:MOST_CONNECTIONS]):
            yield from findings


def _of_connection(customer: Customer) -> list[Finding]:
    return [
        replace(_said(check.__name__, lambda check=check: check(customer)), connection=customer.connection.name)  # type: ignore[misc]
        for check in OF_CONNECTIONS
    ]


def _said(name: str, check: Callable[[], Finding]) -> Finding:
    try:
        found = check()
    except Skipped as reason:
        found = Finding(Verdict.SKIPPED, str(reason))
    except StoreUnavailable as error:
        found = failure(str(error), "Mend the database; see the checks of the database above.")
    except Exception as error:  # noqa: BLE001 - a doctor that falls ill has to say so, and go on
        # Its text may repeat anything, a secret too.
        found = failure(
            f"The check itself failed ({type(error).__name__}).", "Report this as a defect of the connector."
        )
    return replace(found, check=name)
