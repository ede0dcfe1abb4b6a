"""What a connection knows of its source, and what a catalogue says on top of it, as changes for the inbox."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection as Tx

from connector.catalogue.diffing import Known, difference
from connector.delivery.merging import Merged
from connector.event_types import Catalogue, ChangeKind, Outcome
from connector.store import event_types
from connector.store.inbox import NewChange


def known(tx: Tx, connection_id: str) -> list[Known]:
    """Every event type of the connection, as its source has stated it so far."""
    states = (Merged(state) for state in event_types.states(tx, connection_id))
    return [Known(state.event_type, state.status) for state in states]


def new_changes(tx: Tx, connection_id: str, catalogue: Catalogue) -> Sequence[NewChange]:
    """The changes that the catalogue makes to the connection; too many archives at once are parked for a person."""
    found = difference(catalogue, known(tx, connection_id))
    return [
        NewChange(
            change.label,
            change.kind,
            change,
            connection_id,
            outcome=Outcome.PARKED,
            reason=(
                "The catalogue lacks more than ten event types and more than a tenth of those known: it may have been "
                "cut short, so they are not archived unseen."
            ),
            next_step="Check the source, then replay the delivery to archive them.",
        )
        if found.archives_too_many and change.kind is ChangeKind.ARCHIVED
        else NewChange(change.label, change.kind, change, connection_id)
        for change in found.changes
    ]
