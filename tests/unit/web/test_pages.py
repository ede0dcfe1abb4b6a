"""How pages write times, numbers and bodies, draw their pictures, and count tries."""

from __future__ import annotations

import time

import pytest

from connector.web.console import pictures
from connector.web.pages import wording
from connector.web.pages.tries import Tries


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (3660, "1 h 1 min"),
        (86400, "1 d"),
        (90000, "1 d 1 h"),
        (10 * 86400 + 7200, "10 d 2 h"),
    ],
)
def test_a_span_of_time_in_its_two_largest_units(seconds: float, text: str) -> None:
    assert wording.duration(seconds) == text


def test_a_moment_is_in_utc_and_exact_for_programs() -> None:
    assert wording.moment(1_800_000_000.25) == (
        '<time datetime="2027-01-15T08:00:00.250+00:00">2027-01-15 08:00:00</time>'
    )
    assert wording.moment(None) == ""


def test_what_is_past_and_what_is_to_come() -> None:
    assert ">1 h" in wording.ago(time.time() - 3700)
    assert "ago</time>" in wording.ago(time.time() - 3700)
    assert ">in 59 min</time>" in wording.ago(time.time() + 3590)


@pytest.mark.parametrize(("span", "text"), [(None, ""), (0.0204, "20 ms"), (1.25, "1.2 s"), (61, "61.0 s")])
def test_a_short_span_is_in_milliseconds(span: float | None, text: str) -> None:
    assert wording.seconds(span) == text


def test_a_body_is_indented_where_it_is_json_and_shown_where_it_is_not() -> None:
    assert wording.pretty(b'{"a":["\\u202e"]}') == '{\n  "a": [\n    "[U+202E]"\n  ]\n}'
    assert wording.pretty(b"no\x00json\xff") == "no[U+0000]json\ufffd"
    assert wording.pretty(b"[" * 100_000).startswith("[[")


class TestBars:
    def test_each_kind_stands_on_the_one_before(self) -> None:
        bars = pictures.stacked_bars([{"created": 1, "renamed": 2, "parked": 1}], ["10:00"], width=144, height=134)
        assert [(mark.kind, mark.height, mark.y) for mark in bars.marks] == [
            ("created", 25.0, 85.0),
            ("changed", 50.0, 35.0),
            ("parked", 25.0, 10.0),
        ]
        assert [mark.title for mark in bars.marks] == ["10:00: 1 created", "10:00: 2 changed", "10:00: 1 parked"]
        assert bars.total == 4

    @pytest.mark.parametrize("highest", [0, 1, 4, 5, 9, 10, 11, 49, 51, 99, 101, 12_345, 999_999])
    def test_the_axis_has_few_round_values_and_room_for_the_highest(self, highest: int) -> None:
        bars = pictures.stacked_bars([{"created": highest}], [""])
        values = [int(tick.text.replace(",", "")) for tick in bars.values]
        assert 2 <= len(values) <= 6
        assert values[-1] >= highest
        assert all(mark.y >= 0 and mark.y + mark.height <= bars.base + 0.1 for mark in bars.marks)

    def test_nothing_gives_an_empty_picture(self) -> None:
        bars = pictures.stacked_bars([{}] * 24, ["x"] * 24)
        assert bars.marks == []
        assert len(bars.times) == 12

    def test_every_outcome_has_its_place(self) -> None:
        from connector.event_types import Outcome  # noqa: PLC0415

        placed = [outcome for members in pictures.KINDS.values() for outcome in members]
        assert sorted(placed) == sorted([*Outcome, "pending"])

    def test_shares_are_in_proportion_and_never_invisible(self) -> None:
        assert pictures.shares([0, 1, 1000], length=100) == [0.0, 3.0, 100.0]
        assert pictures.shares([0, 0], length=100) == [0.0, 0.0]


class TestTries:
    def test_so_many_within_so_long(self) -> None:
        clock = [0.0]
        tries = Tries(2, 60, lambda: clock[0])
        tries.count("a")
        clock[0] = 10
        tries.count("a")
        assert tries.wait("a") == 50
        assert tries.wait("b") == 0
        clock[0] = 60
        assert tries.wait("a") == 0

    def test_success_clears_them(self) -> None:
        tries = Tries(1, 60, lambda: 0.0)
        tries.count("a")
        tries.forget("a")
        assert tries.wait("a") == 0

    def test_many_subjects_do_not_pile_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("connector.web.pages.tries._MOST_REMEMBERED", 10)
        clock = [0.0]
        tries = Tries(1, 60, lambda: clock[0])
        for number in range(10):
            tries.count(str(number))
        clock[0] = 61
        tries.count("new")
        assert len(tries._made) == 1
