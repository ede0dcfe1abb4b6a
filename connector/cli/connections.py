"""`connector connections`: customers, their projects and their keys."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from connector.cli.output import moment, opened, print_json, print_table, printable
from connector.cli.setup_links import setup_link
from connector.connections import OVERLAP, NewConnection
from connector.installation import Installation, client_of, text_of
from connector.launchdarkly import DEFAULT_BASE_URL, least_privilege_policy
from connector.partners import Partner
from connector.policy import RulesError
from connector.store import connections as stored
from connector.store import endpoints
from connector.store.connections import Connection, Options


@click.group()
def connections() -> None:
    """Connect customers, test and change their connections."""


connections.add_command(setup_link)


@connections.command()
@click.option("--name", required=True, help="What you call it, such as the customer's name.")
@click.option("--partner", "partner_name", default="standard", show_default=True, help="Its dialect.")
@click.option("--project", required=True, help="The customer's LaunchDarkly project key.")
@click.option("--api-key", help="The customer's LaunchDarkly API key; better LAUNCHDARKLY_API_KEY or standard input.")
@click.option("--base-url", default=DEFAULT_BASE_URL, show_default=True, help="Or us, eu, federal.")
@click.option("--endpoint", help="Use this endpoint instead of making one.")
@click.option("--shared", is_flag=True, help="The new endpoint serves many customers, told apart by workspace.")
@click.option("--workspace", help="The customer's workspace at the partner, where the endpoint is shared.")
@click.option("--secret", help="The webhook secret, where the partner chose it; made by default.")
@click.option("--key-prefix", default="", help="In front of every metric key.")
@click.option("--tag", "tags", multiple=True, help="On every metric; may be repeated.")
@click.option("--maintainer", help="The LaunchDarkly member id (24 hexadecimal digits) that maintains the metrics.")
@click.option("--analysis-unit", "units", multiple=True, help="A context kind, such as user; may be repeated.")
@click.option("--rules", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A rules file of its own.")
@click.option("--on-delete", type=click.Choice(["archive", "delete"]), default="archive", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")
def add(
    name: str,
    partner_name: str,
    project: str,
    api_key: str | None,
    base_url: str,
    endpoint: str | None,
    shared: bool,
    workspace: str | None,
    secret: str | None,
    key_prefix: str,
    tags: tuple[str, ...],
    maintainer: str | None,
    units: tuple[str, ...],
    rules: Path | None,
    on_delete: str,
    as_json: bool,
) -> None:
    """Connect a customer: prints the webhook URL and, once, its secret."""
    options = Options(
        key_prefix=key_prefix,
        tags=tags,
        maintainer_id=maintainer,
        analysis_units=units,
        on_delete=on_delete,
        rules=text_of(rules, RulesError) if rules else None,
    )
    new = NewConnection(
        name=name,
        partner=partner_name,
        project_key=project,
        credential=_api_key(api_key),
        base_url=base_url,
        endpoint=endpoint,
        shared=shared,
        workspace=workspace,
        secret=secret,
        options=options,
    )
    with opened() as installation:
        added = installation.connections.add(new)
        partner = installation.partners.get(partner_name)
        url = _url(installation, added.connection)
    if as_json:
        print_json(_json(added.connection, url) | {"secret": added.secret})
        return
    click.echo(f"Connection   {added.connection.id} ({added.connection.name})")
    if url is None:
        click.echo(f"{partner.title} sends no webhooks: open its list API, then import the catalogue from there:")
        click.echo(f"connector connections set-source {added.connection.id} {_source_fields(partner)}")
        return
    click.echo(f"Webhook URL  {url}")
    if added.secret is not None:
        click.echo(f"Secret       {added.secret}")
        click.echo("The secret is not shown again. Enter both at the partner, then:")
        click.echo(f"connector connections test {added.connection.id}")


@connections.command("list")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")
def list_(as_json: bool) -> None:
    """All connections."""
    with opened() as installation:
        with installation.database.read() as tx:
            found = stored.listing(tx)
        urls = {each.id: _url(installation, each) for each in found}
    if as_json:
        print_json([_json(each, urls[each.id]) for each in found])
        return
    rows = [(each.id, each.name, each.project_key, each.state, urls[each.id] or "—") for each in found]
    print_table(("connection", "name", "project", "state", "webhook URL"), rows)


@connections.command()
@click.argument("connection")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")
def show(connection: str, as_json: bool) -> None:
    """One connection. Secrets are never shown."""
    with opened() as installation, _found(installation, connection) as found:
        url = _url(installation, found)
        with installation.database.read() as tx:
            endpoint = endpoints.get(tx, found.endpoint_id)
    details = _json(found, url) | {"partner": endpoint.partner if endpoint else None}
    if as_json:
        print_json(details)
        return
    if found.key_expires_at is not None:
        details["key_expires_at"] = f"{moment(found.key_expires_at)} UTC"
    for label, value in details.items():
        click.echo(f"{label:15} {printable(str(value))}")


@connections.command()
@click.argument("connection")
def test(connection: str) -> None:
    """Try the stored key: who it is, whether the project is there, whether its metrics can be read."""
    with opened() as installation, _found(installation, connection) as found:
        client = client_of(installation, found)
        identity = client.caller_identity()
        click.echo(f"key        good: {identity.get('tokenName') or identity.get('tokenKind') or 'a token'}")
        project = client.project(found.project_key)
        click.echo(f"project    found: {project.get('name', found.project_key)}")
        next(iter(client.list_metrics(found.project_key, page_size=1)), None)
        click.echo("metrics    can be read")
    click.echo("Whether the key may write shows with the first metric; the least it needs is this inline policy:")
    click.echo(least_privilege_policy(found.project_key))
    if found.state != "active":
        raise click.ClickException(f"The connection is {found.state}: {found.state_reason} See: connections set-key")


@connections.command("set-key")
@click.argument("connection")
@click.option("--api-key", help="Better LAUNCHDARKLY_API_KEY or standard input.")
def set_key(connection: str, api_key: str | None) -> None:
    """Store another LaunchDarkly API key, and resume the connection with all that waited."""
    key = _api_key(api_key)
    with opened() as installation, _found(installation, connection) as found:
        installation.connections.set_key(found, key)
    click.echo(f"{found.name} has a new key and is active.")


@connections.command()
@click.argument("connection")
@click.option("--reason", help="For people who wonder.")
def pause(connection: str, reason: str | None) -> None:
    """Let everything wait: webhooks are still accepted, and applied after a resume."""
    with opened() as installation, _found(installation, connection) as found:
        installation.connections.pause(found, **({} if reason is None else {"reason": reason}))
    click.echo(f"{found.name} is paused. Go on with: connector connections resume {found.id}")


@connections.command()
@click.argument("connection")
def resume(connection: str) -> None:
    """Go on with all that waited."""
    with opened() as installation, _found(installation, connection) as found:
        installation.connections.resume(found)
    click.echo(f"{found.name} is active.")


@connections.command("set-source")
@click.argument("connection")
@click.argument("fields", nargs=-1, required=True, metavar="NAME=VALUE…")
def set_source(connection: str, fields: tuple[str, ...]) -> None:
    """Store what opens the partner's list API, such as token=… project_id=…; NAME=- reads it from standard input."""
    credential = dict(field.partition("=")[::2] for field in fields)
    for name, value in credential.items():
        if value == "-":
            credential[name] = sys.stdin.readline().strip()
    with opened() as installation, _found(installation, connection) as found:
        installation.connections.set_source(found, credential)
    click.echo(f"The list API's credential of {found.name} is stored.")


