"""What an attempt at a change begins with: all that the store knows of its event type and connection, in one look.

It must never know how a change is applied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection as Tx

from connector.store import budgets, links
from connector.store.connections import FIELDS, Connection, from_stored
from connector.store.links import Link
from connector.store.statements import Statement, json_value


@dataclass(frozen=True, slots=True)
class Briefing:
    """`registers` is what the source has said of the event type so far, `credential` as the vault encrypted it.

    `limited` says whether LaunchDarkly has told any limit of the connection's account or token.
    """

    connection: Connection
    partner: str
    credential: bytes = field(repr=False)
    limited: bool
    registers: Mapping[str, Any]
    links: Sequence[Link]


_BRIEF = Statement(
    f"SELECT partner, credential, event_types.state, {', '.join(f'connections.{name}' for name in FIELDS)} "  # noqa: S608
    "FROM event_types JOIN connections ON connections.id = event_types.connection_id "
    "JOIN endpoints ON endpoints.id = connections.endpoint_id WHERE event_types.id = :event_type_id"
)


def of_event_type(tx: Tx, event_type_id: int) -> Briefing:
    """Raises `LookupError` where there is no such event type."""
    row = _BRIEF.one(tx, {"event_type_id": event_type_id})
    if row is None:
        raise LookupError(f"there is no event type {event_type_id}")
    partner, credential, state, *stored = row
    connection = from_stored(stored)
    return Briefing(
        connection=connection,
        partner=partner,
        credential=credential,
        limited=budgets.known(tx, budgets.scopes_of(connection)),
        registers=json_value(state),
        links=links.of_event_type(tx, event_type_id),
    )
