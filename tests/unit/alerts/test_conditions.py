"""From how things stand to what a person should be told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connector.alerts.conditions import DAY, Condition, conditions
from connector.connections import WAITING
from connector.store.alerts import Trouble

NOW = 1_800_000_000.0
FINE = Trouble("con_1", "Acme", paused=False, code=None, reason=None, parked=0, share=0.0)


def found(*troubles: Trouble, oldest_wait: float | None = None) -> list[Condition]:
    return list(conditions(troubles, oldest_wait=oldest_wait, backlog=300.0, now=NOW))


def test_nothing_is_said_where_nothing_is_wrong() -> None:
    assert found() == found(FINE) == found(FINE, oldest_wait=NOW - 299) == []


def test_a_backlog_older_than_allowed_is_of_the_installation() -> None:
    (condition,) = found(oldest_wait=NOW - 301)
    assert (condition.kind, condition.subject) == ("backlog_old", "")
    assert condition.summary == "A change has waited for more than 300 seconds."


@pytest.mark.parametrize("code", ["launchdarkly_unauthorized", "launchdarkly_forbidden", "sdk_key"])
def test_a_pause_for_its_key_says_to_set_another(code: str) -> None:
    (condition,) = found(replace(FINE, paused=True, code=code, reason="LaunchDarkly answered HTTP 401."))
    assert condition.kind == "key_refused"
    assert condition.summary == "Acme is paused: LaunchDarkly refuses its key."
    assert condition.detail == "LaunchDarkly answered HTTP 401."
    assert condition.next_step.endswith("connector connections set-key con_1")


@pytest.mark.parametrize("code", ["launchdarkly_not_found", "paused_by_person", None])
def test_a_pause_for_anything_else_does_not_blame_the_key(code: str | None) -> None:
    (condition,) = found(replace(FINE, paused=True, code=code))
    assert condition.kind == "connection_paused"


def test_a_connection_that_waits_for_its_customer_is_no_alert() -> None:
    assert found(replace(FINE, paused=True, code=WAITING)) == []


@pytest.mark.parametrize(("parked", "said"), [(1, "1 parked change."), (2, "2 parked changes.")])
def test_parked_work_is_counted(parked: int, said: str) -> None:
    (condition,) = found(replace(FINE, parked=parked))
    assert (condition.kind, condition.summary) == ("work_parked", f"Acme has {said}")


@pytest.mark.parametrize(
    ("share", "level"), [(0.49, None), (0.5, 50), (0.69, 50), (0.7, 70), (0.9, 90), (0.999, 90), (1.0, 100)]
)
def test_the_failing_share_has_four_steps(share: float, level: int | None) -> None:
    assert [condition.level for condition in found(replace(FINE, share=share))] == ([] if level is None else [level])


def test_a_paused_connection_is_not_failing_as_well() -> None:
    said = found(replace(FINE, paused=True, code="launchdarkly_unauthorized", share=1.0))
    assert [condition.kind for condition in said] == ["key_refused"]


@pytest.mark.parametrize(
    ("days", "level", "said"),
    [
        (30.1, None, None),
        (30, 1, "30 days"),
        (7.1, 1, "30 days"),
        (7, 2, "7 days"),
        (1.1, 2, "7 days"),
        (1, 3, "1 day"),
        (-2, 3, "1 day"),
    ],
)
def test_a_key_that_expires_is_told_at_three_steps(days: float, level: int | None, said: str | None) -> None:
    told = found(replace(FINE, key_expires_at=NOW + days * DAY))
    assert [condition.level for condition in told] == ([] if level is None else [level])
    assert [condition.kind for condition in told] == ["key_expiring"] * len(told)
    for condition in told:
        assert condition.summary == f"The LaunchDarkly key of Acme expires in {said} or less."
        assert condition.next_step.endswith("connector connections set-key con_1")


def test_the_alert_of_a_key_names_its_end() -> None:
    (condition,) = found(replace(FINE, key_expires_at=NOW + 2 * DAY))
    assert condition.detail == "It expires at 2027-01-17 08:00 UTC."


def test_a_pause_does_not_hide_that_the_key_expires() -> None:
    told = found(replace(FINE, paused=True, code="paused_by_person", key_expires_at=NOW + DAY))
    assert {condition.kind for condition in told} == {"connection_paused", "key_expiring"}
