"""`connector deliveries`: what came in, what became of it, and again please."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click
from sqlalchemy import Connection as Tx

from connector.cli.output import moment, opened, print_json, print_table, printable
from connector.event_types import Outcome
from connector.store import connections, history, inbox
from connector.store.history import ChangeRecord, DeliveryRecord
from connector.store.tables import changes

_LONGEST_BODY = 16_384
"""Bytes of a body that a terminal shows: a whole catalogue may be megabytes."""


@click.group()
def deliveries() -> None:
    """See what came in and what became of it; replay it."""


_TIME = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"])


@deliveries.command("list")
@click.option("--connection", help="Only of this connection (name or id).")
@click.option("--event-type", help="Only about this event type: the source's id, else its key.")
@click.option("--state", type=click.Choice(["pending", "parked", "done"]), help="Only with a change in this state.")
@click.option("--outcome", type=click.Choice([each.value for each in Outcome]), help="With a change that ended so.")
@click.option("--endpoint", help="Only what arrived at this endpoint.")
@click.option("--message-id", help="Only with this message id, which is the sender's.")
@click.option("--since", type=_TIME, help="Received then or later (UTC).")
@click.option("--until", type=_TIME, help="Received before that (UTC).")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
@click.option("--before", help="The page before: the last id of the one you saw.")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")
def list_(
    connection: str | None,
    event_type: str | None,
    state: str | None,
    outcome: str | None,
    endpoint: str | None,
    message_id: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    before: str | None,
    as_json: bool,
) -> None:
    """Deliveries, newest first, with the changes that match."""
    with opened() as installation, installation.database.read() as tx:
        wanted = history.Filter(
            endpoint_id=endpoint,
            message_id=message_id,
            connection_id=None if connection is None else _connection_id(tx, connection),
            event_type=event_type,
            state=state,
            outcome=outcome,
            since=_seconds(since),
            until=_seconds(until),
        )
        records = history.search(tx, wanted, after=before, limit=limit).deliveries
    if as_json:
        print_json([_delivery(record) for record in records])
        return
    rows = [
        (record.id, moment(record.received_at), change.label, change.kind, _state(change), _metrics(change))
        for record in records
        for change in record.changes
    ]
    print_table(("delivery", "received (UTC)", "event type", "change", "outcome", "metrics or reason"), rows)


@deliveries.command()
@click.argument("delivery")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")
def show(delivery: str, as_json: bool) -> None:
    """One delivery: its body, its changes, every attempt and every call to LaunchDarkly."""
    with opened() as installation, installation.database.read() as tx:
        details = history.details(tx, delivery)
    if details is None:
        raise click.ClickException(f"There is no delivery {delivery!r}. See: connector deliveries list")
    if as_json:
        body = details.body.decode(errors="replace")
        attempts = [asdict(attempt) for attempt in details.attempts]
        print_json(_delivery(details.delivery) | {"headers": details.headers, "body": body, "attempts": attempts})
        return
    record = details.delivery
    click.echo(f"{record.id}  received {moment(record.received_at)} UTC at endpoint {record.endpoint_id}")
    click.echo(f"message id {printable(record.message_id)}")
    for name, value in details.headers.items():
        click.echo(f"  {name}: {printable(value)}")
    click.echo(printable(details.body[:_LONGEST_BODY].decode(errors="replace")))
    if (left_out := len(details.body) - _LONGEST_BODY) > 0:
        click.echo(f"… and {left_out:,} bytes more: --json shows all.")
    print_table(
        ("event type", "change", "outcome", "attempts", "metrics or reason", "next step"),
        [
            (each.label, each.kind, _state(each), each.attempts, _metrics(each), each.result.get("next_step"))
            for each in record.changes
        ],
    )
    rows: list[tuple[object, ...]] = []
    for attempt in details.attempts:
        rows.append((moment(attempt.started_at), attempt.number, attempt.code, "", "", attempt.message))
        rows.extend(
            (moment(call["started"]), "", "", f"{call['method']} {call['path']}", call["status"], call["error"])
            for call in attempt.calls
        )
    print_table(("when (UTC)", "attempt", "code", "call", "status", "message"), rows)


@deliveries.command()
@click.argument("delivery", nargs=-1)
@click.option("--parked", is_flag=True, help="Every parked change instead.")
@click.option("--connection", help="With --parked: only of this connection.")
def replay(delivery: tuple[str, ...], parked: bool, connection: str | None) -> None:
    """Queue the changes of deliveries again, as if they had just come. Safe: what is done already stays as it is."""
    if bool(delivery) == parked:
        raise click.UsageError("Name deliveries, or give --parked.")
    with opened() as installation:
        where = changes.c.delivery_id.in_(delivery) if delivery else changes.c.state == "parked"
        if connection is not None:
            with installation.database.read() as tx:
                where &= changes.c.connection_id == _connection_id(tx, connection)
        queued = installation.database.write(lambda tx: inbox.replay(tx, where, now=time.time()))
    if delivery and not queued:
        raise click.ClickException("Nothing to replay: no such delivery, or its changes are still under way.")
    what = "1 change is" if queued == 1 else f"{queued} changes are"
    click.echo(f"{what} queued again; a running server applies them within a second.")


def _connection_id(tx: Tx, name_or_id: str) -> str:
    found = connections.find(tx, name_or_id)
    if found is None:
        raise click.ClickException(f"There is no connection {name_or_id!r}. See: connector connections list")
    return found.id


def _seconds(moment_: datetime | None) -> float | None:
    return None if moment_ is None else moment_.replace(tzinfo=UTC).timestamp()


def _delivery(record: DeliveryRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "endpoint": record.endpoint_id,
        "message_id": record.message_id,
        "received_at": record.received_at,
        "changes": [_change(change) for change in record.changes],
    }


def _change(change: ChangeRecord) -> Mapping[str, Any]:
    return {**asdict(change), "state": "held" if change.held else change.state}


def _state(change: ChangeRecord) -> str:
    if change.held:
        return "held (connection paused)"
    return change.outcome or f"pending, due {moment(change.due_at)}"


def _metrics(change: ChangeRecord) -> str:
    keys = ", ".join(metric["key"] for metric in change.result.get("metrics", []))
    return keys or str(change.result.get("reason", ""))
