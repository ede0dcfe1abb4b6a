from __future__ import annotations

import pytest

from connector.policy import collision_key
from connector.policy.keys import metric_key


@pytest.mark.parametrize(
    ("event_key", "key"),
    [
        ("Order Completed", "order-completed"),
        ("order_completed", "order-completed"),
        ("$pageview", "pageview"),
        ("checkout.payment:failed", "checkout-payment-failed"),
        ("Z\u00fcrich ge\u00f6ffnet", "zurich-geoffnet"),
        ("2nd_visit", "2nd-visit"),
    ],
)
def test_a_metric_key_is_the_slug_of_the_event_key(event_key: str, key: str) -> None:
    assert metric_key(event_key, "") == key


def test_prefix_and_label_stand_around_the_slug() -> None:
    assert metric_key("order_completed", "p95", "web.") == "web.order-completed-p95"


def test_an_event_key_without_a_letter_gets_a_hash_of_its_own() -> None:
    assert metric_key("\U0001f389", "count") == "event-6146299c-count"
    assert metric_key("\U0001f389", "") != metric_key("\U0001f38a", "")


def test_a_long_key_is_cut_to_100_characters_and_keeps_prefix_hash_and_label() -> None:
    key = metric_key("very long " * 30, "average", "web-")

    assert len(key) == 100
    assert key.startswith("web-very-long-very-long")
    assert key.endswith("-average")
    assert key != metric_key("very long " * 31, "average", "web-")


def test_exactly_100_characters_are_not_cut() -> None:
    assert metric_key("a" * 100, "") == "a" * 100


def test_a_collision_key_is_the_same_for_the_same_event_type_and_differs_for_another() -> None:
    assert collision_key("order", "evt_1") == "order-7d4e5a76"
    assert collision_key("order", "evt_1") != collision_key("order", "evt_2")
    assert len(collision_key("a" * 100, "evt_1")) == 100
