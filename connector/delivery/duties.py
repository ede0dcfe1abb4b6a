"""Periodic duties: what one of all processes does every so often, beside the deliveries and never in their way.

The store says who does a duty when, so any number of processes may offer the same ones. It must never know what a duty
does. `installation.duties` lists them; to add one, put another `Duty` there.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from connector.store import duties
from connector.store.database import Database, StoreUnavailable

log = logging.getLogger(__name__)

SHORTEST_LOOK, LONGEST_LOOK = 1.0, 60.0
"""Seconds between two looks at the store: a shorter interval in another process's settings is noticed in a minute."""

FAREWELL = 10.0
"""Seconds that `stop` waits for all duties that are under way."""


@dataclass(frozen=True, slots=True)
class Duty:
    """`run` is called in a thread of the duty's own about `every` seconds, in one of the processes that offer `name`.

    What it raises is logged, and it is called again when it is due. A run that takes longer than `every` may overlap
    with the next one in another process: what it does must bear that. Where a process ends, a run may be cut off.
    """

    name: str
    every: float
    run: Callable[[], object]
    at_once: bool = True
    """Whether a new installation does it at its first start, or `every` seconds later."""


class Duties:
    """Does duties in threads of its own, from `start` to `stop`."""

    def __init__(self, database: Database, offered: Sequence[Duty], *, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._offered = offered
        self._clock = clock
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        for duty in self._offered:
            thread = threading.Thread(target=self._keep, args=(duty,), name=f"connector-{duty.name}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        deadline = time.monotonic() + FAREWELL
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def look(self, duty: Duty) -> float:
        """Do the duty where it is due. How many seconds later to look again. Raises nothing."""
        try:
            now = self._clock()
            due_at = self._database.write(
                lambda tx: duties.claim(tx, duty.name, every=duty.every, now=now, at_once=duty.at_once)
            )
            if due_at is None:
                duty.run()
                due_at = now + duty.every
        except StoreUnavailable as error:
            log.warning("the duty %s has to wait: %s", duty.name, error)
            return LONGEST_LOOK
        except Exception:
            log.exception("the duty %s failed; it is tried again when it is due", duty.name)
            due_at = now + duty.every
        return min(max(due_at - self._clock(), SHORTEST_LOOK), LONGEST_LOOK)

    def _keep(self, duty: Duty) -> None:
        wait = 0.0
        while not self._stopping.wait(wait):
            wait = self.look(duty)