@connections.command("rotate-secret")
@click.argument("connection")
@click.option("--secret", help="The new secret, where the partner chose it; made by default.")
@click.option("--overlap", default=OVERLAP, show_default=True, help="Seconds that the old secret still verifies.")
def rotate_secret(connection: str, secret: str | None, overlap: float) -> None:
    """Make a new webhook secret; it is shown once, and the old one verifies a while longer."""
    with opened() as installation, _found(installation, connection) as found:
        fresh = installation.connections.rotate_secret(found, secret, overlap=overlap)
    click.echo(f"Secret       {fresh}")
    click.echo(f"Enter it at the partner; the old one verifies for {overlap:g} more seconds.")


@connections.command()
@click.argument("connection")
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(connection: str, yes: bool) -> None:
    """Forget a connection and its key. Its metrics stay in LaunchDarkly."""
    with opened() as installation, _found(installation, connection) as found:
        if not yes:
            if not sys.stdin.isatty():
                raise click.UsageError("Give --yes to remove without being asked.")
            click.confirm(f"Remove {found.name} ({found.id})?", abort=True)
        installation.connections.remove(found)
    click.echo(f"{found.name} is removed; its metrics stay in LaunchDarkly.")


@contextmanager
def _found(installation: Installation, name_or_id: str) -> Iterator[Connection]:
    with installation.database.read() as tx:
        found = stored.find(tx, name_or_id)
    if found is None:
        raise click.ClickException(f"There is no connection {name_or_id!r}. See: connector connections list")
    yield found


def _api_key(given: str | None) -> str:
    """The key from the option, the environment, a pipe or a hidden prompt, in this order."""
    key = given or os.environ.get("LAUNCHDARKLY_API_KEY")
    if not key and not sys.stdin.isatty():
        key = sys.stdin.readline()
    elif not key:
        key = click.prompt("LaunchDarkly API key", hide_input=True)
    if not key or not key.strip():
        raise click.UsageError("Give the LaunchDarkly API key: LAUNCHDARKLY_API_KEY, standard input, or --api-key.")
    return key.strip()


def _url(installation: Installation, connection: Connection) -> str | None:
    """Where the partner sends its webhooks; None where it sends none."""
    with installation.database.read() as tx:
        partner = endpoints.partner_of(tx, connection.id)
    if partner in installation.partners.names() and installation.partners.get(partner).webhook is None:
        return None
    return f"{installation.settings.base_url}/webhooks/{connection.endpoint_id}"


def _source_fields(partner: Partner) -> str:
    """What `set-source` has to be told: the secret ones by standard input, those with a default not at all."""
    fields = partner.list_api.credential if partner.list_api is not None else ()
    return " ".join(f"{each.name}={'-' if each.secret else '…'}" for each in fields if each.default is None)


def _json(connection: Connection, url: str | None) -> dict[str, Any]:
    return {**asdict(connection), "webhook_url": url}
