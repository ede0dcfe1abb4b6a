"""What became of a plan, row by row."""

from __future__ import annotations

from connector.catalogue.plans import Action, ActionKind, Plan
from connector.catalogue.reports import Report, ReportRow, changed, rows_of
from connector.cli.plans import _cells
from connector.event_types import Change, ChangeKind, EventType
from connector.store.syncs import Row


def action(kind: ActionKind, label: str, **fields: str) -> Action:
    change = Change(ChangeKind.DEFINED, EventType(id=label)) if kind.pending else None
    return Action(kind, label, fields.get("code", "code"), "Why.", change=change, next_step=fields.get("next_step", ""))


def stored(label: str, outcome: str | None, **result: object) -> Row:
    return Row(label, "defined", "done" if outcome else "pending", outcome, 1, None, result)


PLAN = Plan(
    "con_1",
    made_at=0.0,
    fingerprint="f",
    actions=(
        action(ActionKind.CREATE, "1"),
        action(ActionKind.RENAME, "2"),
        action(ActionKind.CREATE, "3"),
        action(ActionKind.SKIP, "4"),
        action(ActionKind.CONFLICT, "5", code="metric_exists", next_step="Adopt it."),
    ),
)


def test_a_row_has_what_was_planned_and_what_came_of_it() -> None:
    rows = list(
        rows_of(
            PLAN,
            iter(
                [
                    stored("1", "created", metrics=[{"key": "one"}]),
                    stored("2", "parked", code="launchdarkly_invalid", reason="No.", next_step="Mend it."),
                ]
            ),
        )
    )
    assert rows == [
        ReportRow("1", "create", "created", ("one",), "created"),
        ReportRow("2", "rename", "parked", (), "launchdarkly_invalid", "No.", "Mend it."),
        ReportRow("3", "create", "pending", (), "pending", "Why.", "It is put into the inbox by itself."),
        ReportRow("4", "skip", "skipped", (), "code", "Why."),
        ReportRow("5", "conflict", "conflict", (), "metric_exists", "Why.", "Adopt it."),
    ]
    report = Report("dlv_1", "con_1", rows, unchanged=7)
    assert [row.event_type for row in report.left] == ["2", "3", "5"]
    assert all(row.next_step for row in report.left)
    assert report.counts == {"conflict": 1, "created": 1, "parked": 1, "pending": 1, "skipped": 1, "unchanged": 7}


def test_what_was_made_was_not_changed() -> None:
    rows = [ReportRow("1", "create", "created", ("a",), ""), ReportRow("2", "rename", "renamed", ("b", "c"), "")]
    assert changed(rows) == {"b", "c"}


def test_a_spreadsheet_takes_no_foreign_text_for_a_formula() -> None:
    assert _cells(ReportRow("=cmd", "create", "created", (), "code", "@x"))[::5] == ["'=cmd", "'@x"]
