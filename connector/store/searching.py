"""What a person or a program searches the history for, as statements that an index answers.

Ids sort by time, so a page is a walk down an index until it is full. `state` follows from `outcome` (nothing yet is
`pending`), so the indexes need only the outcome. It must never know how a delivery is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, false, or_, select, union_all
from sqlalchemy.sql import ColumnElement

from connector.event_types import Outcome
from connector.store.rows import earliest_id
from connector.store.tables import changes, deliveries, endpoints

_FINAL = tuple(outcome for outcome in Outcome if outcome is not Outcome.PARKED)
_OUTCOMES: dict[str, tuple[Outcome | None, ...]] = {
    "pending": (None,),
    "parked": (Outcome.PARKED,),
    "done": _FINAL,
}


@dataclass(frozen=True, slots=True)
class Filter:
    """What to search for: all that is given must hold. Of a change's fields they must hold for one and the same change.

    `event_type` is the label: the source's id, else its key. `state` is `pending`, `parked` or `done`. `since` (from)
    and `until` (before) are unix seconds of the receipt, to the millisecond.
    """

    delivery_id: str | None = None
    endpoint_id: str | None = None
    message_id: str | None = None
    connection_id: str | None = None
    event_type: str | None = None
    state: str | None = None
    outcome: str | None = None
    since: float | None = None
    until: float | None = None

    @property
    def of_changes(self) -> bool:
        """Whether it asks for anything that only a change has."""
        return any(value is not None for value in (self.connection_id, self.event_type, self.state, self.outcome))


def matching(wanted: Filter, *, after: str | None, limit: int) -> Select[Any]:
    """The ids of the newest `limit` deliveries, before the one with the id `after`."""
    if not wanted.of_changes:
        rows = select(deliveries.c.id).where(*_of_delivery(wanted), *_window(wanted, deliveries.c.id, after))
        return rows.order_by(deliveries.c.id.desc()).limit(limit)
    branches = []
    for first, condition in _branches(wanted):
        rows = select(first, changes.c.delivery_id).where(condition, *of_change(wanted, branched=True))
        rows = rows.where(*_window(wanted, changes.c.delivery_id, after))
        if of_delivery := _of_delivery(wanted):
            rows = rows.join(deliveries, deliveries.c.id == changes.c.delivery_id).where(*of_delivery)
        # In the very order of the index: PostgreSQL does not see that one where the outcome is null is of one outcome.
        branch = rows.distinct().order_by(first.desc(), changes.c.delivery_id.desc()).limit(limit).subquery()
        branches.append(select(branch.c.delivery_id))
    found = union_all(*branches).subquery()
    return select(found.c.delivery_id).distinct().order_by(found.c.delivery_id.desc()).limit(limit)


def of_change(wanted: Filter, *, branched: bool = False) -> Sequence[ColumnElement[bool]]:
    """What must hold for a change itself; `branched`: beside the condition of a branch."""
    conditions = []
    if wanted.connection_id is not None:
        conditions.append(changes.c.connection_id == wanted.connection_id)
    if wanted.event_type is not None:
        conditions.append(changes.c.label == wanted.event_type)
    outcomes = _outcomes(wanted)
    if outcomes is not None and (not branched or wanted.event_type is not None):
        conditions.append(or_(false(), *(_is(outcome) for outcome in outcomes)))
    return conditions


def changes_matching(wanted: Filter) -> Select[Any]:
    """The ids of the changes, in no order."""
    rows = select(changes.c.id).where(*of_change(wanted), *_window(wanted, changes.c.delivery_id, None))
    if of_delivery := _of_delivery(wanted):
        rows = rows.join(deliveries, deliveries.c.id == changes.c.delivery_id).where(*of_delivery)
    return rows


def _branches(wanted: Filter) -> Sequence[tuple[ColumnElement[Any], ColumnElement[bool]]]:
    """Each walk down an index, by what stands in it before the delivery and what that has to be.

    A walk that took several outcomes at once would have to sort.
    """
    if wanted.event_type is not None:
        return [(changes.c.label, changes.c.label == wanted.event_type)]
    outcomes = _outcomes(wanted)
    if outcomes is None:
        outcomes = (None, *Outcome)
    return [(changes.c.outcome, condition) for condition in map(_is, outcomes)] or [(changes.c.outcome, false())]


def _outcomes(wanted: Filter) -> Sequence[str | None] | None:
    """The outcomes that state and outcome together allow; None where every one will do."""
    if wanted.state is None:
        return None if wanted.outcome is None else (wanted.outcome,)
    of_state = _OUTCOMES.get(wanted.state, ())
    return of_state if wanted.outcome is None else [each for each in of_state if each == wanted.outcome]


def _is(outcome: str | None) -> ColumnElement[bool]:
    return changes.c.outcome.is_(None) if outcome is None else changes.c.outcome == outcome


def _of_delivery(wanted: Filter) -> Sequence[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.delivery_id is not None:
        conditions.append(deliveries.c.id == wanted.delivery_id)
    if wanted.endpoint_id is not None:
        conditions.append(deliveries.c.endpoint_id == wanted.endpoint_id)
    if wanted.message_id is not None:
        conditions.append(deliveries.c.message_id == wanted.message_id)
        if wanted.endpoint_id is None:
            # The index of the message ids begins with the endpoint, and there are few of those.
            conditions.append(deliveries.c.endpoint_id.in_(select(endpoints.c.id)))
    return conditions


def _window(wanted: Filter, ids: ColumnElement[str], after: str | None) -> Sequence[ColumnElement[bool]]:
    conditions = []
    if wanted.since is not None:
        conditions.append(ids >= earliest_id("dlv", wanted.since))
    if wanted.until is not None:
        conditions.append(ids < earliest_id("dlv", wanted.until))
    if after is not None:
        conditions.append(ids < after)
    return conditions
