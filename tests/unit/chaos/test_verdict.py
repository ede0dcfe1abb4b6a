"""A harness that finds nothing proves nothing unless it can: each sort of damage is seen for what it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import StaticPool

from chaos.histories import Expected
from chaos.verdict import Verdict, judge

EXPECTED = Expected(
    connection=0,
    stem="c0-e1-",
    key="c0-e1-r2",
    name="Event",
    description="Said.",
    unit=None,
    had_value=False,
    archived=False,
)
METRIC = {
    "key": "c0-e1-r1",
    "eventKey": "c0-e1-r2",
    "name": "Event",
    "description": "Said.\n\nKept in sync",
    "isNumeric": False,
    "archived": False,
}
ACCEPTED = {"msg_1": {"dlv_1"}}

Judge = Callable[..., Verdict]


@pytest.fixture
def database() -> Iterator[Engine]:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    with engine.begin() as tx:
        tx.execute(text("CREATE TABLE deliveries (id, message_id)"))
        tx.execute(text("CREATE TABLE changes (delivery_id, state, outcome, kind, attempts)"))
        tx.execute(text("INSERT INTO deliveries VALUES ('dlv_1', 'msg_1')"))
        tx.execute(text("INSERT INTO changes VALUES ('dlv_1', 'done', 'created', 'defined', 1)"))
    yield engine
    engine.dispose()


def _sentences(verdict: Verdict) -> tuple[list[str], list[str], list[str]]:
    return list(verdict.lost), list(verdict.doubled), list(verdict.stuck)


def test_what_is_as_expected_is_good(database: Engine) -> None:
    assert judge(database, ACCEPTED, [EXPECTED], [[METRIC]]).good


def test_an_accepted_message_that_is_not_stored_is_lost(database: Engine) -> None:
    verdict = judge(database, ACCEPTED | {"msg_2": {"dlv_2"}}, [EXPECTED], [[METRIC]])

    assert _sentences(verdict) == (["msg_2 was answered with success and is not stored"], [], [])


def test_a_message_without_a_change_is_stuck(database: Engine) -> None:
    with database.begin() as tx:
        tx.execute(text("DELETE FROM changes"))

    verdict = judge(database, ACCEPTED, [EXPECTED], [[METRIC]])

    assert _sentences(verdict) == ([], [], ["msg_1 (None) is None after None attempts"])


def test_a_message_that_is_stored_twice_is_doubled(database: Engine) -> None:
    with database.begin() as tx:
        tx.execute(text("INSERT INTO deliveries VALUES ('dlv_2', 'msg_1')"))
        tx.execute(text("INSERT INTO changes VALUES ('dlv_2', 'done', 'unchanged', 'defined', 1)"))

    verdict = judge(database, {"msg_1": {"dlv_2"}}, [EXPECTED], [[METRIC]])

    assert _sentences(verdict) == ([], ["msg_1 is stored 2 times"], [])


def test_a_message_that_was_answered_as_two_deliveries_is_doubled(database: Engine) -> None:
    verdict = judge(database, {"msg_1": {"dlv_1", "dlv_9"}}, [EXPECTED], [[METRIC]])

    assert _sentences(verdict) == ([], ["msg_1 was answered as ['dlv_1', 'dlv_9'] and is stored as dlv_1"], [])


@pytest.mark.parametrize("state", ["pending", "parked"])
def test_a_change_that_is_not_done_is_stuck(database: Engine, state: str) -> None:
    with database.begin() as tx:
        tx.execute(text("UPDATE changes SET state = :state"), {"state": state})

    verdict = judge(database, ACCEPTED, [EXPECTED], [[METRIC]])

    assert _sentences(verdict) == ([], [], [f"msg_1 (defined) is {state} after 1 attempts"])


@pytest.mark.parametrize(
    ("metrics", "lost", "doubled"),
    [
        ([], ["c0-e1-: no metric 'Event'"], []),
        ([METRIC | {"name": "Old"}], ["c0-e1-: name is 'Old', not 'Event'"], []),
        ([METRIC | {"eventKey": "c0-e1-r1"}], ["c0-e1-: eventKey is 'c0-e1-r1', not 'c0-e1-r2'"], []),
        ([METRIC | {"archived": True}], ["c0-e1-: archived is True, not False"], []),
        ([METRIC | {"description": "Old.\n\n"}], ["c0-e1-: description is 'Old.\\n\\n', not 'Said.'"], []),
        ([METRIC, METRIC | {"key": "copy"}], [], ["c0-e1-: metric copy is one too many"]),
        (
            [METRIC, METRIC | {"key": "average", "isNumeric": True, "archived": True}],
            [],
            ["c0-e1-: metric average measures a value that is gone"],
        ),
        ([METRIC, METRIC | {"key": "alien", "eventKey": "c9"}], [], ["metric alien belongs to no event type"]),
    ],
)
def test_metrics_that_are_missing_wrong_or_too_many_are_seen(
    database: Engine, metrics: list[dict[str, Any]], lost: list[str], doubled: list[str]
) -> None:
    assert _sentences(judge(database, ACCEPTED, [EXPECTED], [metrics])) == (lost, doubled, [])
