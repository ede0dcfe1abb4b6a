"""`python -m fuzz`: run it for a while, print the figures, and exit 1 if anything was found.

This module must never know what a target does.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

import click

from fuzz import fast, guided
from fuzz.findings import FINDINGS, replay
from fuzz.reports import total

SECONDS = 60.0


@click.command()
@click.option("--mode", type=click.Choice(["fast", "guided", "both"]), default="both", show_default=True)
@click.option("--runs", type=click.IntRange(min=1), help="Requests, in all modes together.")
@click.option("--seconds", type=click.FloatRange(min=1), help="Time, for all modes together.  [default: 60]")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed makes the same requests.")
@click.option("--processes", type=click.IntRange(min=1), default=os.cpu_count() or 1, help="Of the fast mode.")
@click.option("--replay", "again", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A finding.")
def main(mode: str, runs: int | None, seconds: float | None, seed: int, processes: int, again: Path | None) -> None:
    """Fuzz the verifiers and readers of every dialect: fast (random), guided (by coverage), or both in turn.

    Every option can be given in the environment too: FUZZ_SECONDS, FUZZ_RUNS and so on.
    Exit code 0 if every outcome was a declared one, 1 if not (the inputs are in fuzz/findings), 2 if misused.
    """
    if again:
        click.echo(replay(again))
        return
    modes = ("fast", "guided") if mode == "both" else (mode,)
    if "guided" in modes and find_spec("atheris") is None:
        raise click.UsageError("The guided mode needs atheris: pip install 'metric-connector[fuzz]', or --mode fast.")
    if runs is None and seconds is None:
        seconds = SECONDS
    share = None if runs is None else -(-runs // len(modes))
    time = None if seconds is None else seconds / len(modes)
    reports = []
    for each in modes:
        if each == "fast":
            report = fast.run(seed, processes, share, time, FINDINGS)
        else:
            report = guided.run(seed, share, time, FINDINGS)
        click.echo("\n".join((f"== {each}, seed {seed}", *report.lines(), "")))
        reports.append(report)
    whole = total(reports)
    click.echo(f"{whole.requests:,} requests, {whole.defects} with a defect")
    if whole.defects:
        click.echo(f"One input of each sort is in {FINDINGS}: python -m fuzz --replay FILE")
        sys.exit(1)


if __name__ == "__main__":
    main(prog_name="python -m fuzz", auto_envvar_prefix="FUZZ")
