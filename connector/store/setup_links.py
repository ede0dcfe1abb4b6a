"""Set-up links: which connection a customer may finish, until when, and the key that was tried but not yet confirmed.

It must never know how a link is signed or shown.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import Connection, delete, or_, select, update

from connector.store.tables import setup_links


@dataclass(frozen=True, slots=True)
class SetupLink:
    """`credential` is the tried key as the vault encrypted it, `base_url` the LaunchDarkly that took it.

    `pending` is what an OAuth consent that was begun has to be answered with, encrypted too.
    """

    id: str
    connection_id: str
    created_at: float
    expires_at: float
    used_at: float | None = None
    base_url: str | None = None
    credential: bytes | None = field(default=None, repr=False)
    pending: bytes | None = field(default=None, repr=False)


_NOTHING = {"base_url": None, "credential": None, "pending": None}


def add(tx: Connection, link: SetupLink) -> None:
    """A connection has one link that works: those before it go."""
    tx.execute(
        delete(setup_links).where(setup_links.c.connection_id == link.connection_id, setup_links.c.used_at.is_(None))
    )
    tx.execute(
        setup_links.insert().values(
            id=link.id, connection_id=link.connection_id, created_at=link.created_at, expires_at=link.expires_at
        )
    )


def get(tx: Connection, link_id: str) -> SetupLink | None:
    row = tx.execute(select(setup_links).where(setup_links.c.id == link_id)).one_or_none()
    return None if row is None else SetupLink(**row._mapping)


def hold(tx: Connection, link_id: str, *, base_url: str, credential: bytes) -> None:
    """Keep a tried key until the project is chosen."""
    unused = setup_links.c.used_at.is_(None)
    tx.execute(
        update(setup_links).where(setup_links.c.id == link_id, unused).values(base_url=base_url, credential=credential)
    )


def release(tx: Connection, link_id: str) -> None:
    """Forget the key that was held, as another is to be entered."""
    tx.execute(update(setup_links).where(setup_links.c.id == link_id).values(base_url=None, credential=None))


def begin(tx: Connection, link_id: str, pending: bytes) -> None:
    """An OAuth consent begins; the one begun before on this link can no longer be answered."""
    unused = setup_links.c.used_at.is_(None)
    tx.execute(update(setup_links).where(setup_links.c.id == link_id, unused).values(pending=pending))


def answer(tx: Connection, link_id: str, pending: bytes) -> bool:
    """End the consent that was begun with `pending`; False where it was ended or another begun meanwhile."""
    same = (setup_links.c.id == link_id) & setup_links.c.used_at.is_(None) & (setup_links.c.pending == pending)
    return tx.execute(update(setup_links).where(same).values(pending=None)).rowcount == 1


def use(tx: Connection, link_id: str, *, now: float) -> bool:
    """Use the link up, and forget the key it held; False where somebody was faster or it has expired."""
    usable = (setup_links.c.id == link_id) & setup_links.c.used_at.is_(None) & (setup_links.c.expires_at > now)
    used = tx.execute(update(setup_links).where(usable).values(used_at=now, **_NOTHING))
    return used.rowcount == 1


def forget_held(tx: Connection, *, now: float) -> None:
    """No key outlives the link that it was entered on."""
    over = or_(setup_links.c.expires_at <= now, setup_links.c.used_at.is_not(None))
    held = or_(setup_links.c.credential.is_not(None), setup_links.c.pending.is_not(None))
    tx.execute(update(setup_links).where(over, held).values(_NOTHING))
