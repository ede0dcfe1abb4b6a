"""Connections: one customer's link from an endpoint to a LaunchDarkly project, with the credential in the vault."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection as Tx
from sqlalchemy import Row, delete, or_, select, update

from connector.store.rows import insert_ignoring
from connector.store.statements import Statement, json_value
from connector.store.tables import connections, oauth_grants
from connector.store.vault import Vault


class ConnectionState(StrEnum):
    ACTIVE = "active"
    PAUSED = "paused"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Options:
    """What a customer may decide about the metrics. `rules` is TOML text, read after the installation's rules."""

    key_prefix: str = ""
    tags: tuple[str, ...] = ()
    maintainer_id: str | None = None
    analysis_units: tuple[str, ...] = ()
    on_delete: str = "archive"
    oauth: bool = False
    rules: str | None = None

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Options:
        lists = {name: tuple(stored.get(name) or ()) for name in ("tags", "analysis_units")}
        return cls(**{**stored, **lists})


@dataclass(frozen=True, slots=True)
class Connection:
    """`key_expires_at` (unix seconds) is when the stored key ends; None where it has no end, or none is known."""

    id: str
    endpoint_id: str
    name: str
    project_key: str
    base_url: str
    workspace: str | None = None
    options: Options = field(default_factory=Options)
    state: ConnectionState = ConnectionState.ACTIVE
    state_code: str | None = None
    state_reason: str | None = None
    account: str | None = None
    key_expires_at: float | None = None


_COLUMNS = [column for column in connections.c if column.name not in {"credential", "source_credential"}]


def _connection(row: Row[Any]) -> Connection:
    return Connection(
        id=row.id,
        endpoint_id=row.endpoint_id,
        name=row.name,
        workspace=row.workspace,
        project_key=row.project_key,
        base_url=row.base_url,
        options=Options.from_dict(row.options),
        state=ConnectionState(row.state),
        state_code=row.state_code,
        state_reason=row.state_reason,
        account=row.account,
        key_expires_at=row.key_expires_at,
    )


def add(tx: Tx, vault: Vault, connection: Connection, credential: str, *, now: float) -> bool:
    """Whether it was new."""
    return insert_ignoring(tx, connections, _values(vault, connection, credential, now), conflict=["id"]) is not None


def put_environment(tx: Tx, vault: Vault, connection: Connection, credential: str, *, now: float) -> None:
    """Make the environment's connection as it is said now; a restart ends a pause, as its reason may be mended."""
    if not add(tx, vault, connection, credential, now=now):
        values = _values(vault, connection, credential, now) | {
            "state_code": None,
            "state_reason": None,
            "removed_at": None,
        }
        del values["created_at"], values["id"]
        if vault.decrypt(stored_credential(tx, connection.id)) != credential:
            # Another token may be of another account, and has an end of its own.
            values |= {"account": None, "resting_until": None, "key_expires_at": None}
        tx.execute(update(connections).where(connections.c.id == connection.id).values(values))


def _values(vault: Vault, connection: Connection, credential: str, now: float) -> dict[str, Any]:
    return {
        "id": connection.id,
        "endpoint_id": connection.endpoint_id,
        "name": connection.name,
        "workspace": connection.workspace,
        "project_key": connection.project_key,
        "base_url": connection.base_url,
        "credential": vault.encrypt(credential),
        "options": asdict(connection.options),
        "state": connection.state,
        "created_at": now,
    }


FIELDS = [each.name for each in fields(Connection)]
"""The columns of a connection, in the order in which `from_stored` takes them."""

_GET = Statement(f"SELECT {', '.join(FIELDS)} FROM connections WHERE id = :id")  # noqa: S608 - our own fields
_CREDENTIAL = Statement("SELECT credential FROM connections WHERE id = :id")


def get(tx: Tx, connection_id: str) -> Connection | None:
    row = _GET.one(tx, {"id": connection_id})
    return None if row is None else from_stored(row)


def from_stored(row: Sequence[Any]) -> Connection:
    """What `FIELDS` of a row say."""
    stored = dict(zip(FIELDS, row, strict=True))
    options, state = Options.from_dict(json_value(stored["options"])), ConnectionState(stored["state"])
    return Connection(**stored | {"options": options, "state": state})


def find(tx: Tx, name_or_id: str) -> Connection | None:
    """By id, else by name among those that are not removed (the newest of several)."""
    named = (connections.c.name == name_or_id) & (connections.c.state != ConnectionState.REMOVED)
    rows = tx.execute(
        select(*_COLUMNS)
        .where(or_(connections.c.id == name_or_id, named))
        .order_by((connections.c.id == name_or_id).desc(), connections.c.created_at.desc())
    )
    row = rows.first()
    return None if row is None else _connection(row)


