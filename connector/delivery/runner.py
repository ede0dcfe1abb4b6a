"""The embedded runner: threads of this process that apply what is in the inbox.

The database is the truth; a ring only saves the wait until the next sweep. It must never know how a change is applied.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Protocol

from sqlalchemy import Connection as Tx
from sqlalchemy.exc import SQLAlchemyError

from connector.store import inbox, leases, runners, standing
from connector.store.database import Database, StoreUnavailable
from connector.store.inbox import Begin, Lease, Settled, Work

log = logging.getLogger(__name__)

LEASE = 300.0
"""Seconds after which work of a runner that died is claimed again: more than the calls of any attempt can take."""

SWEEP = 1.0
"""Seconds between two looks for work that nobody rang for."""

PURGE = 3600.0

BEATS = 6
"""How often a runner says that it lives, in the time after which it is taken for dead."""


class Seat(Protocol):
    """A thread that is kept free for one change which is about to be accepted. Either `go` or `leave` ends it."""

    @property
    def lease(self) -> Lease: ...

    def begin(self, tx: Tx, work: Work) -> None:
        """Begin the attempt within the transaction that accepts the change; the last one counts."""

    def go(self) -> None:
        """The transaction is durable: go on with the attempt, in the thread."""

    def wait(self, seconds: float) -> Settled | None:
        """What came of the attempt; None where it takes longer, or could not be written down."""

    def leave(self) -> None:
        """Nothing was begun: the thread is for others."""


class Runner(Protocol):
    """Whatever applies the inbox: threads here, or workers elsewhere."""

    def start(self) -> None: ...

    def seat(self, connection_id: str) -> Seat | None:
        """A thread for a change of this connection that is accepted now, where one is free and nothing waits for it."""

    def ring(self) -> None:
        """There is new work."""

    def wait(self, delivery_id: str, seconds: float) -> bool:
        """Wait until every change of a delivery is finished or parked; False where it takes longer."""

    def health(self) -> str:
        """`ok`, or what is wrong."""

    def stop(self) -> None: ...


def until_settled(
    database: Database,
    delivery_id: str,
    seconds: float,
    *,
    pause: Callable[[float], object],
    clock: Callable[[], float],
) -> bool:
    """`Runner.wait`: `pause` returns when it is worth another look, after the seconds it is given at the latest."""
    deadline = time.monotonic() + seconds
    while True:
        with database.read() as tx:
            changes = standing.of_delivery(tx, delivery_id)
        pending = [change for change in changes if change.state == "pending"]
        if not pending:
            return True
        left = deadline - time.monotonic()
        # What waits for a person or for a later attempt is not worth a thread's time. Leased work has a later
        # `due_at` as well, but it is being applied now.
        idle = [change for change in pending if not change.leased and (change.held or change.due_at > clock() + left)]
        if len(idle) == len(pending) or left <= 0:
            return False
        pause(left)


class EmbeddedRunner:
    """Claims and applies in this process. `sole` says that no other runner uses the database.

    Leases that it finds at the start are then those of a process that died, and are taken back at once. Beside others,
    it says that it lives and gives back what those have leased that were not seen for `take_over_after` seconds.
    `pass_on` is called where there may be more work than it has threads for. Without `sweeps` it looks for work only
    when it is rung for.
    """

    def __init__(
        self,
        database: Database,
        begin: Begin,
        *,
        threads: int,
        sole: bool,
        sweeps: bool = True,
        take_over_after: float | None = None,
        pass_on: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._begin = begin
        self._threads = threads
        # One customer whose LaunchDarkly is slow may hold at most half of the threads.
        self._most = max(1, threads // 2)
        self._sole = sole
        self._sweeps = sweeps
        self._take_over_after = take_over_after
        self._pass_on = pass_on
        self._clock = clock
        self._beat_at = 0.0
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._bell = threading.Event()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._more = False
        self._owed: list[Work] = []
        self._running: Counter[str] = Counter()
        self._waiting: defaultdict[str, set[threading.Event]] = defaultdict(set)
        self._dispatcher: threading.Thread | None = None
        self._pool: ThreadPoolExecutor | None = None

    @property
    def alive(self) -> bool:
        return self._dispatcher is not None and self._dispatcher.is_alive()

    def health(self) -> str:
        return "ok" if self.alive else "not running"

    def start(self) -> None:
        if self._sole:
            given_back = self._database.write(lambda tx: leases.release_leases(tx, now=self._clock()))
            if given_back:
                log.info("took back %d unfinished changes of a process that ended", given_back)
        self._beat()
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="connector-apply")
        self._dispatcher = threading.Thread(target=self._dispatch, name="connector-dispatch", daemon=True)
        self._dispatcher.start()

    def ring(self) -> None:
        self._bell.set()

    def seat(self, connection_id: str) -> Seat | None:
        with self._lock:
            if (
                self._more  # those who wait already come first
                or self._pool is None
                or self._stopping.is_set()
                or self._running.total() >= self._threads
                or self._running[connection_id] >= self._most
            ):
                return None
            self._running[connection_id] += 1
        return _Seat(self, connection_id, Lease(self._owner, self._clock() + LEASE))

    def wait(self, delivery_id: str, seconds: float) -> bool:
        finished = threading.Event()

        def pause(left: float) -> None:
            finished.wait(left)
            finished.clear()

        with self._lock:
            self._waiting[delivery_id].add(finished)
        try:
            return until_settled(self._database, delivery_id, seconds, pause=pause, clock=self._clock)
        finally:
            with self._lock:
                self._waiting[delivery_id].discard(finished)
                if not self._waiting[delivery_id]:
                    del self._waiting[delivery_id]

    def stop(self) -> None:
        """Finish what is under way and take no more."""
        self._stopping.set()
        self._bell.set()
        if self._dispatcher is not None:
            self._dispatcher.join()
        if self._pool is not None:
            self._finish(self._pool)
        with suppress(StoreUnavailable):
            self._give_back()
        if self._take_over_after is not None:
            with suppress(StoreUnavailable):
                self._database.write(lambda tx: runners.leave(tx, self._owner), durable=False)

    def _finish(self, pool: ThreadPoolExecutor) -> None:
        """Wait for the threads; while they are at it, nobody must take this runner for dead."""
        pool.shutdown(wait=False)
        while True:
            self._bell.clear()
            with self._lock:
                if not self._running:
                    break
            self._bell.wait(SWEEP)
            with suppress(StoreUnavailable):
                self._beat()
        pool.shutdown(wait=True)

    def _dispatch(self) -> None:
        purge_at = 0.0
        rung = True
        while not self._stopping.is_set():
            self._bell.clear()
            again = False
            try:
                self._give_back()
                self._beat()
                if rung or self._sweeps:
                    again = self._claim()
                if self._clock() >= purge_at:
                    purge_at = self._clock() + PURGE
                    self._database.write(lambda tx: inbox.purge(tx, now=self._clock()))
            except StoreUnavailable as error:
                log.warning("the inbox cannot be read: %s", error)
                self._stopping.wait(SWEEP)
            except Exception:
                log.exception("the dispatcher failed; it goes on")
                self._stopping.wait(SWEEP)
            rung = again or self._bell.wait(SWEEP)

    def _give_back(self) -> None:
        """Give back what could not be settled, as soon as the store is there: nobody takes it over from the living."""
        with self._lock:
            owed = list(self._owed)
        if not owed:
            return
        due_at = self._clock() + SWEEP

        def give_back(tx: Tx) -> None:
            for work in owed:
                leases.give_back(tx, work, due_at=due_at)

        self._database.write(give_back, durable=False)
        with self._lock:
            del self._owed[: len(owed)]

    def _beat(self) -> None:
        dead_after, now = self._take_over_after, self._clock()
        if dead_after is None or now < self._beat_at:
            return

        def beat(tx: Tx) -> int:
            runners.beat(tx, self._owner, now=now)
            return runners.release_leases_of_dead(tx, now=now, dead_after=dead_after)

        if taken_over := self._database.write(beat, durable=False):
            log.warning("took over %d unfinished changes of a runner that died", taken_over)
            self._bell.set()
        self._beat_at = now + dead_after / BEATS

    def _claim(self) -> bool:
        """Take what there are threads for; whether there may be more that it could take at once."""
        # What is left waits for a thread, or for a change before it: whatever finishes is a reason to look again.
        self._more = True  # also for what finishes before the claim is done, and so that nobody takes a seat
        with self._lock:
            busy = [connection for connection, running in self._running.items() if running >= self._most]
            highest = max((running for running in self._running.values() if running < self._most), default=0)
            # All that is claimed may be of one connection: no more than each of them may still have.
            free = min(self._threads - self._running.total(), self._most - highest)
        if free <= 0:
            return False

        def claim(tx: Tx) -> tuple[Sequence[tuple[Work, Callable[[], Settled]]], bool]:
            now = self._clock()
            work = leases.claim(tx, owner=self._owner, now=now, lease=LEASE, limit=free, busy=busy)
            return [(each, self.begin(tx, each)) for each in work], leases.waits(tx, now=now)

        begun, self._more = self._database.write(claim, durable=False)
        if len(begun) == free:
            self._pass_on()
        with self._lock:
            self._running.update(work.connection_id for work, _ in begun)
        for work, attempt in begun:
            self.go(work, attempt)
        return bool(begun) and self._more

    def begin(self, tx: Tx, work: Work) -> Callable[[], Settled]:
        """A defect in beginning is the attempt's to show: it must not undo a transaction that is others' too."""
        try:
            return self._begin(tx, work)
        except SQLAlchemyError:
            raise
        except Exception as error:  # noqa: BLE001 - of any kind
            return partial(_raise, error)

    def go(
        self, work: Work, attempt: Callable[[], Settled], ended: Callable[[Settled | None], None] = lambda _: None
    ) -> None:
        """Go on with an attempt in a thread that is counted already; `ended` learns what was written down of it."""

        def go() -> None:
            settled: Settled | None = None
            try:
                settled = attempt()
            except Exception as error:  # noqa: BLE001 - of any kind: the next attempt settles it by reading back
                log.error("change %s cannot be settled now: %s", work.change_id, error)  # noqa: TRY400 - one line
                with self._lock:
                    self._owed.append(work)
            finally:
                self.free(work.connection_id)
                ended(settled)
                with self._lock:
                    waiting = list(self._waiting.get(work.delivery_id, ()))
                for finished in waiting:
                    finished.set()
                if settled is None or self._more or self._stopping.is_set():
                    self._bell.set()

        assert self._pool is not None  # noqa: S101 - `start` made it before anything could be claimed
        try:
            self._pool.submit(go)
        except RuntimeError:  # it was stopped meanwhile: what is leased is given back, as far as that is possible
            with self._lock:
                self._owed.append(work)
            self.free(work.connection_id)
            ended(None)

    def free(self, connection_id: str) -> None:
        """A thread is there for others again."""
        with self._lock:
            self._running[connection_id] -= 1
            if not self._running[connection_id]:
                del self._running[connection_id]
        if self._stopping.is_set():
            self._bell.set()


def _raise(error: Exception) -> Settled:
    raise error


class _Seat:
    def __init__(self, runner: EmbeddedRunner, connection_id: str, lease: Lease) -> None:
        self.lease = lease
        self._runner = runner
        self._connection_id = connection_id
        self._attempt: tuple[Work, Callable[[], Settled]] | None = None
        self._settled: Settled | None = None
        self._over = threading.Lock()
        self._over.acquire()

    def begin(self, tx: Tx, work: Work) -> None:
        self._attempt = work, self._runner.begin(tx, work)

    def go(self) -> None:
        assert self._attempt is not None  # noqa: S101 - `begin` comes first
        self._runner.go(*self._attempt, self._end)

    def wait(self, seconds: float) -> Settled | None:
        self._over.acquire(timeout=seconds)
        return self._settled

    def leave(self) -> None:
        self._runner.free(self._connection_id)

    def _end(self, settled: Settled | None) -> None:
        self._settled = settled
        self._over.release()
