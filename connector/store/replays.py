"""Replays of many changes: what a filter finds is queued again at once, watched, and taken back where it still waits.

What a change was before is kept beside it. It must never know how a change is applied: the runner finds it like any.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, insert, literal, select, update

from connector.store import inbox
from connector.store.inbox import KEEP_SECONDS
from connector.store.rows import new_id
from connector.store.searching import Filter, changes_matching
from connector.store.tables import changes, replayed_changes, replays

MOST = 10_000
"""Changes that one replay takes at most, so that no transaction keeps the webhooks waiting."""

_CHUNK = 1_000
_KEPT = ("state", "outcome", "attempts", "result", "finished_at")


@dataclass(frozen=True, slots=True)
class Replay:
    """`changes` were queued; `more` says that the filter found others beyond the cap.

    `states` counts where they are now: by outcome, those under way as `pending`. What was forgotten since is missing.
    """

    id: str
    filter: Filter
    changes: int
    more: bool
    created_at: float
    cancelled_at: float | None
    states: Mapping[str, int]

    @property
    def state(self) -> str:
        """`running`, `done` or `cancelled`."""
        if self.cancelled_at is not None:
            return "cancelled"
        return "running" if self.states.get("pending") else "done"


def start(tx: Connection, wanted: Filter, *, cap: int, now: float) -> Replay:
    """Queue the oldest `cap` finished and parked changes that `wanted` describes again."""
    old = select(replays.c.id).where(replays.c.created_at < now - KEEP_SECONDS)
    tx.execute(delete(replayed_changes).where(replayed_changes.c.replay_id.in_(old)))
    tx.execute(delete(replays).where(replays.c.id.in_(old)))
    # Not in the order of the primary key itself: to walk down that and throw away is slow where little matches.
    oldest = _replayable(wanted).order_by(changes.c.id + 0).limit(cap + 1)
    ids = list(tx.execute(oldest.with_for_update(skip_locked=True, key_share=True, of=changes)).scalars())
    taken, replay_id = ids[:cap], new_id("rpl", now)
    values = {"filter": asdict(wanted), "changes": len(taken), "more": len(ids) > cap, "created_at": now}
    tx.execute(insert(replays).values(id=replay_id, **values))
    for first in range(0, len(taken), _CHUNK):
        these = changes.c.id.in_(taken[first : first + _CHUNK])
        before = select(literal(replay_id), changes.c.id, *(changes.c[name] for name in _KEPT)).where(these)
        tx.execute(insert(replayed_changes).from_select(["replay_id", "change_id", *_KEPT], before))
        inbox.replay(tx, these, now=now)
    replay = get(tx, replay_id)
    assert replay is not None  # noqa: S101 - it was written above
    return replay


def count(tx: Connection, wanted: Filter, *, most: int) -> int:
    """How many changes `start` would queue, counted as far as `most`."""
    found = _replayable(wanted).limit(most).subquery()
    number: int = tx.execute(select(func.count()).select_from(found)).scalar_one()
    return number


def cancel(tx: Connection, replay_id: str, *, now: float) -> Replay | None:
    """Make what still waits what it was before; what a runner has begun is finished. None where there is no such."""
    replay = get(tx, replay_id)
    if replay is None or replay.state != "running":
        return replay
    waiting = select(changes.c.id).join(replayed_changes, replayed_changes.c.change_id == changes.c.id)
    waiting = waiting.where(
        replayed_changes.c.replay_id == replay_id,
        changes.c.state == "pending",
        changes.c.lease_owner.is_(None),
        changes.c.queued_at == replay.created_at,  # else it was queued once more since
    )
    ids = list(tx.execute(waiting.with_for_update(skip_locked=True, key_share=True, of=changes)).scalars())
    for first in range(0, len(ids), _CHUNK):
        before = {name: replayed_changes.c[name] for name in _KEPT}
        tx.execute(
            update(changes)
            .where(
                changes.c.id.in_(ids[first : first + _CHUNK]),
                replayed_changes.c.replay_id == replay_id,
                replayed_changes.c.change_id == changes.c.id,
            )
            .values(**before, due_at=None)
        )
    tx.execute(update(replays).where(replays.c.id == replay_id).values(cancelled_at=now))
    return get(tx, replay_id)


def get(tx: Connection, replay_id: str) -> Replay | None:
    row = tx.execute(select(replays).where(replays.c.id == replay_id)).one_or_none()
    return None if row is None else _replay(row, _states(tx, [replay_id]))


def listing(tx: Connection, *, after: str | None = None, limit: int) -> Sequence[Replay]:
    """Newest first; `after` is the last id of the page before."""
    rows = select(replays).order_by(replays.c.id.desc()).limit(limit)
    if after is not None:
        rows = rows.where(replays.c.id < after)
    found = tx.execute(rows).all()
    states = _states(tx, [row.id for row in found])
    return [_replay(row, states) for row in found]


def _replayable(wanted: Filter) -> Select[Any]:
    """The ids of the finished and parked changes that `wanted` describes."""
    return changes_matching(wanted).where(changes.c.state.in_(("done", "parked")), changes.c.connection_id.is_not(None))


def _states(tx: Connection, replay_ids: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
    counted = tx.execute(
        select(replayed_changes.c.replay_id, changes.c.outcome, func.count())
        .join(changes, changes.c.id == replayed_changes.c.change_id)
        .where(replayed_changes.c.replay_id.in_(replay_ids))
        .group_by(replayed_changes.c.replay_id, changes.c.outcome)
    )
    found: dict[str, dict[str, int]] = {replay_id: {} for replay_id in replay_ids}
    for replay_id, outcome, number in counted:
        found[replay_id][outcome or "pending"] = number
    return found


def _replay(row: Row[Any], states: Mapping[str, Mapping[str, int]]) -> Replay:
    return Replay(
        id=row.id,
        filter=Filter(**row.filter),
        changes=row.changes,
        more=row.more,
        created_at=row.created_at,
        cancelled_at=row.cancelled_at,
        states=states[row.id],
    )