def listing(tx: Tx) -> Sequence[Connection]:
    """All that are not removed, oldest first."""
    rows = tx.execute(
        select(*_COLUMNS)
        .where(connections.c.state != ConnectionState.REMOVED)
        .order_by(connections.c.created_at, connections.c.id)
    )
    return [_connection(row) for row in rows]


def page(tx: Tx, *, after: str | None = None, limit: int) -> Sequence[Connection]:
    """Those that are not removed, in the order of their ids: by age, `default` last."""
    rows = select(*_COLUMNS).where(connections.c.state != ConnectionState.REMOVED)
    if after is not None:
        rows = rows.where(connections.c.id > after)
    return [_connection(row) for row in tx.execute(rows.order_by(connections.c.id).limit(limit))]


def of_endpoint(tx: Tx, endpoint_id: str) -> Sequence[Connection]:
    rows = tx.execute(
        select(*_COLUMNS)
        .where(connections.c.endpoint_id == endpoint_id, connections.c.state != ConnectionState.REMOVED)
        .order_by(connections.c.created_at, connections.c.id)
    )
    return [_connection(row) for row in rows]


def stored_credential(tx: Tx, connection_id: str) -> bytes:
    """As the vault encrypted it: only who makes the call decrypts it."""
    row = _CREDENTIAL.one(tx, {"id": connection_id})
    if row is None:
        raise LookupError(f"there is no connection {connection_id}")
    return bytes(row[0])


def stored_source(tx: Tx, connection_id: str) -> bytes | None:
    """What opens the partner's list API, as the vault encrypted it; None where nobody gave it."""
    stored: bytes | None = tx.execute(
        select(connections.c.source_credential).where(connections.c.id == connection_id)
    ).scalar_one()
    return stored


def set_source(tx: Tx, vault: Vault, connection_id: str, credential: Mapping[str, str]) -> None:
    sealed = vault.encrypt(json.dumps(credential))
    tx.execute(update(connections).where(connections.c.id == connection_id).values(source_credential=sealed))


def set_credential(tx: Tx, vault: Vault, connection_id: str, secret: str, *, expires_at: float | None = None) -> None:
    """Another credential; an OAuth grant that renewed the one before is forgotten with it.

    `expires_at` (unix seconds) is when it ends, where that is known already.
    """
    fresh = {"credential": vault.encrypt(secret), "key_expires_at": expires_at, "account": None, "resting_until": None}
    tx.execute(update(connections).where(connections.c.id == connection_id).values(fresh))
    tx.execute(delete(oauth_grants).where(oauth_grants.c.connection_id == connection_id))


def renew_credential(tx: Tx, vault: Vault, connection_id: str, token: str) -> None:
    """The same consent's next access token: account and budget stay as they are."""
    tx.execute(update(connections).where(connections.c.id == connection_id).values(credential=vault.encrypt(token)))


def set_expiry(tx: Tx, connection_id: str, expires_at: float | None) -> None:
    """When the stored key ends (unix seconds), as LaunchDarkly says now."""
    tx.execute(update(connections).where(connections.c.id == connection_id).values(key_expires_at=expires_at))


def set_account(tx: Tx, connection_id: str, account: str) -> None:
    """Whose budget of calls the connection's credential uses: LaunchDarkly's account id."""
    tx.execute(update(connections).where(connections.c.id == connection_id).values(account=account))


def save(tx: Tx, connection: Connection) -> None:
    """What a person may change: name, workspace, project, base URL and options."""
    values = {
        "name": connection.name,
        "workspace": connection.workspace,
        "project_key": connection.project_key,
        "base_url": connection.base_url,
        "options": asdict(connection.options),
    }
    tx.execute(update(connections).where(connections.c.id == connection.id).values(values))


def rest(tx: Tx, connection: Connection, until: float) -> None:
    """Claim no work of the connection's account before `until` (unix seconds): its budget is used up."""
    shared = connections.c.account == connection.account
    same = connections.c.id == connection.id if connection.account is None else shared
    earlier = connections.c.resting_until.is_(None) | (connections.c.resting_until < until)
    tx.execute(update(connections).where(same, earlier).values(resting_until=until))


def set_state(
    tx: Tx, connection_id: str, state: ConnectionState, *, code: str | None = None, reason: str | None = None
) -> None:
    tx.execute(
        update(connections)
        .where(connections.c.id == connection_id, connections.c.state != ConnectionState.REMOVED)
        .values(state=state, state_code=code, state_reason=reason)
    )


def remove(tx: Tx, vault: Vault, connection_id: str, *, now: float) -> None:
    """Forget the credential; the history stays."""
    tx.execute(
        update(connections)
        .where(connections.c.id == connection_id)
        .values(state=ConnectionState.REMOVED, removed_at=now, credential=vault.encrypt(""), source_credential=None)
    )
    tx.execute(delete(oauth_grants).where(oauth_grants.c.connection_id == connection_id))
