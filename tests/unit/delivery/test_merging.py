"""Any order of the same statements merges into the same registers: the newest statement of each field, by its clock.

`key_hint` alone is not a register: it is the first event key that was seen, because the metric key is made of it and
never changes. Where every change names the first key, or the one before it, that is the same in any order as well.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connector.delivery.merging import FUTURE, Clock, Merged, merge
from connector.event_types import NO_VALUE, Change, ChangeKind, EventType, Value

NOW = 1_800_000_000.0


@dataclass(frozen=True)
class Said:
    """A change as the inbox holds it."""

    change: Change
    received_at: float
    message_id: str
    position: int = 0

    @property
    def clock(self) -> Clock:
        return Clock.of(self.change, received_at=self.received_at, message_id=self.message_id, position=self.position)


def _merged(statements: Iterable[Said], registers: Mapping[str, Any] | None = None) -> Merged:
    merged = Merged(registers or {}, frozenset())
    for said in statements:
        # The store keeps the registers as JSON between two changes.
        merged = merge(json.loads(json.dumps(merged.registers)), said.change, said.clock)
    return merged


def _without_hint(merged: Merged) -> dict[str, Any]:
    registers: dict[str, Any] = json.loads(json.dumps(merged.registers))
    registers.pop("key_hint", None)
    return registers


def _at(seconds: float) -> datetime:
    return datetime.fromtimestamp(NOW + seconds, UTC)


WORDS = st.sampled_from(["", "a", "b", "Ω"])
VALUES = st.sampled_from([None, NO_VALUE, Value("revenue", unit="USD"), Value("revenue", unit="EUR")])


@st.composite
def histories(draw: st.DrawFn) -> list[Said]:
    """Changes of one event type, which either always or never has an id; equal times and no times are common."""
    has_id = draw(st.booleans())
    keys = st.sampled_from(["k1", "k2", "k3"])
    changes = [
        Change(
            kind=draw(st.sampled_from(ChangeKind)),
            event_type=EventType(
                id="evt_1" if has_id else None,
                key=draw(st.none() | keys) if has_id else draw(keys),
                name=draw(st.none() | WORDS),
                description=draw(st.none() | WORDS),
                value=draw(VALUES),
                tags=draw(st.none() | st.just(()) | st.just(("x", "y"))),
                url=draw(st.none() | WORDS),
            ),
            occurred_at=draw(st.none() | st.builds(_at, st.integers(-3, 3) | st.just(10 * FUTURE))),
            sequence=draw(st.none() | st.integers(0, 2)),
            previous_key=draw(st.none() | keys),
        )
        for _ in range(draw(st.integers(1, 6)))
    ]
    return [
        Said(change, NOW + draw(st.integers(-2, 2)), f"msg_{draw(st.integers(0, 2))}", position)
        for position, change in enumerate(changes)
    ]


@given(data=st.data(), history=histories())
def test_any_order_with_any_duplicates_ends_in_the_same_registers(data: st.DataObject, history: list[Said]) -> None:
    again = data.draw(st.lists(st.sampled_from(history), max_size=4))
    shuffled = data.draw(st.permutations(history + again))

    assert _without_hint(_merged(shuffled)) == _without_hint(_merged(history))


@given(history=histories())
def test_each_field_is_what_the_newest_statement_of_it_says(history: list[Said]) -> None:
    merged = _merged(history)

    for field in ("key", "name", "description", "value", "tags", "url"):
        stating = [said for said in history if getattr(said.change.event_type, field) is not None]
        newest = max(stating, key=lambda said: said.clock, default=None)
        expected = None if newest is None else getattr(newest.change.event_type, field)
        assert getattr(merged.event_type, field) == expected, field


@given(data=st.data(), history=histories())
def test_with_times_of_the_source_it_does_not_matter_when_each_arrives(
    data: st.DataObject, history: list[Said]
) -> None:
    timed = [replace(said, change=replace(said.change, occurred_at=_at(number))) for number, said in enumerate(history)]
    shuffled = data.draw(st.permutations(timed))
    late = [replace(said, received_at=NOW + 1000 * number) for number, said in enumerate(shuffled)]

    assert _without_hint(_merged(late)) == _without_hint(_merged(timed))


@given(history=histories())
def test_the_same_change_twice_in_a_row_changes_nothing_and_wins_what_it_won(history: list[Said]) -> None:
    once = _merged(history)

    twice = merge(once.registers, history[-1].change, history[-1].clock)

    assert twice.registers == once.registers
    assert twice.won == once.won


@given(history=histories())
def test_the_key_hint_is_the_first_key_seen_and_never_another(history: list[Said]) -> None:
    seen = [said.change.previous_key or said.change.event_type.key for said in history]

    assert _merged(history).key_hint == next((key for key in seen if key), None)


SIGNUP = EventType(id="evt_1", key="signup", name="Signup", description="Someone signs up.", tags=("web",))
RENAMED = EventType(id="evt_1", key="registration", name="Registration")
SEVEN = [
    Said(Change(kind, event_type, occurred_at=_at(number), previous_key=previous), NOW + 100, f"msg_{number}")
    for number, (kind, event_type, previous) in enumerate(
        [
            (ChangeKind.DEFINED, SIGNUP, None),
            (ChangeKind.UPDATED, replace(SIGNUP, description="Someone new signs up."), None),
            (ChangeKind.RENAMED, RENAMED, "signup"),
            (ChangeKind.ARCHIVED, RENAMED, "signup"),
            (ChangeKind.RESTORED, RENAMED, "signup"),
            (ChangeKind.UPDATED, replace(RENAMED, tags=("web", "app"), value=Value("plan", unit="EUR")), "signup"),
            (ChangeKind.RENAMED, replace(RENAMED, name="Registration Completed"), "signup"),
        ]
    )
]


def test_the_5040_orders_of_seven_changes_with_a_duplicate_end_in_one_state() -> None:
    ends = {
        json.dumps(_merged([*order, order[0]]).registers, sort_keys=True) for order in itertools.permutations(SEVEN)
    }

    assert len(ends) == 1
    (end,) = (Merged(json.loads(text), frozenset()) for text in ends)
    assert end.event_type == EventType(
        id="evt_1",
        key="registration",
        name="Registration Completed",
        description="Someone new signs up.",
        value=Value("plan", unit="EUR"),
        tags=("web", "app"),
    )
    assert (end.status, end.wanted, end.key_hint) == ("active", True, "signup")


def test_a_late_older_change_wins_nothing_but_what_nobody_said_since() -> None:
    newer = Said(Change(ChangeKind.RENAMED, RENAMED, occurred_at=_at(5)), NOW, "msg_b")
    older = Said(Change(ChangeKind.DEFINED, SIGNUP, occurred_at=_at(1)), NOW + 60, "msg_a")

    merged = _merged([newer, older])

    assert merged.won == {"description", "tags", "status"}
    assert merged.event_type == replace(RENAMED, description="Someone signs up.", tags=("web",))


def test_without_a_time_the_receipt_decides_and_within_a_delivery_the_position() -> None:
    first = Said(Change(ChangeKind.UPDATED, replace(SIGNUP, name="First")), NOW, "msg_z", 0)
    second = Said(Change(ChangeKind.UPDATED, replace(SIGNUP, name="Second")), NOW, "msg_z", 1)
    later = Said(Change(ChangeKind.UPDATED, replace(SIGNUP, name="Later")), NOW + 1, "msg_a", 0)

    assert _merged([second, first]).event_type.name == "Second"
    assert _merged([later, second, first]).event_type.name == "Later"


def test_within_equal_times_the_sequence_of_the_source_decides() -> None:
    first = Said(Change(ChangeKind.UPDATED, replace(SIGNUP, name="1"), occurred_at=_at(0), sequence=1), NOW, "msg_b")
    second = Said(Change(ChangeKind.UPDATED, replace(SIGNUP, name="2"), occurred_at=_at(0), sequence=2), NOW, "msg_a")

    assert _merged([second, first]).event_type.name == "2"


def test_a_time_that_is_days_ahead_counts_as_the_receipt_and_does_not_win_for_ever() -> None:
    ahead = Said(Change(ChangeKind.UPDATED, replace(SIGNUP, name="Ahead"), occurred_at=_at(10 * FUTURE)), NOW, "msg_1")
    later = Said(Change(ChangeKind.UPDATED, replace(SIGNUP, name="Later")), NOW + 1, "msg_2")

    assert ahead.clock.at == NOW
    assert _merged([ahead, later]).event_type.name == "Later"


def test_a_clock_that_is_hours_ahead_is_believed() -> None:
    assert Clock.of(
        Change(ChangeKind.UPDATED, SIGNUP, occurred_at=_at(FUTURE)), received_at=NOW, message_id="m", position=0
    ).at == (NOW + FUTURE)


def test_what_was_only_ever_archived_or_deleted_is_not_wanted() -> None:
    gone = [Said(Change(kind, SIGNUP), NOW, "msg_1") for kind in (ChangeKind.ARCHIVED, ChangeKind.DELETED)]

    assert not _merged(gone).wanted
    assert _merged([*gone, Said(Change(ChangeKind.UPDATED, SIGNUP), NOW - 9, "msg_0")]).wanted


def test_a_rename_or_an_update_says_nothing_of_the_status() -> None:
    archived = Said(Change(ChangeKind.ARCHIVED, SIGNUP), NOW, "msg_1")
    renamed = Said(Change(ChangeKind.RENAMED, RENAMED), NOW + 1, "msg_2")

    assert _merged([archived, renamed]).status == "archived"
