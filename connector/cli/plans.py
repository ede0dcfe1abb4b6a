"""What `sync` and `import` share: a plan shown as a diff, applied with a progress bar, and what came of it.

It must never decide what a plan says.
"""

from __future__ import annotations

import csv
import json
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from connector.catalogue.fetching import SourceError
from connector.catalogue.files import FileRefused, read_catalogue
from connector.catalogue.planning import Action, ActionKind, Plan
from connector.catalogue.plans import PlanMalformed
from connector.catalogue.reports import COLUMNS, Report, ReportRow
from connector.catalogue.syncing import Syncer, SyncRefused
from connector.catalogue.usefulness import Usefulness
from connector.cli.output import print_json, print_table, printable
from connector.delivery import Runner
from connector.event_types import Catalogue
from connector.installation import Installation
from connector.launchdarkly import CredentialRefused, LaunchDarklyError
from connector.policy import PolicyError
from connector.running import new_runner, sole_runner
from connector.store import connections as stored
from connector.store import endpoints
from connector.store.connections import Connection
from connector.store.syncs import Tally

SHOWN = 200
"""Event types of each kind that a person is shown; a program gets them all."""

NAMED = 10
"""Metrics or events that a sentence names."""

FIRST_LOOK, LONGEST_LOOK = 0.05, 1.0
"""Seconds between two looks at the progress: they grow by half from the first to the longest."""

PATIENCE = 90.0
"""Seconds in which something has to be due; else the rest is left to a server, or to the next run."""

_SIGNS = {
    ActionKind.CREATE: "+",
    ActionKind.ADOPT: "+",
    ActionKind.RENAME: "~",
    ActionKind.UPDATE: "~",
    ActionKind.ARCHIVE: "-",
    ActionKind.RESTORE: "+",
    ActionKind.REPAIR: "*",
    ActionKind.KEEP: "=",
    ActionKind.SKIP: ".",
    ActionKind.CONFLICT: "!",
}
_NO_FIELDS = {"create", "archive", "restore", "delete"}


@contextmanager
def explained() -> Iterator[None]:
    """What stops a plan is exit code 1: a script must never take it for 2, changes pending."""
    logging.getLogger("connector").setLevel(logging.WARNING)  # ten thousand lines would hide what the command says
    try:
        yield
    except (SyncRefused, SourceError, FileRefused, PlanMalformed, PolicyError, CredentialRefused) as error:
        raise click.ClickException(f"{error} [{error.code}]") from None


def found(installation: Installation, name_or_id: str) -> Connection:
    with installation.database.read() as tx:
        connection = stored.find(tx, name_or_id)
    if connection is None:
        raise click.ClickException(f"There is no connection {name_or_id!r}. See: connector connections list")
    return connection


def read(installation: Installation, connection: Connection, file: Path, format: str | None) -> Catalogue:  # noqa: A002
    """The catalogue in a file or folder. Raises `FileRefused`."""
    with installation.database.read() as tx:
        partner = installation.partners.get(endpoints.partner_of(tx, connection.id))
    return read_catalogue(file, partner=partner, format=format)


def show(plan: Plan, connection: Connection, *, as_json: bool) -> None:
    """The plan as a diff, with a line that sums it up, and what the metrics are good for that are there."""
    if as_json:
        print_json(plan.to_dict())
        return
    click.echo(f"{printable(connection.name)} ({connection.id}), project {connection.project_key}")
    for kind in ActionKind:
        actions = [action for action in plan.actions if action.kind is kind]
        for action in actions[:SHOWN]:
            _show(action)
        if len(actions) > SHOWN:
            click.echo(f"  … and {len(actions) - SHOWN} more to {kind}: see them all with --json or --out FILE")
    click.echo(summary(plan))
    if not plan.pending:
        tell_usefulness(plan.usefulness)


def summary(plan: Plan) -> str:
    counts = ", ".join(f"{number} {kind}" for kind, number in plan.counts.items()) or "nothing is known"
    left = f" {plan.left_out} more are left out by --limit." if plan.left_out else ""
    return f"Plan: {counts}.{left}" + ("" if plan.pending else " Nothing to do.")


def _show(action: Action) -> None:
    click.echo(f"{_SIGNS[action.kind]} {action.kind:8} {printable(action.label)}  ({printable(action.reason)})")
    for step in action.metrics:
        name = step.fields.get("name", (None, ""))[1] if step.step == "create" else ""
        click.echo(f"    {step.step:8} {printable(step.key)}  {step.measure}  {printable(str(name or ''))}".rstrip())
        if step.step in _NO_FIELDS:
            continue
        for field, (before, after) in step.fields.items():
            click.echo(f"             {field}: {_value(before)} → {_value(after)}")
    if action.next_step:
        click.echo(f"    {printable(action.next_step)}")


