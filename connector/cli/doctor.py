"""`connector doctor`: what is wrong, and how to mend it."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import asdict
from itertools import groupby

import click

from connector import logs
from connector.cli.output import print_json, print_table
from connector.doctor import Finding, Verdict, examine


@click.command()
@click.argument("connection", required=False)
@click.option("--json", "as_json", is_flag=True, help="JSON instead of tables.")
def doctor(connection: str | None, as_json: bool) -> None:
    """Examine the installation, and every connection or the one that is named (by id or name).

    Nothing is changed. Exit code 1 says that something failed; warnings alone are 0.
    """
    logs.set_up("text", quiet=True)
    findings = examine(os.environ, connection)
    counts = Counter(finding.verdict for finding in findings)
    failed = counts[Verdict.FAILURE] > 0
    if as_json:
        print_json(
            {
                "ok": not failed,
                "counts": {verdict: counts[verdict] for verdict in Verdict},
                "checks": [asdict(finding) for finding in findings],
            }
        )
    else:
        for of, group in groupby(findings, key=lambda finding: finding.connection):
            print_table(
                ("verdict", "check", "seen", "fix"), [_row(finding) for finding in group], title=of or "Installation"
            )
        click.echo(", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict))
    raise SystemExit(1 if failed else 0)


def _row(finding: Finding) -> tuple[str, ...]:
    return (finding.verdict, finding.check, finding.seen, finding.fix)
