"""`connector deliveries`: what came in is shown as it is, harms no terminal, and can be queued again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connector.event_types import Change, ChangeKind, EventType, Outcome
from connector.store import inbox, leases
from connector.store.connections import Connection
from connector.store.database import Database
from connector.store.inbox import Attempt, NewChange, Settled

NOW = 1_800_000_000.0
HOSTILE = ["[bold]x[/]", "a:smile:b", "\x1b[2Jwiped", "line\nbreak\ttab", "👩‍💻", "\u202elanretxe", "n" * 500]

Run = Callable[..., Any]


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    return connect()


@pytest.fixture
def deliver(database: Database, connection: Connection) -> Callable[..., str]:
    """Stores a delivery of one change, and what came of it, if anything did; returns its id."""
    numbers = iter(range(1000))

    def store(label: str = "evt_1", outcome: Outcome | None = None, **result: Any) -> str:
        number = next(numbers)
        change = Change(ChangeKind.DEFINED, EventType(id=label))

        def write(tx: Any) -> str:
            accepted = inbox.accept(
                tx,
                endpoint_id=connection.endpoint_id,
                message_id=f"msg_{number}",
                body=f'{{"id": "{label}"}}'.encode(),
                headers={"webhook-id": f"msg_{number}", "user-agent": "curl\x1b[31m"},
                new_changes=[NewChange(label, "defined", change, connection.id)],
                now=NOW + number,
            )
            if outcome is not None:
                (work,) = leases.claim(tx, owner="me", now=NOW + number, lease=60, limit=1)
                call = {"started": NOW, "method": "POST", "path": "/api/v2/metrics/demo", "status": 201, "error": None}
                attempt = Attempt(NOW, 0.2, str(outcome), "Said \x1b[31mso.", [call])
                leases.settle(tx, work, attempt, Settled(outcome, result=result), now=NOW)
            return accepted.delivery_id

        return database.write(write)

    return store


class TestListing:
    def test_the_newest_comes_first_with_what_became_of_it(self, connector: Run, deliver: Callable[..., str]) -> None:
        created = deliver("evt_1", Outcome.CREATED, metrics=[{"key": "order"}, {"key": "order-count"}])
        parked = deliver("evt_2", Outcome.PARKED, reason="Mend it.")
        deliver("evt_3")

        lines = [line for line in connector("deliveries", "list").out.splitlines() if line.startswith("│")]

        cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]
        assert [row[2:] for row in cells] == [
            ["evt_3", "defined", "pending, due 2027-01-15 08:00:02", ""],
            ["evt_2", "defined", "parked", "Mend it."],
            ["evt_1", "defined", "created", "order, order-count"],
        ]
        assert [row[:2] for row in cells[1:]] == [[parked, "2027-01-15 08:00:01"], [created, "2027-01-15 08:00:00"]]

    def test_json_pages_and_filters(self, connector: Run, deliver: Callable[..., str]) -> None:
        first = deliver("evt_1", Outcome.PARKED)
        second = deliver("evt_2")

        def ids(*more: str) -> list[str]:
            return [each["id"] for each in connector("deliveries", "list", "--json", *more).json]

        assert ids() == ids("--connection", "Acme") == [second, first]
        assert ids("--limit", "1") == ids("--state", "pending") == [second]
        assert ids("--before", second) == ids("--state", "parked") == [first]
        assert ids("--event-type", "evt_2") == ids("--since", "2027-01-15T08:00:01Z") == [second]
        assert ids("--outcome", "parked", "--until", "2027-01-15 08:00:01") == [first]
        assert ids("--until", "2027-01-16") == [second, first]
        assert ids("--message-id", "none") == ids("--endpoint", "ep_none") == []

    @pytest.mark.parametrize("label", HOSTILE)
    def test_a_hostile_event_type_breaks_no_table(
        self, connector: Run, deliver: Callable[..., str], label: str
    ) -> None:
        delivery = deliver(label, Outcome.PARKED, reason=label)
        listed = connector("deliveries", "list")
        shown = connector("deliveries", "show", delivery)
        for said in (listed, shown):
            assert (said.exit_code, said.err) == (0, "")
            assert all(line.isprintable() for line in said.out.split("\n"))
        assert sum(delivery in line for line in listed.out.splitlines()) == 1
        (record,) = connector("deliveries", "list", "--json").json
        assert record["changes"][0]["label"] == label


class TestShowing:
    def test_a_body_that_fills_screens_is_cut_and_whole_as_json(
        self, connector: Run, deliver: Callable[..., str]
    ) -> None:
        label = "n" * 20_000
        delivery = deliver(label, Outcome.CREATED)
        assert "… and 3,626 bytes more: --json shows all." in connector("deliveries", "show", delivery).out
        assert connector("deliveries", "show", delivery, "--json").json["body"] == f'{{"id": "{label}"}}'

    def test_one_is_shown_with_every_attempt_and_call(self, connector: Run, deliver: Callable[..., str]) -> None:
        delivery = deliver("evt_1", Outcome.CREATED, metrics=[{"key": "order"}], next_step="Look.")
        out = connector("deliveries", "show", delivery).out
        for part in (
            f"{delivery}  received 2027-01-15 08:00:00 UTC at endpoint ep_",
            "message id msg_0",
            "  user-agent: curl�[31m",
            '{"id": "evt_1"}',
            "POST /api/v2/metrics/demo",
            "Said �[31mso.",
            "Look.",
        ):
            assert part in out

    def test_as_json_with_the_body_and_the_attempts(self, connector: Run, deliver: Callable[..., str]) -> None:
        shown = connector("deliveries", "show", deliver("evt_1", Outcome.CREATED), "--json").json
        assert (shown["message_id"], shown["body"]) == ("msg_0", '{"id": "evt_1"}')
        assert [attempt["code"] for attempt in shown["attempts"]] == ["created"]


class TestReplaying:
    def states(self, connector: Run) -> list[str]:
        listed = connector("deliveries", "list", "--json").json
        return [change["state"] for delivery in listed for change in delivery["changes"]]

    def test_named_deliveries_are_queued_again(self, connector: Run, deliver: Callable[..., str]) -> None:
        one, two = deliver("evt_1", Outcome.CREATED), deliver("evt_2", Outcome.CREATED)
        deliver("evt_3", Outcome.CREATED)
        said = connector("deliveries", "replay", one, two)
        assert said.exit_code == 0
        assert said.out.startswith("2 changes are queued again")
        assert self.states(connector) == ["done", "pending", "pending"]
        assert "still under way" in connector("deliveries", "replay", one).err

    def test_all_that_is_parked_is_queued_again(self, connector: Run, deliver: Callable[..., str]) -> None:
        deliver("evt_1", Outcome.PARKED)
        deliver("evt_2", Outcome.CREATED)
        assert connector("deliveries", "replay", "--parked", "--connection", "Acme").out.startswith("1 change is")
        assert self.states(connector) == ["done", "pending"]
        assert connector("deliveries", "replay", "--parked").exit_code == 0
