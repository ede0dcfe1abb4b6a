"""What a request that waits sees of its delivery."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connector.event_types import Change, Outcome
from connector.store import history, standing
from connector.store.database import Database
from connector.store.inbox import NewChange
from tests.integration.store.conftest import NOW


def test_it_is_what_the_history_says(
    database: Database,
    accept: Callable[..., Any],
    claim: Callable[..., Any],
    settle: Callable[..., Any],
    change: Callable[..., Change],
) -> None:
    skipped = NewChange("other", "defined", outcome=Outcome.SKIPPED, reason="nobody wants it")
    delivery = accept(change("evt_1"), change("evt_2"), new_changes=[skipped]).delivery_id
    settle(claim(limit=1)[0], result={"metrics": [{"key": "evt-1"}]})

    with database.read() as tx:
        stands = standing.of_delivery(tx, delivery)
        told = history.changes_of(tx, [delivery])[delivery]

    fields = ("label", "kind", "state", "outcome", "result", "due_at", "leased", "held")
    assert [[getattr(each, name) for name in fields] for each in stands] == [
        [getattr(each, name) for name in fields] for each in told
    ]
    assert [each.outcome for each in stands] == ["created", None, "skipped"]


def test_a_new_change_stands_as_it_is_stored(
    database: Database, accept: Callable[..., Any], change: Callable[..., Change]
) -> None:
    new = [
        NewChange("evt_1", "defined", change("evt_1"), "con_1"),
        NewChange("evt_2", "defined", outcome=Outcome.SKIPPED, reason="nobody wants it"),
        NewChange("evt_3", "defined", change("evt_3"), "con_1", Outcome.PARKED, "unclear", "look at it"),
    ]
    delivery = accept(new_changes=new).delivery_id

    with database.read() as tx:
        stored = standing.of_delivery(tx, delivery)

    said = [(each.label, each.state, each.outcome, each.result) for each in map(standing.of_new, new)]
    assert said == [(each.label, each.state, each.outcome, each.result) for each in stored]
    assert stored[0].due_at == NOW
