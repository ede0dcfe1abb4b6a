"""`connector import`: a first catalogue, planned, shown and applied."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from connector.catalogue.files import FORMATS
from connector.cli.output import opened


@click.command("import")
@click.argument("connection")
@click.argument("file", required=False, type=click.Path(exists=True, path_type=Path))
@click.option("--from-partner", is_flag=True, help="Ask the partner's list API instead of reading a file.")
@click.option("--dry-run", is_flag=True, help="Only show what would be done.")
@click.option("--format", "format_", type=click.Choice(FORMATS), help="Of the file; its content tells by default.")
@click.option("--only", multiple=True, help="Only event types with such a key, name or id: 'checkout_*'. Repeatable.")
@click.option("--limit", type=click.IntRange(min=1), help="Act on so many event types at most.")
@click.option("--adopt", is_flag=True, help="Take over metrics that somebody else made for the same event.")
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Save what came of it: .csv or .json.")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")
def import_(
    connection: str,
    file: Path | None,
    from_partner: bool,
    dry_run: bool,
    format_: str | None,
    only: tuple[str, ...],
    limit: int | None,
    adopt: bool,
    report: Path | None,
    as_json: bool,
) -> None:
    """Make metrics of a catalogue: a FILE or folder, or what the partner's list API says.

    An import only adds and changes: what the catalogue lacks is left as it is. To archive that too, use sync. Safe to
    repeat, and to continue when it was cut off.
    """
    from connector.cli import plans
    from connector.installation import syncer

    if (file is None) != from_partner:
        raise click.UsageError("Name a FILE, or give --from-partner.")
    with opened() as installation, plans.explained():
        found = plans.found(installation, connection)
        syncing = syncer(installation)
        if not dry_run:
            plans.go_on(installation, syncing, found)
        catalogue = syncing.listed(found.id) if file is None else plans.read(installation, found, file, format_)
        added = replace(catalogue, complete=False, removed=())
        plan = syncing.plan(found.id, added, adopt=adopt, only=only, limit=limit)
        applies = bool(plan.pending) and not dry_run
        if not (applies and as_json):
            plans.show(plan, found, as_json=as_json)
        if applies:
            plans.apply(installation, syncing, plan, check=False, as_json=as_json, report_to=report)
