"""How the changes of one delivery stand, for the request that waits for them: as little as its answer needs.

`history` has all that people see. It must never know what is answered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from connector.event_types import Outcome
from connector.store.inbox import NewChange, Settled
from connector.store.statements import Statement, json_value


@dataclass(frozen=True, slots=True)
class Standing:
    """One change as it stands: see `history.ChangeRecord`, whose fields these are."""

    label: str
    kind: str
    state: str
    outcome: str | None
    result: Mapping[str, Any] = field(default_factory=dict)
    due_at: float = 0.0
    leased: bool = False
    held: bool = False


_OF_DELIVERY = Statement(
    "SELECT label, kind, changes.state, outcome, result, due_at, resting_until, lease_owner, connections.state "
    "FROM changes LEFT JOIN connections ON connections.id = connection_id "
    "WHERE delivery_id = :delivery_id ORDER BY position"
)


def of_delivery(tx: Connection, delivery_id: str) -> Sequence[Standing]:
    """In the order in which the delivery had them."""
    return [
        Standing(
            label,
            kind,
            state,
            outcome,
            json_value(result),
            max(due_at, resting_until or 0.0) if due_at else 0.0,
            leased=owner is not None,
            held=state == "pending" and of_connection == "paused",
        )
        for label, kind, state, outcome, result, due_at, resting_until, owner, of_connection in _OF_DELIVERY.all(
            tx, {"delivery_id": delivery_id}
        )
    ]


def of_new(new: NewChange) -> Standing:
    """A change as it was accepted just now."""
    return Standing(new.label, new.kind, new.state, new.outcome, new.said)


def of_settled(new: NewChange, settled: Settled) -> Standing:
    """A change of which an attempt has made an end."""
    state = "parked" if settled.outcome is Outcome.PARKED else "done"
    return Standing(new.label, str(new.kind), state, settled.outcome, settled.result)
