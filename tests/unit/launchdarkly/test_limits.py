from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.launchdarkly.limits import LONGEST_WAIT, Limit, Limits, parse_limits

DATE = "Sun, 22 Nov 2026 10:00:00 GMT"
SERVER = 1795341600.0  # DATE in unix seconds
NAMES = [
    "Date",
    "Retry-After",
    "X-Ratelimit-Reset",
    "X-Ratelimit-Auth-Token-Reset",
    *(
        f"X-Ratelimit-{family}-{part}"
        for family in ("Global", "Route", "Auth-Token")
        for part in ("Limit", "Remaining")
    ),
]


def test_an_answer_without_limits_states_nothing() -> None:
    assert parse_limits({"Date": DATE}, SERVER) == Limits()


def test_every_family_is_read_with_its_own_reset() -> None:
    headers = {
        "Date": DATE,
        "X-Ratelimit-Global-Limit": "100",
        "X-Ratelimit-Global-Remaining": "99",
        "X-Ratelimit-Route-Remaining": "4",
        "X-Ratelimit-Reset": "1795341607250",
        "X-Ratelimit-Auth-Token-Limit": "20",
        "X-Ratelimit-Auth-Token-Remaining": "0",
        "X-Ratelimit-Auth-Token-Reset": "1795341602000",
    }
    assert parse_limits(headers, SERVER) == Limits(
        account=Limit(100, 99, SERVER + 7.25),
        route=Limit(None, 4, SERVER + 7.25),
        token=Limit(20, 0, SERVER + 2),
    )


def test_names_are_read_in_any_case() -> None:
    assert parse_limits({"x-RATELIMIT-route-remaining": "3"}, SERVER).route == Limit(remaining=3)


@pytest.mark.parametrize("skew", [-1800.0, -0.7, 0.0, 1800.0])
def test_a_local_clock_that_is_off_does_not_move_the_wait(skew: float) -> None:
    limits = parse_limits(
        {"Date": DATE, "X-Ratelimit-Route-Remaining": "0", "X-Ratelimit-Reset": "1795341608000"}, SERVER + skew
    )
    assert limits.route is not None
    assert limits.route.reset_at == SERVER + skew + 8


@settings(deadline=None)
@given(fraction=st.floats(0, 0.999), delay=st.floats(0, 30), wait=st.floats(0, 60))
def test_a_reset_is_never_early_though_the_date_is_cut_to_seconds(fraction: float, delay: float, wait: float) -> None:
    answered = SERVER + fraction  # DATE is what is left of it
    reset = round((answered + wait) * 1000)
    now = answered + delay
    limits = parse_limits({"Date": DATE, "X-Ratelimit-Route-Remaining": "0", "X-Ratelimit-Reset": str(reset)}, now)
    assert limits.route is not None
    assert limits.route.reset_at is not None
    assert reset / 1000 - 1e-6 <= limits.route.reset_at <= reset / 1000 + 1 + delay


def test_without_a_date_the_local_clock_must_do() -> None:
    limits = parse_limits({"X-Ratelimit-Global-Remaining": "0", "X-Ratelimit-Reset": "1795341608000"}, SERVER + 3)
    assert limits.account == Limit(remaining=0, reset_at=SERVER + 8)


def test_a_reset_without_a_family_is_taken_for_the_account() -> None:
    headers = {"Date": DATE, "X-Ratelimit-Reset": "1795341608000", "X-Ratelimit-Auth-Token-Reset": "1795341603000"}
    assert parse_limits(headers, SERVER) == Limits(account=Limit(reset_at=SERVER + 8), token=Limit(reset_at=SERVER + 3))


@pytest.mark.parametrize(
    ("retry_after", "wait"),
    [
        ("3", 3.0),
        ("1.5", 1.5),
        ("0", 0.0),
        ("-5", 0.0),
        ("999999", LONGEST_WAIT),
        ("Sun, 22 Nov 2026 10:00:20 GMT", 20.0),
        ("Sun, 22 Nov 2026 09:59:00 GMT", 0.0),
        ("Sun, 22 Nov 2026 10:00:20 -0000", 20.0),
    ],
)
def test_retry_after_is_seconds_or_a_date_of_the_servers_clock(retry_after: str, wait: float) -> None:
    now = SERVER + 500
    assert parse_limits({"Date": DATE, "Retry-After": retry_after}, now).not_before == now + wait


@pytest.mark.parametrize(
    ("reset", "wait"), [("1795341599000", 0.0), ("-1", 0.0), ("999999999999999", LONGEST_WAIT), ("1795341608", 0.0)]
)
def test_absurd_resets_are_bounded(reset: str, wait: float) -> None:
    limits = parse_limits({"Date": DATE, "X-Ratelimit-Route-Limit": "9", "X-Ratelimit-Reset": reset}, SERVER)
    assert limits.route == Limit(9, None, SERVER + wait)


def test_white_space_of_any_kind_around_a_number_is_no_matter() -> None:
    headers = {"Date": DATE, "X-Ratelimit-Route-Remaining": "\x1d7 ", "Retry-After": "\x1f3"}
    assert parse_limits(headers, SERVER) == Limits(route=Limit(remaining=7), not_before=SERVER + 3)


def test_a_negative_remainder_is_none_left() -> None:
    assert parse_limits({"X-Ratelimit-Route-Remaining": "-3"}, SERVER).route == Limit(remaining=0)


@pytest.mark.parametrize(
    "garbage", ["", "soon", "1e9", "1_000", "\N{ARABIC-INDIC DIGIT THREE}", "9" * 400, "5, 5", "nan", "\x005"]
)
def test_garbage_is_ignored_one_header_at_a_time(garbage: str) -> None:
    headers = dict.fromkeys(NAMES, garbage) | {"X-Ratelimit-Route-Remaining": "7"}
    assert parse_limits(headers, SERVER) == Limits(route=Limit(remaining=7))


_NUMBERS = st.integers(-99_999, 99_999)
_DATES = st.builds("Sun, {} Nov {} {}:00:00 {:+05}".format, _NUMBERS, _NUMBERS, _NUMBERS, _NUMBERS)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), st.text(max_size=20) | _DATES))
def test_no_header_can_raise_or_ask_for_more_than_an_hour(headers: dict[str, str]) -> None:
    limits = parse_limits(headers, SERVER)
    moments = [
        limits.not_before,
        *(family.reset_at for family in (limits.account, limits.route, limits.token) if family),
    ]
    assert all(SERVER <= moment <= SERVER + LONGEST_WAIT for moment in moments if moment is not None)
