"""Death at named points: wraps the connector's steps between accept and done so that a process kills itself there.

It runs inside the process that is to die. The connector must never know of it: everything is patched from outside.
"""

from __future__ import annotations

import functools
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

BIRTHS = "births"
DEATHS = "deaths"
MERCY = "mercy"
"""Files of the control directory: the lives so far, the points of death so far; and while the last is there, nobody
dies at a point.
"""

VISITS = 4.0
"""How often a life passes its point before it dies there, on average."""

DOOMED = 0.8
"""The share of lives that end at a named point, unless something else ends them first."""

RECEIVING = (
    "accepting",  # inside the transaction of the inbox
    "accepted",  # committed, the sender does not know
    "answering",  # the outcome is known here, the sender does not know
)
APPLYING = (
    "claiming",
    "claimed",
    "reserving",
    "reserved",
    "POST sent",
    "POST answered",
    "PATCH sent",
    "PATCH answered",
    "before settling",
    "settling",
    "settled",
)


class Fate:
    """Where and when this life ends. `visit` is called by every thread that passes a point."""

    def __init__(self, points: Sequence[str]) -> None:
        self._control = control = Path(os.environ["CHAOS_CONTROL"])
        seed = os.environ["CHAOS_SEED"]
        born = control / BIRTHS
        number = born.read_text().count("\n") if born.exists() else 0
        _append(born, str(os.getpid()))
        dice = Random(f"{seed}/{number}")
        self._point = dice.choice(points) if dice.random() < DOOMED else None
        self._left = int(dice.expovariate(1 / VISITS))
        self._lock = threading.Lock()

    def visit(self, point: str) -> None:
        if point != self._point or (self._control / MERCY).exists():
            return
        with self._lock:
            self._left -= 1
            if self._left < 0:
                try:
                    _append(self._control / DEATHS, point)
                except OSError:
                    return  # the disk is full: a death that cannot be counted is put off
                os.kill(os.getpid(), signal.SIGKILL)


def _append(path: Path, line: str) -> None:
    """One write that outlives the process at once."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, f"{line}\n".encode())
    os.close(descriptor)


def shift_clock() -> None:
    """Let the clock of this process be wrong. To be called before anything of the connector is imported."""
    true_time, skew = time.time, float(os.environ["CHAOS_SKEW"])
    vars(time)["time"] = lambda: true_time() + skew


def install(fate: Fate) -> None:
    """Make every point of this process one where it may die."""
    import requests.adapters  # noqa: PLC0415 - the clock is shifted before these are imported

    from connector.delivery import Applier, EmbeddedRunner  # noqa: PLC0415
    from connector.delivery.celery_runner import CeleryRunner  # noqa: PLC0415
    from connector.launchdarkly import LaunchDarkly, transport  # noqa: PLC0415
    from connector.store import inbox, leases, links  # noqa: PLC0415
    from connector.web.webhooks import Webhooks  # noqa: PLC0415

    def wrap(owner: Any, name: str, *, before: str | None = None, after: str | None = None) -> None:
        original: Callable[..., Any] = getattr(owner, name)

        @functools.wraps(original)
        def mortal(*args: Any, **kwargs: Any) -> Any:
            if before is not None:
                fate.visit(before)
            result = original(*args, **kwargs)
            if after is not None:
                fate.visit(after)
            return result

        setattr(owner, name, mortal)

    wrap(inbox, "accept", after="accepting")
    wrap(EmbeddedRunner, "ring", before="accepted")
    wrap(EmbeddedRunner, "go", before="accepted")
    wrap(CeleryRunner, "ring", before="accepted")
    wrap(Webhooks, "receive", after="answering")
    wrap(leases, "claim", after="claiming")
    wrap(Applier, "_attempt", before="claimed", after="settled")
    wrap(links, "reserve", after="reserving")
    wrap(LaunchDarkly, "create_metric", before="reserved")
    wrap(leases, "settle", before="before settling", after="settling")

    sending = transport.Whole.request
    calling = requests.adapters.HTTPAdapter.send

    def request(self: Any, method: str, *args: Any, **kwargs: Any) -> None:
        sending(self, method, *args, **kwargs)
        fate.visit(f"{method} sent")

    def send(self: Any, prepared: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        answer = calling(self, prepared, *args, **kwargs)
        fate.visit(f"{prepared.method} answered")
        return answer

    vars(transport)["Whole"].request = request
    vars(requests.adapters)["HTTPAdapter"].send = send
