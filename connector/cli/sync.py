"""`connector sync`: the plan between a source's catalogue and LaunchDarkly, and its apply."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import click

from connector.catalogue.files import FORMATS
from connector.catalogue.plans import Plan, PlanMalformed
from connector.cli.output import opened
from connector.installation import Installation
from connector.store import reconciles
from connector.store.connections import Connection

LEAST_HOURS = 0.25
"""Between two comparisons: they use the customer's budget of calls."""

_FILE = click.Path(exists=True, path_type=Path)


@click.command()
@click.argument("connection")
@click.option("--plan", "action", flag_value="plan", help="Show what an apply would do: 0 nothing, 2 something.")
@click.option("--apply", "action", flag_value="apply", help="Do it, and tell what came of it.")
@click.option("--every", type=click.FloatRange(min=0), help="Hours between two comparisons by the server; 0 is never.")
@click.option("--file", "file", type=_FILE, help="The catalogue, instead of the partner's list API.")
@click.option("--format", "format_", type=click.Choice(FORMATS), help="Of the file; its content tells by default.")
@click.option("--plan-file", type=_FILE, help="With --apply: a plan that --out saved; refused if the world has moved.")
@click.option("--out", type=click.Path(dir_okay=False, writable=True, path_type=Path), help="Save the plan here.")
@click.option("--only", multiple=True, help="Only event types with such a key, name or id: 'checkout_*'. Repeatable.")
@click.option("--limit", type=click.IntRange(min=1), help="Act on so many event types at most.")
@click.option("--adopt", is_flag=True, help="Take over metrics that somebody else made for the same event.")
@click.option("--allow-archive", default=0, metavar="N", help="Archive up to N metrics where that is unusually many.")
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Save what came of it: .csv or .json.")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")
def sync(
    connection: str,
    action: str | None,
    every: float | None,
    file: Path | None,
    format_: str | None,
    plan_file: Path | None,
    out: Path | None,
    only: tuple[str, ...],
    limit: int | None,
    adopt: bool,
    allow_archive: int,
    report: Path | None,
    as_json: bool,
) -> None:
    """Bring the metrics of a connection to its source's catalogue, and repair what was broken in LaunchDarkly.

    Without --file the partner's list API is asked, where the connection has its credential; else the metrics are
    compared with what webhooks have said so far. Exit codes of --plan: 0 nothing to do, 2 changes pending, 1 failed.
    """
    from connector.cli import plans
    from connector.installation import syncer

    _judge(action, every, plan_file, says_what=bool(file or only or limit or adopt))
    with opened() as installation, plans.explained():
        found = plans.found(installation, connection)
        if every is not None:
            _set_every(installation, found, every)
            return
        syncing = syncer(installation)
        if plan_file is not None:
            # The same plan is the same delivery: one that was cut off goes on.
            saved = _read(plan_file, found)
            plans.apply(installation, syncing, saved, allow_archive=allow_archive, as_json=as_json, report_to=report)
            return
        if action == "apply":
            plans.go_on(installation, syncing, found)
        catalogue = None if file is None else plans.read(installation, found, file, format_)
        plan = syncing.plan(found.id, catalogue, adopt=adopt, only=only, limit=limit)
        if out is not None:
            out.write_text(json.dumps(plan.to_dict(), indent=1) + "\n")
        applies = action == "apply" and bool(plan.pending)
        if not (applies and as_json):
            plans.show(plan, found, as_json=as_json)
        if action == "plan":
            sys.exit(2 if plan.pending else 0)
        if applies:
            plans.apply(
                installation,
                syncing,
                plan,
                allow_archive=allow_archive,
                check=False,
                as_json=as_json,
                report_to=report,
            )


def _judge(action: str | None, every: float | None, plan_file: Path | None, *, says_what: bool) -> None:
    if (action is None) == (every is None):
        raise click.UsageError("Give one of --plan, --apply and --every.")
    if every is not None and 0 < every < LEAST_HOURS:
        raise click.UsageError(f"Compare every {LEAST_HOURS:g} hours at most often: each time reads all metrics.")
    if plan_file is not None and (action != "apply" or says_what):
        raise click.UsageError("--plan-file goes with --apply; what it does is said in the plan.")


def _read(path: Path, connection: Connection) -> Plan:
    try:
        stated = json.loads(path.read_bytes())
    except (ValueError, RecursionError, OSError):
        raise PlanMalformed(f"{path} is no JSON that can be read: save a plan with --plan --out FILE.") from None
    plan = Plan.from_dict(stated)
    if plan.connection_id != connection.id:
        raise PlanMalformed(f"{path} is a plan for the connection {plan.connection_id}, not for {connection.id}.")
    return plan


def _set_every(installation: Installation, connection: Connection, hours: float) -> None:
    now = time.time()
    installation.database.write(lambda tx: reconciles.set_every(tx, connection.id, hours * 3600, now=now))
    if hours:
        click.echo(f"{connection.name} is compared every {hours:g} hours while a server or worker runs.")
    else:
        click.echo(f"{connection.name} is compared only when somebody asks: connector sync {connection.name} --apply")
