"""`connector send`: sign and send a webhook as a partner would, and show the answer."""

from __future__ import annotations

import json
import secrets
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import requests

from connector.installation import open_partners
from connector.settings import Settings


@click.command()
@click.argument("url")
@click.option("--partner", "partner_name", default="standard", show_default=True, help="As which partner.")
@click.option("--secret", required=True, envvar="CONNECTOR_WEBHOOK_SECRET", help="Also CONNECTOR_WEBHOOK_SECRET.")
@click.option("--type", "type_", default="event_type.defined", show_default=True, help="The event's name.")
@click.option("--data", required=True, help="JSON; @FILE reads it from a file, - from standard input.")
@click.option("--message-id", help="The idempotency key; a new one by default.")
@click.option(
    "--timestamp", type=click.DateTime(["%Y-%m-%dT%H:%M:%SZ"]), help="When it happened (UTC); now by default."
)
@click.option("--forge", is_flag=True, help="Spoil the signature, to see it refused.")
def send(
    url: str,
    partner_name: str,
    secret: str,
    type_: str,
    data: str,
    message_id: str | None,
    timestamp: datetime | None,
    forge: bool,
) -> None:
    """Sign DATA as the partner does and POST it to URL; print the status and the answer.

    Exit code 0 for a 2xx, else 1.
    """
    webhook = open_partners(Settings.from_environment()).get(partner_name).webhook
    if webhook is None:
        raise click.UsageError(f"{partner_name} sends no webhooks.")
    now = time.time()
    occurred_at = timestamp.replace(tzinfo=UTC) if timestamp else datetime.fromtimestamp(now, UTC)
    try:
        payload = webhook.compose(type_, _json(data), occurred_at)
        body = json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()
        headers = webhook.scheme.sign(body, secret, message_id or f"msg_{secrets.token_hex(12)}", now)
    except (ValueError, KeyError, TypeError) as error:
        raise click.UsageError(f"{partner_name} cannot send this: {error}") from None
    if forge:
        body += b" "
    try:
        response = requests.post(
            url,
            data=body,
            headers={**headers, "Content-Type": "application/json", "User-Agent": "connector-send"},
            timeout=(5, 70),
            allow_redirects=False,
        )
    except requests.RequestException as error:
        raise click.ClickException(
            f"{url} does not answer ({type(error).__name__}). Is the connector running?"
        ) from None
    click.echo(f"{response.status_code} {response.reason}")
    click.echo(_pretty(response))
    sys.exit(0 if response.ok else 1)


def _json(data: str) -> Any:
    if data == "-":
        data = sys.stdin.read()
    elif data.startswith("@"):
        try:
            data = Path(data[1:]).read_text()
        except OSError as error:
            raise click.BadParameter(f"cannot be read: {error.strerror}", param_hint="--data") from None
    try:
        return json.loads(data)
    except ValueError as error:
        raise click.BadParameter(f"is not JSON: {error}", param_hint="--data") from None


def _pretty(response: requests.Response) -> str:
    try:
        return json.dumps(response.json(), indent=2, ensure_ascii=False)
    except ValueError:
        return response.text
