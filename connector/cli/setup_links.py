"""`connector connections setup-link`: an address on which a customer enters their own LaunchDarkly key."""

from __future__ import annotations

import click

from connector.cli.output import opened, print_json
from connector.connections import NewConnection
from connector.installation import Installation
from connector.launchdarkly import DEFAULT_BASE_URL
from connector.setup_links import EXPIRES, SetupLinks
from connector.store import connections as stored
from connector.store.connections import Connection


@click.command("setup-link")
@click.argument("connection", required=False)
@click.option("--new", "name", help="Make a connection of this name that waits for its key.")
@click.option("--partner", default="standard", show_default=True, help="With --new: its dialect.")
@click.option("--project", default="", help="With --new: the project; the customer chooses it by default.")
@click.option("--base-url", default=DEFAULT_BASE_URL, show_default=True, help="With --new: or us, eu, federal.")
@click.option("--expires", default=EXPIRES / 3600, show_default=True, help="Hours that the link works.")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")
def setup_link(
    connection: str | None,
    name: str | None,
    partner: str,
    project: str,
    base_url: str,
    expires: float,
    as_json: bool,
) -> None:
    """Make a link on which the customer of CONNECTION enters a LaunchDarkly API key. It works once.

    What arrives before that is kept, and applied afterwards.
    """
    if (connection is None) == (name is None):
        raise click.UsageError("Name a connection, or give --new NAME.")
    secret: str | None = None
    with opened() as installation:
        if name is not None:
            new = NewConnection(name=name, partner=partner, project_key=project, base_url=base_url)
            added = installation.connections.add(new)
            found, secret = added.connection, added.secret
        else:
            found = _found(installation, str(connection))
        settings = installation.settings
        links = SetupLinks(installation.database, installation.vault, base_url=settings.base_url)
        link = links.make(found, expires=expires * 3600)
    url = f"{settings.base_url}/webhooks/{found.endpoint_id}"
    if as_json:
        made = {"webhook_url": url, "secret": secret} if secret else {}
        print_json({"connection": found.id, **made, "setup_link": link, "expires_in": expires * 3600})
        return
    if secret is not None:
        click.echo(f"Connection   {found.id} ({found.name})")
        click.echo(f"Webhook URL  {url}")
        click.echo(f"Secret       {secret}")
    click.echo(f"Set-up link  {link}")
    click.echo(f"It works once, within {expires:g} hours. Send it on a way that only the customer reads.")


def _found(installation: Installation, name_or_id: str) -> Connection:
    with installation.database.read() as tx:
        found = stored.find(tx, name_or_id)
    if found is None:
        raise click.ClickException(f"There is no connection {name_or_id!r}. See: connector connections list")
    return found
