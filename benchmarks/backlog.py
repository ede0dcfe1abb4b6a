"""The inbox by itself: how fast a catalogue comes in, how fast work is claimed, and what a large backlog costs."""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from sqlalchemy import text

from benchmarks.figures import Figure, Given
from connector.event_types import Change, ChangeKind, EventType
from connector.store import connections, endpoints, inbox, leases, schema
from connector.store.connections import Connection
from connector.store.database import Database
from connector.store.endpoints import Endpoint
from connector.store.inbox import NewChange
from connector.store.vault import Vault, generate_key

_SECTION = "The inbox"
POSTGRES = "CONNECTOR_TEST_POSTGRES_URL"
_CLAIMED = 4


class Inbox:
    """A database with one connection, filled and used as the receivers and runners do."""

    def __init__(self, url: str) -> None:
        self.database = Database(url)
        schema.upgrade(self.database)
        self.name = secrets.token_hex(6)  # so that a server's database may have been used before
        self.filled = 0
        endpoint, connection = Endpoint(f"ep_{self.name}", "standard"), self._connection()
        self.database.write(lambda tx: endpoints.add(tx, endpoint, now=time.time()))
        self.database.write(
            lambda tx: connections.add(tx, Vault([generate_key()]), connection, "api-demo", now=time.time())
        )

    def _connection(self) -> Connection:
        return Connection(
            id=f"con_{self.name}",
            endpoint_id=f"ep_{self.name}",
            name="bench",
            project_key="demo",
            base_url="http://127.0.0.1:9",
        )

    def accept(self, changes: int = 1) -> None:
        tag = secrets.token_hex(8)
        new = [
            NewChange(
                f"{tag}_{number}",
                "defined",
                Change(ChangeKind.DEFINED, EventType(id=f"{tag}_{number}", key=f"{tag}_{number}", name="Bench")),
                f"con_{self.name}",
            )
            for number in range(changes)
        ]
        self.database.write(
            lambda tx: inbox.accept(
                tx,
                endpoint_id=f"ep_{self.name}",
                message_id=tag,
                body=b"{}".ljust(1024),
                headers={},
                new_changes=new,
                now=time.time(),
            )
        )

    def claim(self, limit: int) -> int:
        return len(
            self.database.write(lambda tx: leases.claim(tx, owner="bench", now=time.time(), lease=3600.0, limit=limit))
        )

    def claim_all(self) -> None:
        """A claim of `_CLAIMED`, which are there."""
        if (number := self.claim(_CLAIMED)) != _CLAIMED:
            raise SystemExit(f"a claim took {number} changes instead of {_CLAIMED}: its time says nothing")

    def fill(self, rows: int) -> None:
        """A backlog of pending changes, each of its own delivery and event type, written by the database itself."""
        deliveries = (
            "INSERT INTO deliveries (id, endpoint_id, message_id, body_digest, body, headers, received_at) "
            "SELECT 'dlv_fill_' || n, :endpoint, 'fill_' || n, x'00', x'00', '{}', :now FROM numbers"
        )
        event_types = (
            "INSERT INTO event_types (connection_id, identity, state, created_at) "
            "SELECT :connection, 'id:fill_' || n, '{}', :now FROM numbers"
        )
        changes = (
            "INSERT INTO changes (delivery_id, position, connection_id, event_type_id, label, kind, change, queued_at, "
            "state, due_at, attempts, replays, result) SELECT 'dlv_fill_' || n, 0, :connection, event_types.id, "
            "'fill', 'defined', :change, :now, 'pending', :now, 0, 0, '{}' FROM numbers "
            "JOIN event_types ON connection_id = :connection AND identity = 'id:fill_' || n"
        )
        change = Change(ChangeKind.DEFINED, EventType(id="fill", key="fill", name="Fill"))
        numbers = "WITH RECURSIVE numbers (n) AS (SELECT :first UNION ALL SELECT n + 1 FROM numbers WHERE n < :last) "
        values: dict[str, object] = {"first": self.filled + 1, "last": self.filled + rows, "now": time.time()}
        values |= {"endpoint": f"ep_{self.name}", "connection": f"con_{self.name}"}
        values["change"] = json.dumps(change.to_dict())
        for step in (deliveries, event_types, changes):
            before, select, rest = step.partition("SELECT")
            into = text(before + numbers + select + rest)
            self.database.write(lambda tx, into=into: tx.execute(into, values))  # type: ignore[misc]
        self.filled += rows


