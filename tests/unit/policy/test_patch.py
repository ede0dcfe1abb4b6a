from __future__ import annotations

from connector.policy import patch_operations

BODY = {"key": "a", "kind": "custom", "name": "A", "eventKey": "a", "eventDefault": {"disabled": False}, "tags": ["x"]}


def test_equal_bodies_need_no_operation() -> None:
    assert patch_operations(BODY, dict(BODY)) == []


def test_a_rename_is_the_name_and_the_event_key() -> None:
    assert patch_operations(BODY, BODY | {"name": "B", "eventKey": "b"}) == [
        {"op": "replace", "path": "/name", "value": "B"},
        {"op": "replace", "path": "/eventKey", "value": "b"},
    ]


def test_a_field_that_comes_is_added_and_one_that_goes_is_removed() -> None:
    without_tags = {field: value for field, value in BODY.items() if field != "tags"}

    assert patch_operations(BODY, without_tags | {"unit": "USD"}) == [
        {"op": "add", "path": "/unit", "value": "USD"},
        {"op": "remove", "path": "/tags"},
    ]


def test_a_default_for_missing_events_is_patched_at_its_own_path() -> None:
    assert patch_operations(BODY, BODY | {"eventDefault": {"disabled": True}}) == [
        {"op": "replace", "path": "/eventDefault/disabled", "value": True}
    ]


def test_key_and_kind_are_never_patched() -> None:
    assert patch_operations(BODY, BODY | {"key": "b", "kind": "click"}) == []
