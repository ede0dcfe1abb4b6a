"""Every pair of what should be there and what is there: one row per link, one column per state of the event type."""

from __future__ import annotations

from typing import Any

import pytest

from connector.delivery.convergence import Patch, actions
from connector.policy import Measure, PlannedMetric
from connector.store.links import Link, LinkState

BODY: dict[str, Any] = {"key": "signup", "kind": "custom", "name": "Signup", "eventKey": "signup", "isNumeric": False}
STATES = {
    "active": ("active", False),
    "active, delete opted in": ("active", True),
    "archived": ("archived", False),
    "archived, delete opted in": ("archived", True),
    "deleted": ("deleted", False),
    "deleted, delete opted in": ("deleted", True),
}


def _link(state: str | None, **fields: Any) -> list[Link]:
    return [] if state is None else [Link(Measure.OCCURRENCE, "signup", BODY | fields, LinkState(state))]


def _steps(planned: list[PlannedMetric], links: list[Link], state: str) -> str:
    status, delete = STATES[state]
    return " ".join(type(step).__name__.lower() for step in actions(planned, links, status=status, delete=delete))


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        (None, ("create", "create", "create", "create", "create", "")),
        ("creating", ("settle", "settle", "settle", "settle", "settle", "settle")),
        ("live", ("", "", "archive", "archive", "archive", "delete")),
        ("archived", ("restore", "restore", "", "", "", "delete")),
    ],
)
def test_a_planned_metric(link: str | None, expected: tuple[str, ...]) -> None:
    planned = [PlannedMetric(Measure.OCCURRENCE, BODY)]

    assert tuple(_steps(planned, _link(link), state) for state in STATES) == expected


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("creating", ("settle", "settle", "settle", "settle", "settle", "settle")),
        ("live", ("patch", "patch", "patch archive", "patch archive", "patch archive", "delete")),
        ("archived", ("patch restore", "patch restore", "patch", "patch", "patch", "delete")),
    ],
)
def test_a_planned_metric_that_reads_differently_now(link: str, expected: tuple[str, ...]) -> None:
    planned = [PlannedMetric(Measure.OCCURRENCE, BODY | {"name": "Registration"})]

    assert tuple(_steps(planned, _link(link), state) for state in STATES) == expected


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        (None, ("", "", "", "", "", "")),
        ("creating", ("settle", "settle", "settle", "settle", "settle", "settle")),
        ("live", ("archive", "archive", "archive", "archive", "archive", "delete")),
        ("archived", ("", "", "", "", "", "delete")),
    ],
)
def test_a_metric_that_is_no_longer_planned(link: str | None, expected: tuple[str, ...]) -> None:
    assert tuple(_steps([], _link(link), state) for state in STATES) == expected


def test_each_measure_goes_its_own_way() -> None:
    planned = [PlannedMetric(Measure.OCCURRENCE, BODY), PlannedMetric(Measure.COUNT, BODY | {"key": "signup-count"})]
    links = [*_link("live"), Link(Measure.VALUE_SUM, "signup-sum", BODY, LinkState.LIVE)]

    assert _steps(planned, links, "active") == "create archive"


def test_a_patch_keeps_the_key_that_the_metric_has() -> None:
    """The key of a link is for ever: it may be the fallback of a collision, or made of an earlier event key."""
    planned = [PlannedMetric(Measure.OCCURRENCE, BODY | {"key": "registration", "eventKey": "registration"})]

    (patch,) = actions(planned, _link("live"), status="active", delete=False)

    assert isinstance(patch, Patch)
    assert patch.body == BODY | {"eventKey": "registration"}
    assert patch.operations == [{"op": "replace", "path": "/eventKey", "value": "registration"}]


def test_a_patch_knows_which_fields_it_changes() -> None:
    before = {"eventDefault": {"disabled": False}, "unit": "USD"}
    after = {"eventDefault": {"disabled": True}, "description": "New."}

    (patch,) = actions(
        [PlannedMetric(Measure.OCCURRENCE, BODY | after)], _link("live", **before), status="active", delete=False
    )

    assert isinstance(patch, Patch)
    assert patch.changed == after


@pytest.mark.parametrize(("field", "renames"), [("name", True), ("eventKey", True), ("description", False)])
def test_a_patch_renames_where_it_touches_the_name_or_the_event_key(field: str, renames: bool) -> None:
    (patch,) = actions(
        [PlannedMetric(Measure.OCCURRENCE, BODY | {field: "new"})], _link("live"), status="active", delete=False
    )

    assert isinstance(patch, Patch)
    assert patch.renames is renames