def run(given: Given, directory: Path, missing: dict[str, str]) -> Iterator[Figure]:
    fresh = Inbox(f"sqlite:///{directory}/import.db")
    rates = [_rate(given.imported, lambda: fresh.accept(given.imported)) for _ in range(given.rounds)]
    fresh.database.close()
    yield Figure(_SECTION, f"a catalogue of {given.imported:,} event types stored, SQLite", "/s", rates)
    if postgres := os.environ.get(POSTGRES):
        yield from _on_postgres(given, postgres)
    else:
        missing["PostgreSQL"] = f"set {POSTGRES}"
    yield from _against_backlog(given, directory)


def _on_postgres(given: Given, url: str) -> Iterator[Figure]:
    server = Inbox(url)
    try:
        rates = [_rate(given.imported, lambda: server.accept(given.imported)) for _ in range(given.rounds)]
        yield Figure(_SECTION, f"a catalogue of {given.imported:,} event types stored, PostgreSQL", "/s", rates)
        claimed = []
        for _ in range(given.rounds):
            began, number = time.perf_counter(), 0
            for _ in range(50):
                number += server.claim(8)
            claimed.append(number / (time.perf_counter() - began))
        yield Figure(_SECTION, "changes claimed, eight at a time, one runner, PostgreSQL", "/s", claimed)
    finally:
        server.database.write(
            lambda tx: connections.set_state(tx, f"con_{server.name}", connections.ConnectionState.PAUSED)
        )
        server.database.close()


def _against_backlog(given: Given, directory: Path) -> Iterator[Figure]:
    """The p99 of accept and of a claim of four, beside an inbox with nothing else to do.

    Each act is done to one inbox after the other, so that whatever else the machine does falls on all alike. Every
    claim takes four, also where nothing else waits: before a round each inbox gets as many changes as its claims take.
    """
    sizes = sorted({0, min(10_000, given.rows), given.rows})
    inboxes = []
    for size in sizes:
        one = Inbox(f"sqlite:///{directory}/backlog{size}.db")
        if size:
            one.fill(size)
        inboxes.append(one)
    times: dict[tuple[str, int], list[float]] = {(what, size): [] for what in ("accept", "claim") for size in sizes}
    for _ in range(given.rounds):
        count = max(100, given.calls // 4)
        for size, p99 in zip(sizes, _p99s(count, [one.accept for one in inboxes]), strict=True):
            times["accept", size].append(p99)
        for one in inboxes:
            one.fill((_CLAIMED - 1) * count)  # beside those just accepted
        for size, p99 in zip(sizes, _p99s(count, [one.claim_all for one in inboxes]), strict=True):
            times["claim", size].append(p99)
    for one in inboxes:
        one.database.close()
    for what in ("accept", "claim"):
        for size in sizes:
            yield Figure(_SECTION, f"{what} beside {size:,} waiting changes, p99", "ms", times[what, size])
        ratios = [most / none for most, none in zip(times[what, sizes[-1]], times[what, 0], strict=True)]
        yield Figure(_SECTION, f"{what}, p99, {sizes[-1]:,} against none", "times", ratios, goal=1.2, at_most=True)


def _rate(number: int, act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return number / (time.perf_counter() - began)


def _p99s(count: int, acts: Sequence[Callable[[], object]]) -> Iterator[float]:
    """Milliseconds of each of `acts`, taken in turn."""
    taken = [[_seconds(act) for act in acts] for _ in range(count)]
    for seconds in map(sorted, zip(*taken, strict=True)):
        yield seconds[int(0.99 * count)] * 1000


def _seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began
