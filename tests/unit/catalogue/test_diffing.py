"""What a catalogue changes, against what is known."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connector.catalogue.diffing import Known, difference
from connector.event_types import Catalogue, Change, ChangeKind, EventType

PUBLISHED = datetime(2026, 6, 18, 13, 54, 1, tzinfo=UTC)
SIGNUP = EventType(id="1", key="signup", name="Signup", description="Joined.")
ORDER = EventType(id="2", key="order", name="Order")


def active(*event_types: EventType) -> list[Known]:
    return [Known(each, "active") for each in event_types]


def changes(catalogue: Catalogue, known: list[Known]) -> list[tuple[ChangeKind, str | None]]:
    return [
        (change.kind, change.event_type.id or change.event_type.key) for change in difference(catalogue, known).changes
    ]


def test_what_is_new_is_defined():
    assert changes(Catalogue((SIGNUP, ORDER), complete=True), active(SIGNUP)) == [(ChangeKind.DEFINED, "2")]


def test_what_is_the_same_is_no_change():
    assert changes(Catalogue((SIGNUP,), complete=True), active(SIGNUP)) == []


def test_a_field_that_the_catalogue_does_not_state_is_no_difference():
    assert changes(Catalogue((EventType(id="1", key="signup", name="Signup"),), complete=True), active(SIGNUP)) == []


def test_a_stable_id_with_another_key_or_name_is_renamed():
    renamed = EventType(id="1", key="joined", name="Joined")
    (change,) = difference(Catalogue((renamed,), complete=True), active(SIGNUP)).changes
    assert change == Change(ChangeKind.RENAMED, renamed, previous_key="signup", previous_name="Signup")


def test_without_ids_another_key_is_another_event_type():
    was, now = EventType(key="signup"), EventType(key="joined")
    expected = [(ChangeKind.DEFINED, "joined"), (ChangeKind.ARCHIVED, "signup")]
    assert changes(Catalogue((now,), complete=True), active(was)) == expected


def test_another_description_is_an_update():
    updated = EventType(id="1", key="signup", name="Signup", description="")
    assert changes(Catalogue((updated,), complete=True), active(SIGNUP)) == [(ChangeKind.UPDATED, "1")]


@pytest.mark.parametrize("status", ["archived", "deleted"])
def test_what_was_archived_and_is_there_again_is_restored(status):
    assert changes(Catalogue((SIGNUP,), complete=True), [Known(SIGNUP, status)]) == [(ChangeKind.RESTORED, "1")]


def test_a_complete_catalogue_archives_what_it_lacks():
    (change,) = difference(Catalogue((SIGNUP,), complete=True), active(SIGNUP, ORDER)).changes
    assert change == Change(ChangeKind.ARCHIVED, EventType(id="2"))


def test_a_partial_catalogue_never_archives_what_it_does_not_name():
    assert changes(Catalogue((SIGNUP,), complete=False), active(SIGNUP, ORDER)) == []


@pytest.mark.parametrize("named", ["order", "Order"])
def test_a_partial_catalogue_archives_what_it_declares_removed_by_key_or_name(named):
    catalogue = Catalogue((), complete=False, removed=(named,))
    assert changes(catalogue, active(SIGNUP, ORDER)) == [(ChangeKind.ARCHIVED, "2")]


def test_what_is_archived_already_is_not_archived_again():
    assert changes(Catalogue((), complete=True), [Known(SIGNUP, "archived")]) == []


def test_every_change_carries_when_the_catalogue_was_published():
    catalogue = Catalogue((SIGNUP,), complete=True, occurred_at=PUBLISHED, sequence=7, workspace="ws")
    (change,) = difference(catalogue, []).changes
    assert (change.occurred_at, change.sequence, change.workspace) == (PUBLISHED, 7, "ws")


@pytest.mark.parametrize(
    ("known", "gone", "too_many"),
    [(100, 10, False), (100, 11, True), (200, 20, False), (200, 21, True), (10, 10, False)],
)
def test_more_than_ten_archives_that_are_more_than_a_tenth_are_too_many(known, gone, too_many):
    event_types = [EventType(id=str(number)) for number in range(known)]
    found = difference(Catalogue(tuple(event_types[gone:]), complete=True), active(*event_types))
    assert len(found.changes) == gone
    assert found.archives_too_many is too_many