def _value(value: Any) -> str:
    text = printable(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= 100 else text[:99] + "…"


def finish(installation: Installation, syncer: Syncer, delivery_id: str, expected: int) -> bool:
    """Follow a plan until nothing of it is left to do; whether that is so. Applies in this process where no other does.

    Ctrl-C stops here and loses nothing.
    """
    try:
        return _follow(installation, syncer, delivery_id, expected)
    except KeyboardInterrupt:
        tally = syncer.progress(delivery_id)
        raise click.ClickException(
            f"Stopped. {tally.done + tally.parked} of {max(expected, tally.total)} are done, the rest is stored "
            f"({delivery_id}): a running server goes on with it, or the same command again."
        ) from None


def _follow(installation: Installation, syncer: Syncer, delivery_id: str, expected: int) -> bool:
    runner: Runner | None = None
    lock: IO[str] | None = None
    look = FIRST_LOOK
    try:
        with _bar() as bar:
            task = bar.add_task("", total=expected or None)
            while True:
                tally = syncer.progress(delivery_id)
                bar.update(task, completed=tally.done + tally.parked, total=max(expected, tally.total) or None)
                if tally.unpacked and not tally.pending:
                    return True
                if not _moves(tally):
                    return False
                if runner is None:
                    runner, lock = _runner(installation)
                time.sleep(look)
                look = min(look * 1.5, LONGEST_LOOK)
    finally:
        if runner is not None:
            runner.stop()
        if lock is not None:
            lock.close()


def _runner(installation: Installation) -> tuple[Runner | None, IO[str] | None]:
    """None where another process of this SQLite file is at it; it is asked again, as that one may end."""
    lock = sole_runner(installation.settings)
    if installation.settings.sqlite and lock is None:
        return None, None
    runner = new_runner(installation, sole=lock is not None)
    runner.start()
    runner.ring()
    if (health := runner.health()) != "ok":
        click.echo(f"Waiting: {health}", err=True)
    return runner, lock


def _moves(tally: Tally) -> bool:
    waiting = tally.pending + (not tally.unpacked)
    if tally.leased:
        return True
    return tally.held < waiting and tally.due_at is not None and tally.due_at <= time.time() + PATIENCE


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.0f}/s" if task.speed else "")


def _bar() -> Progress:
    console = Console(stderr=True)
    columns = (BarColumn(), TextColumn("{task.completed:.0f} of {task.total}"), _Rate(), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)


def tell(report: Report) -> None:
    """What came of a plan, for a person."""
    print_table(("outcome", "event types"), list(report.counts.items()))
    if left := report.left:
        rows = [(row.event_type, row.action, row.outcome, row.code, row.reason, row.next_step) for row in left[:SHOWN]]
        columns = ("event type", "action", "outcome", "code", "reason", "next step")
        print_table(columns, rows, title=f"{len(left)} did not go" + (f", {SHOWN} shown" if len(left) > SHOWN else ""))
    if report.usefulness is not None:
        tell_usefulness(report.usefulness)


def tell_usefulness(good_for: Usefulness) -> None:
    if good_for.never_seen is None:
        click.echo("Events seen: LaunchDarkly has not told.")
    elif good_for.never_seen:
        click.echo(f"LaunchDarkly has never seen events of {_named(good_for.never_seen)}")
    if good_for.unmaintained:
        click.echo(f"Nobody maintains {_named(good_for.unmaintained)}")
    if good_for.in_use is None:
        click.echo("Running experiments: LaunchDarkly has not told.")
    elif good_for.in_use:
        click.echo(f"Changed while an experiment or rollout uses it: {_named(good_for.in_use)}")


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{len(names)}: {', '.join(map(printable, names[:NAMED]))}{more}"


def save(report: Report, path: Path) -> None:
    """As CSV where the file is named so, else as JSON."""
    if path.suffix.lower() != ".csv":
        path.write_text(json.dumps(report.to_dict(), indent=2) + "\n")
        return
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(_cells(row) for row in report.rows)


def _cells(row: ReportRow) -> list[str]:
    cells = [row.event_type, row.action, row.outcome, " ".join(row.metrics), row.code, row.reason, row.next_step]
    # A spreadsheet takes what begins so for a formula: https://owasp.org/www-community/attacks/CSV_Injection
    return [f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell for cell in cells]


def apply(
    installation: Installation,
    syncer: Syncer,
    plan: Plan,
    *,
    allow_archive: int = 0,
    check: bool = True,
    as_json: bool,
    report_to: Path | None,
) -> None:
    """Apply a plan to the end, tell what came of it, and leave with exit code 1 where something did not go."""
    delivery_id = syncer.apply(plan, allow_archive=allow_archive, check=check)
    settled = finish(installation, syncer, delivery_id, len(plan.pending))
    report = _report(syncer, delivery_id)
    if report_to is not None:
        save(report, report_to)
    if as_json:
        print_json(report.to_dict())
    else:
        tell(report)
        if not settled:
            click.echo("Not all is done yet: a running server goes on with it, or the same command again.", err=True)
    if not settled or any(row.outcome in {"pending", "parked"} for row in report.rows):
        sys.exit(1)


def _report(syncer: Syncer, delivery_id: str) -> Report:
    """With what the metrics are good for, where LaunchDarkly can be asked: what was done is told in any case."""
    try:
        return syncer.report(delivery_id, look=True)
    except (LaunchDarklyError, CredentialRefused) as error:
        click.echo(f"What the metrics are good for cannot be told now: {error}", err=True)
        return syncer.report(delivery_id)


def go_on(installation: Installation, syncer: Syncer, connection: Connection) -> None:
    """Finish what an earlier run of this connection has left, so that the next plan is made against what is there."""
    delivery_id = syncer.unfinished(connection.id)
    if delivery_id is None:
        return
    pending = syncer.progress(delivery_id).pending
    click.echo(f"Going on with an earlier run, {delivery_id}: {pending} changes are left.", err=True)
    if not finish(installation, syncer, delivery_id, pending):
        click.echo(f"Not all of it can be done now, see: connector deliveries show {delivery_id}", err=True)
