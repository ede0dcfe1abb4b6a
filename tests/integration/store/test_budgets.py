"""What is left of LaunchDarkly's windows, as all processes share it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from connector.store import budgets, connections
from connector.store.budgets import WINDOW, Budget
from connector.store.database import Database

NOW = 1_800_000_000.0
ACCOUNT, TOKEN = "account a", "token t"


@pytest.fixture
def learn(database: Database):
    def write(allowed: int, remaining: int, reset_at: float, *, scope: str = ACCOUNT, now: float = NOW) -> None:
        database.write(lambda tx: budgets.learn(tx, {scope: Budget(allowed, remaining, reset_at)}, now=now))

    return write


@pytest.fixture
def take(database: Database):
    def write(now: float = NOW, *scopes: str) -> float | None:
        return database.write(lambda tx: budgets.take(tx, scopes or (ACCOUNT, TOKEN), reserve=0.2, now=now))

    return write


def test_where_no_limit_was_ever_told_nothing_is_counted(take):
    assert {take() for _ in range(50)} == {None}


@pytest.mark.parametrize("account", [None, "acc_1"])
def test_a_limit_is_known_for_the_account_or_the_token_of_a_connection(database, connect, learn, account):
    mine = connect("con_1")
    if account is not None:
        database.write(lambda tx: connections.set_account(tx, mine, account))

    def known() -> bool:
        with database.read() as tx:
            return budgets.known(tx, mine)

    with database.read() as tx:
        connection = connections.get(tx, mine)
    learn(10, 9, NOW + 5, scope="account of_another")
    assert not known()
    for scope in budgets.scopes_of(connection):
        learn(10, 9, NOW + 5, scope=scope)
        assert known()
        database.write(lambda tx, scope=scope: budgets.forget(tx, [scope]))
        assert not known()


def test_a_fifth_of_the_window_is_left_to_others(learn, take):
    learn(10, 9, NOW + 5)
    assert [take() for _ in range(8)] == [None] * 7 + [NOW + 5]


def test_the_window_that_opens_last_decides(learn, take):
    learn(10, 2, NOW + 5)
    learn(100, 20, NOW + 8, scope=TOKEN)
    assert take() == NOW + 8


def test_the_next_window_begins_full_and_never_early(learn, take):
    learn(10, 0, NOW + 5)
    assert take(NOW + 4.999) == NOW + 5
    assert [take(NOW + 5) for _ in range(9)] == [None] * 8 + [NOW + 5 + WINDOW]


def test_an_answer_corrects_the_guess_at_a_window(learn, take):
    learn(10, 0, NOW + 5)
    take(NOW + 5)
    learn(10, 3, NOW + 9, now=NOW + 6)  # the customer's own tools used most of it
    assert [take(NOW + 6), take(NOW + 6)] == [None, NOW + 9]


def test_answers_that_overtake_one_another_never_add_to_what_is_left(learn, take):
    learn(10, 3, NOW + 5)
    learn(10, 9, NOW + 5.4)
    assert [take(), take()] == [None, NOW + 5.4]


def test_an_answer_of_a_window_that_is_over_says_nothing(learn, take):
    learn(10, 9, NOW + 12, now=NOW + 2)
    learn(10, 0, NOW + 1.5, now=NOW + 2)
    assert take(NOW + 2) is None


def test_a_limit_that_is_no_longer_told_is_forgotten(database, learn, take):
    learn(1, 0, NOW + 5)
    database.write(lambda tx: budgets.forget(tx, [ACCOUNT]))
    assert take() is None


@pytest.mark.parametrize("allowed", [1, 2])
def test_the_smallest_window_is_not_reserved_away(learn, take, allowed):
    learn(allowed, allowed, NOW + 5)
    assert take() is None


def test_processes_that_share_a_window_never_take_more_than_it_has(database, learn, take):
    learn(50, 50, NOW + 5)
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: take(), range(80)))
    assert taken.count(None) == 40
