"""With PostgreSQL: what is accepted is kept, and a request and a sweep share the work without a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import update

from connector import serverless
from connector.settings import SettingsError
from connector.store.database import Database
from connector.store.tables import changes
from connector.store.vault import generate_key
from tests.integration.serverless.conftest import Function

ORDER = {"id": "evt_1", "key": "order_completed", "name": "Order Completed"}


class Context:
    """A function with `seconds` left, of which each look takes one."""

    def __init__(self, seconds: float) -> None:
        self.left = seconds

    def get_remaining_time_in_millis(self) -> int:
        self.left -= 1
        return int(self.left * 1000)


@pytest.fixture
def durable(
    postgres_database: Database, postgres_url: str, function: Function, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Function]:
    monkeypatch.setenv("CONNECTOR_DATABASE_URL", postgres_url)
    monkeypatch.setenv("CONNECTOR_ENCRYPTION_KEYS", generate_key())
    monkeypatch.setenv("CONNECTOR_RESPOND_WITHIN", "5")
    yield function
    serverless.function().app.extensions["connector"].close()


@pytest.fixture
def later(postgres_database: Database) -> Callable[[], None]:
    """Lets the time come at which everything that waits is due."""

    def now_due() -> None:
        postgres_database.write(lambda tx: tx.execute(update(changes).where(changes.c.due_at > 0).values(due_at=1.0)))

    return now_due


def test_a_webhook_is_applied_within_its_request_and_without_a_thread(durable: Function) -> None:
    threads = threading.active_count()
    answer = durable.send("defined", ORDER)
    assert (answer.status, answer.outcomes) == (201, ["created"])
    assert answer.body["delivery"].startswith("dlv_")
    assert durable.send("renamed", ORDER | {"name": "Order Paid"}).outcomes == ["renamed"]
    assert threading.active_count() == threads


def test_what_launchdarkly_was_down_for_is_finished_by_a_sweep(durable: Function, later: Callable[[], None]) -> None:
    durable.play("error-503", count=None)
    answer = durable.send("defined", ORDER)
    assert (answer.status, answer.outcomes) == (202, ["pending"])
    durable.sandbox.state.faults.set([])
    assert serverless.sweep_handler({}, Context(300)) == {"attempts": 0}  # not due before its wait is over
    later()
    assert serverless.sweep_handler({}, Context(300)) == {"attempts": 1}
    assert list(durable.metrics()) == ["order-completed"]
    assert durable.send("defined", ORDER).outcomes == ["unchanged"]


def test_google_sweeps_alike(durable: Function, later: Callable[[], None]) -> None:
    durable.play("error-503")
    durable.send("defined", ORDER)
    later()
    assert serverless.google_sweep(None) == "1 attempts\n"
    assert list(durable.metrics()) == ["order-completed"]


def test_a_sweep_begins_nothing_shortly_before_its_end(durable: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECTOR_RESPOND_WITHIN", "0")
    for number in range(4):
        assert durable.send("defined", {"key": f"event_{number}"}).status == 202
    assert serverless.sweep_handler({}, Context(serverless.RESERVE + 3)) == {"attempts": 2}
    assert serverless.sweep_handler({}, Context(serverless.RESERVE)) == {"attempts": 0}
    assert len(durable.metrics()) == 2


def test_a_catalogue_is_read_where_there_is_a_database(durable: Function) -> None:
    assert durable.send("catalogue", {"complete": True, "event_types": [ORDER]}).status == 201


def test_a_file_that_goes_with_the_function_is_refused(function: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECTOR_DATABASE_URL", "sqlite:////tmp/connector.db")
    monkeypatch.delenv("CONNECTOR_ENCRYPTION_KEYS", raising=False)
    with pytest.raises(SettingsError, match="CONNECTOR_DATABASE_URL names SQLite") as refused:
        function.send("defined", ORDER)
    assert "CONNECTOR_ENCRYPTION_KEYS" in str(refused.value)
