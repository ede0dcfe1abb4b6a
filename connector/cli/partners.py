"""`connector partners`: the dialects there are, and a mapping file of your own tried on a sample."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from connector.cli.output import print_json, print_table
from connector.installation import open_partners, text_of
from connector.partners import MappingRefused, Partner, PayloadRefused, Reading, built_in, matrix
from connector.partners.mapping import parse_mapping
from connector.partners.payload import NotJson, decode
from connector.settings import Settings


@click.group()
def partners() -> None:
    """See the partners, and try a mapping file."""


@partners.command("list")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")
@click.option("--markdown", is_flag=True, help="The feature matrix of the docs.")
def list_(as_json: bool, markdown: bool) -> None:
    """Every partner: what it announces, how it signs, what it lacks."""
    registry = open_partners(Settings.from_environment())
    known = [registry.get(name) for name in (built_in() if markdown else registry.names())]
    if markdown:
        click.echo(matrix.markdown(known), nl=False)
    elif as_json:
        print_json([_partner(each) for each in known])
    else:
        shown = [
            (each.name, *row[:3], row[-1].split(" ")[0]) for each, row in zip(known, matrix.rows(known), strict=True)
        ]
        print_table(("name", "title", "announces", "signature", "list API"), shown)


@partners.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--sample", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A body as it is sent.")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")
def check(file: Path, sample: Path | None, as_json: bool) -> None:
    """Check a mapping FILE, and show what a sample body becomes. Exit code 1 where the sample is refused."""
    partner = parse_mapping(text_of(file, MappingRefused), str(file))
    if sample is None:
        click.echo(f"{file} is good: partner {partner.name}. Try it on a body with --sample.")
        return
    assert partner.webhook is not None  # noqa: S101 - a mapping file describes nothing but a webhook
    try:
        reading = partner.webhook.read(decode(sample.read_bytes()), {})
    except NotJson as error:
        click.echo(f"Refused with 400: {error}", err=True)
        sys.exit(1)
    except PayloadRefused as refused:
        click.echo(f"Refused with 422: {json.dumps(refused.errors, indent=2)}", err=True)
        sys.exit(1)
    if as_json:
        print_json(_reading(reading))
        return
    for change in reading.changes:
        click.echo(f"{change.kind}: {json.dumps(change.to_dict(), indent=2, ensure_ascii=False)}")
    for skip in reading.skips:
        click.echo(f"skipped: {skip.what}: {skip.reason}")
    click.echo(f"message id: {reading.message_id or 'from the signed header, else a hash of the body'}")


def _partner(partner: Partner) -> dict[str, Any]:
    return {
        "name": partner.name,
        "title": partner.title,
        "announces": list(partner.webhook.kinds) if partner.webhook else [],
        "list_api": [field.name for field in partner.list_api.credential] if partner.list_api else None,
        "weaknesses": list(partner.weaknesses),
        "verified": partner.verified,
    }


def _reading(reading: Reading) -> dict[str, Any]:
    return {
        "changes": [change.to_dict() for change in reading.changes],
        "skips": [{"what": skip.what, "reason": skip.reason} for skip in reading.skips],
        "refresh": reading.refresh.missing if reading.refresh else None,
        "message_id": reading.message_id,
    }
