from __future__ import annotations

import pytest

from connector.event_types import EventType
from connector.policy import wording


@pytest.mark.parametrize(
    ("event_key", "name"),
    [
        ("order_completed", "Order Completed"),
        ("orderCompleted", "Order Completed"),
        ("HTTPRequestFailed", "HTTP Request Failed"),
        ("checkout.payment:failed", "Checkout Payment Failed"),
        ("$pageview", "$pageview"),
        ("___", "___"),
        ("\x00", "Unnamed event"),
    ],
)
def test_without_a_name_the_event_key_is_made_readable(event_key: str, name: str) -> None:
    assert wording.display_name(EventType(key=event_key, name=""), event_key) == name


def test_a_name_from_the_source_stays_as_it_is() -> None:
    assert wording.display_name(EventType(name="order_completed \u2705", key="x"), "x") == "order_completed \u2705"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Order\r\n Completed\t", "Order Completed"),
        ("Order\x00\x1b[31m", "Order[31m"),
        ("gnp.\u202eexe", "gnp.exe"),
        ("a\u2028b\u2066c\u2069", "a bc"),
        ("half\ud83d", "half"),
        ("\u05e9\u05dc\u05d5\u05dd\u200f", "\u05e9\u05dc\u05d5\u05dd\u200f"),
        (None, ""),
    ],
)
def test_a_line_is_cleaned_of_what_hides_or_disguises_it(text: str | None, clean: str) -> None:
    assert wording.single_line(text) == clean


class TestTheDescription:
    def test_keeps_the_sources_lines_and_ends_with_where_it_comes_from(self) -> None:
        event_type = EventType(id="evt_1", description=" A customer paid.\r\nOnce per order.\x07\n")

        assert wording.description(event_type, "Acme") == (
            "A customer paid.\nOnce per order.\n\nKept in sync by Metric Connector from Acme, event type evt_1"
        )

    def test_is_the_provenance_alone_where_the_source_says_nothing(self) -> None:
        event_type = EventType(key="paid", description="", url="http://acme.example/paid")

        assert wording.description(event_type, "Acme") == (
            "Kept in sync by Metric Connector from Acme: http://acme.example/paid"
        )

    @pytest.mark.parametrize(
        "url", ["javascript:alert(1)", "/events/1", "https://a b", "https://a\u202eb", "https://a/" + "x" * 2000, ""]
    )
    def test_leaves_out_a_link_that_is_no_web_address_or_too_long(self, url: str) -> None:
        assert wording.description(EventType(key="paid", url=url), "Acme") == (
            "Kept in sync by Metric Connector from Acme"
        )

    def test_is_bounded_and_never_loses_the_provenance(self) -> None:
        event_type = EventType(key="k" * 500, description="d" * 9000, url="https://acme.example/" + "x" * 900)
        description = wording.description(event_type, "A" * 500)

        assert len(description) == 3000
        assert description.endswith("x" * 900)
        assert "\u2026\n\nKept in sync by Metric Connector from A" in description
