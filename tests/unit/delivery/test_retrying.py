from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.delivery.retrying import GIVE_UP, JITTER, WAITS, due_after, given_up, opens_at
from connector.launchdarkly import Limit, Limits

NOW = 1_800_000_000.0


@pytest.mark.parametrize(("attempts", "seconds"), [(1, 1), (2, 2), (3, 5), (11, 3600), (12, 3600), (500, 3600)])
def test_the_waits_grow_up_to_an_hour(attempts: int, seconds: float) -> None:
    assert due_after(attempts=attempts, now=NOW, chance=0.0) == NOW + seconds


@given(attempts=st.integers(1, 200), chance=st.floats(0, 1, exclude_max=True))
def test_chance_only_ever_adds_and_at_most_its_share(attempts: int, chance: float) -> None:
    least = due_after(attempts=attempts, now=0.0, chance=0.0)

    assert least <= due_after(attempts=attempts, now=0.0, chance=chance) <= least * (1 + JITTER)


@given(opens=st.floats(NOW - 100, NOW + 4000), chance=st.floats(0, 1, exclude_max=True))
def test_nothing_wakes_before_the_other_side_said(opens: float, chance: float) -> None:
    due = due_after(attempts=9, now=NOW, chance=chance, not_before=opens)

    assert max(NOW, opens) <= due <= max(NOW, opens) + 1


def test_a_person_is_asked_after_three_days_of_trying() -> None:
    assert not given_up(attempts=80, waited=GIVE_UP - 1)
    assert given_up(attempts=80, waited=GIVE_UP)


def test_what_was_only_held_for_days_is_still_tried() -> None:
    assert not given_up(attempts=1, waited=30 * GIVE_UP)
    assert given_up(attempts=len(WAITS), waited=30 * GIVE_UP)


@pytest.mark.parametrize(
    ("limits", "opens"),
    [
        pytest.param(Limits(), None, id="nothing said"),
        pytest.param(Limits(not_before=NOW + 7), NOW + 7, id="Retry-After"),
        pytest.param(
            Limits(account=Limit(10, 0, NOW + 5), token=Limit(10, 3, NOW + 9)), NOW + 5, id="the family that is used up"
        ),
        pytest.param(
            Limits(account=Limit(10, 0, NOW + 5), route=Limit(10, 0, NOW + 9)), NOW + 9, id="the later of two used up"
        ),
        pytest.param(
            Limits(account=Limit(10, 1, NOW + 5), token=Limit(10, 1, NOW + 9)), NOW + 9, id="the latest where none is"
        ),
        pytest.param(Limits(token=Limit(10, 0, None)), None, id="a family without a reset"),
        pytest.param(
            Limits(account=Limit(10, 0, NOW + 5), not_before=NOW + 2), NOW + 5, id="a reset behind Retry-After"
        ),
        pytest.param(
            Limits(account=Limit(10, 0, NOW + 5), not_before=NOW + 20), NOW + 20, id="Retry-After behind a reset"
        ),
    ],
)
def test_the_limit_that_refused_opens_when_the_answer_says(limits: Limits, opens: float | None) -> None:
    assert opens_at(limits) == opens
