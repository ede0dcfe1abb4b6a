"""The console's figures, from rows as the inbox writes them."""

from __future__ import annotations

import pytest

from connector.event_types import Change, ChangeKind, EventType, Outcome
from connector.store import budgets, connections, endpoints, event_types, inbox, links, overview, sessions, shown_plans
from connector.store.budgets import Budget
from connector.store.connections import Connection
from connector.store.database import Database
from connector.store.endpoints import Endpoint
from connector.store.inbox import NewChange
from connector.store.links import Link, LinkState
from connector.store.shown_plans import KEEP
from connector.store.vault import Vault

NOW = 1_800_000_000.0


@pytest.fixture
def customer(database: Database, vault: Vault) -> Connection:
    connection = Connection("con_1", "ep_1", "Acme", "demo", "https://app.launchdarkly.com")

    def write(tx: object) -> None:
        endpoints.add(tx, Endpoint("ep_1", "standard"), now=NOW)  # type: ignore[arg-type]
        connections.add(tx, vault, connection, "api-key", now=NOW)  # type: ignore[arg-type]

    database.write(write)
    return connection


def receive(database: Database, number: int, at: float, outcome: Outcome | None) -> None:
    change = Change(ChangeKind.DEFINED, EventType(id=f"evt_{number}", key=f"key_{number}"))
    new = NewChange(change.label, change.kind, change, "con_1", outcome=outcome)
    database.write(
        lambda tx: inbox.accept(
            tx,
            endpoint_id="ep_1",
            message_id=f"msg_{number}",
            body=b"{}",
            headers={},
            new_changes=[new],
            now=at,
        )
    )


def test_outcomes_fall_into_the_span_in_which_they_were_received(database: Database, customer: Connection) -> None:
    hour = 3600.0
    for number, (hours, outcome) in enumerate(
        [(3.5, Outcome.SKIPPED), (2.5, Outcome.PARKED), (2.4, None), (0.1, Outcome.SKIPPED), (9, Outcome.SKIPPED)]
    ):
        receive(database, number, NOW - hours * hour, outcome)
    with database.read() as tx:
        spans = overview.outcomes_over_time(tx, since=NOW - 4 * hour, until=NOW, spans=4)
    assert [dict(span.outcomes) for span in spans] == [{"skipped": 1}, {"parked": 1, "pending": 1}, {}, {"skipped": 1}]
    assert [span.begins_at for span in spans] == [NOW - hours * hour for hours in (4, 3, 2, 1)]


def test_what_waits_is_counted_by_its_age(database: Database, customer: Connection) -> None:
    for number, age in enumerate((5, 59, 61, 5000)):
        receive(database, number, NOW - age, None)
    receive(database, 9, NOW - 5, Outcome.PARKED)
    with database.read() as tx:
        assert list(overview.waiting_by_age(tx, (60, 600), now=NOW)) == [2, 1, 1]


def test_a_budget_is_its_accounts_and_names_who_shares_it(
    database: Database, vault: Vault, customer: Connection
) -> None:
    other = Connection("con_2", "ep_1", "Globex", "demo", "https://app.launchdarkly.com")

    def write(tx: object) -> None:
        connections.add(tx, vault, other, "api-key", now=NOW)  # type: ignore[arg-type]
        for each in ("con_1", "con_2"):
            connections.set_account(tx, each, "acc")  # type: ignore[arg-type]
        told = {
            "account acc": Budget(100, 7, NOW + 5),
            "token con_1": Budget(50, 40, NOW + 5),
            "account acc POST metrics/*": Budget(10, 10, NOW + 5),
        }
        budgets.learn(tx, told, now=NOW)  # type: ignore[arg-type]

    database.write(write)
    with database.read() as tx:
        (account,) = overview.account_budgets(tx)
    assert list(account.connections) == ["Acme", "Globex"]
    assert (account.allowed, account.remaining, account.reset_at) == (100, 7, NOW + 5)


def test_a_connections_metrics_come_in_pages(database: Database, customer: Connection) -> None:
    for number in range(3):
        receive(database, number, NOW, None)
    known = [Change(ChangeKind.DEFINED, EventType(id=f"evt_{number}")) for number in range(3)]
    found = database.write(lambda tx: [event_types.resolve(tx, "con_1", each, now=NOW) for each in known])
    for number, event_type in enumerate(found):
        link = Link("occurrence", f"m-{number}", {"name": f"M {number}", "eventKey": f"k{number}"}, LinkState.LIVE)
        database.write(lambda tx, link=link, row=event_type: links.reserve(tx, "con_1", row, link, now=NOW))
    with database.read() as tx:
        first = overview.metrics_of(tx, "con_1", limit=2)
        second = overview.metrics_of(tx, "con_1", after=first[-1].id, limit=2)
        figures = overview.figures_of(tx, "con_1")
        assert overview.figures_of(tx, "con_none").last_received_at is None
    assert [row.metric_key for row in (*first, *second)] == ["m-0", "m-1", "m-2"]
    assert (first[0].name, first[0].event_key, first[0].event_type) == ("M 0", "k0", "evt_0")
    assert (figures.metrics, dict(figures.outcomes), figures.last_received_at) == (3, {"pending": 3}, NOW)


def test_secrets_are_told_of_without_themselves(database: Database, vault: Vault, customer: Connection) -> None:
    database.write(lambda tx: endpoints.add_secret(tx, vault, "ep_1", "first", now=NOW))
    database.write(lambda tx: endpoints.add_secret(tx, vault, "ep_1", "second", now=NOW + 1, overlap=60))
    with database.read() as tx:
        newest, before = overview.secrets_of(tx, "ep_1", now=NOW + 2)
        (left,) = overview.secrets_of(tx, "ep_1", now=NOW + 62)
    assert (newest.expires_at, before.expires_at) == (None, NOW + 61)
    assert left == newest


def test_a_plan_is_shown_to_its_own_connection_and_for_a_day(database: Database, customer: Connection) -> None:
    database.write(lambda tx: shown_plans.add(tx, "plan_1", "con_1", {"version": 1}, now=NOW))
    with database.read() as tx:
        assert shown_plans.get(tx, "plan_1", "con_1") == {"version": 1}
        assert shown_plans.get(tx, "plan_1", "con_2") is None
    database.write(lambda tx: shown_plans.add(tx, "plan_2", "con_1", {}, now=NOW + KEEP + 1))
    with database.read() as tx:
        assert shown_plans.get(tx, "plan_1", "con_1") is None


def test_an_ended_session_is_remembered_for_as_long_as_it_could_come_back(database: Database) -> None:
    for _ in range(2):  # signing out twice is no error
        database.write(lambda tx: sessions.end(tx, "one", now=NOW, keep=100))
    with database.read() as tx:
        assert (sessions.ended(tx, "one"), sessions.ended(tx, "two")) == (True, False)
    database.write(lambda tx: sessions.end(tx, "two", now=NOW + 101, keep=100))
    with database.read() as tx:
        assert (sessions.ended(tx, "one"), sessions.ended(tx, "two")) == (False, True)
