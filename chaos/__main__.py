"""`python -m chaos`: do one run, print its figures, exit 1 if anything was lost, doubled or stuck."""

from __future__ import annotations

import signal
import sys
import tempfile
from pathlib import Path

import click

from chaos.run import Plan, run


@click.command()
@click.option("--store", type=click.Choice(["sqlite", "postgres"]), default=Plan.store, show_default=True)
@click.option("--broker", help="redis for a Redis of the run's own, or the URL of any broker; takes --store postgres.")
@click.option("--changes", type=click.IntRange(min=1), default=Plan.changes, show_default=True)
@click.option("--kills", type=click.IntRange(min=1), default=Plan.kills, show_default=True, help="At least.")
@click.option("--faults", type=click.FloatRange(0, 0.9), default=Plan.faults, show_default=True, help="Faulty answers.")
@click.option("--seed", type=int, default=Plan.seed, show_default=True, help="Repeats the stream and the dice.")
@click.option("--skew", type=click.FloatRange(-290, 290), default=Plan.skew, show_default=True, help="Seconds.")
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path), help="Keep databases and logs there.")
def main(
    store: str, broker: str | None, changes: int, kills: int, faults: float, seed: int, skew: float, keep: Path | None
) -> None:
    """Kill the connector while partners send, and see that nothing is lost, doubled or stuck.

    Every option can be given in the environment too: CHAOS_STORE, CHAOS_CHANGES and so on. Exit code 0 if all is
    well, 1 if not, 2 if misused.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))  # so that no process is left behind
    if broker and store != "postgres":
        raise click.UsageError("A broker takes --store postgres: SQLite is for one machine.")
    plan = Plan(store=store, broker=broker, changes=changes, kills=kills, faults=faults, seed=seed, skew=skew)
    with tempfile.TemporaryDirectory(prefix="chaos-") as temporary:
        directory = keep or Path(temporary)
        directory.mkdir(parents=True, exist_ok=True)
        report = run(plan, directory.resolve())
    click.echo("\n".join(report.lines()))
    sys.exit(0 if report.good else 1)


if __name__ == "__main__":
    main(auto_envvar_prefix="CHAOS")
