"""When a key ends, whatever LaunchDarkly answers."""

from __future__ import annotations

import pytest

from connector.launchdarkly import expiry_of

NOW = 1_800_000_000.0


def test_the_end_of_a_key_is_told_in_epoch_milliseconds() -> None:
    assert expiry_of({"expiresAt": 1_802_592_000_500}, now=NOW) == 1_802_592_000.5


@pytest.mark.parametrize(
    "said",
    [
        None,
        True,
        False,
        0,
        1,
        -1,
        3600,
        1_802_592_000,  # in seconds
        1_802_592_000_000_000,  # in microseconds
        1_799_999_999_999,  # past, though the key was accepted
        10**400,
        1_802_592_000_500.0,
        "1802592000500",
        "2027-02-14T08:00:00Z",
        [],
        {},
    ],
)
def test_what_is_no_time_to_come_is_passed_over(said: object) -> None:
    assert expiry_of({"expiresAt": said}, now=NOW) is None


def test_most_keys_have_no_end() -> None:
    assert expiry_of({}, now=NOW) is None
