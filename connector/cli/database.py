"""`connector db`: the database's schema."""

from __future__ import annotations

import click

from connector.settings import Settings
from connector.store import schema
from connector.store.database import Database


@click.group()
def db() -> None:
    """Bring the database's schema up to date."""


@db.command()
def upgrade() -> None:
    """Bring the schema to what this version needs. Safe to run again; stop older versions first."""
    database = Database(Settings.from_environment().database_url)
    try:
        before = schema.current(database)
        schema.upgrade(database)
        after = schema.current(database)
    finally:
        database.close()
    click.echo(f"The schema is {after}" + (", as it was." if before == after else f", it was {before or 'empty'}."))
