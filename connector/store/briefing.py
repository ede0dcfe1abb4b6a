"""What an attempt at a change begins with: all that the store knows of its event type and connection, in one look.

It must never know how a change is applied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection as Tx

from connector.store import budgets, connections, links
from connector.store.connections import Connection
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
    f"SELECT partner, credential, event_types.state, {budgets.KNOWN}, "  # noqa: S608 - fragments of our own
    f"{', '.join(f'links.{name}' for name in links.FIELDS)}, "
    f"{', '.join(f'connections.{name}' for name in connections.FIELDS)} "
    "FROM event_types JOIN connections ON connections.id = event_types.connection_id "
    "JOIN endpoints ON endpoints.id = connections.endpoint_id "
    "LEFT JOIN links ON links.event_type_id = event_types.id "
    "WHERE event_types.id = :event_type_id ORDER BY links.id"
)


def of_event_type(tx: Tx, event_type_id: int) -> Briefing:
    """Raises `LookupError` where there is no such event type."""
    rows = _BRIEF.all(tx, {"event_type_id": event_type_id})
    if not rows:
        raise LookupError(f"there is no event type {event_type_id}")
    partner, credential, state, limited = rows[0][:_OWN]
    linked = [row[_OWN:_LINKED] for row in rows]
    return Briefing(
        connection=connections.from_stored(rows[0][_LINKED:]),
        partner=partner,
        credential=credential,
        limited=bool(limited),
        registers=json_value(state),
        links=[links.from_stored(each) for each in linked if each[0] is not None],
    )


_OWN = 4
_LINKED = _OWN + len(links.FIELDS)
