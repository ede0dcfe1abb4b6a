"""`connector keys`: the keys that encrypt stored secrets."""

from __future__ import annotations

import click

from connector.cli.output import opened
from connector.store import rekey
from connector.store.vault import generate_key


@click.group()
def keys() -> None:
    """Make and change the keys that encrypt stored secrets."""


@keys.command()
def generate() -> None:
    """Print a new key for CONNECTOR_ENCRYPTION_KEYS."""
    click.echo(generate_key())


@keys.command()
def rotate() -> None:
    """Encrypt every stored secret with the first of CONNECTOR_ENCRYPTION_KEYS.

    Put the new key in front of the old one, restart, run this, then leave the old one out.
    """
    with opened() as installation:
        number = installation.database.write(lambda tx: rekey.all_secrets(tx, installation.vault))
    click.echo(f"{number} secrets are now encrypted with the first key; the others may go.")
