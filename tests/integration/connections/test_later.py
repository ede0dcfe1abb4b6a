"""What happens to a connection later: the same request again, changes, pauses."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text

from connector.connections import ConnectionRefused, Connections, NewConnection
from connector.policy import PolicyError
from connector.store import rekey
from connector.store.connections import Connection, ConnectionState, Options
from connector.store.database import Database
from connector.store.idempotency import KEEP_SECONDS, IdempotencyKeyReused, Once
from connector.store.vault import Vault

NEW = NewConnection(name="acme", partner="standard", project_key="demo", credential="api-canary")

Found = Callable[[str], Connection]


def test_the_same_request_is_one_connection_with_the_same_secret(rooms: Connections) -> None:
    first = rooms.add(NEW, Once("key", "what it asks for"))
    again = rooms.add(NEW, Once("key", "what it asks for"))
    assert (again.connection.id, again.secret) == (first.connection.id, first.secret)
    assert rooms.add(NEW, Once("other", "what it asks for")).connection.id != first.connection.id
    with pytest.raises(IdempotencyKeyReused, match="give each its own"):
        rooms.add(NEW, Once("key", "something else"))


def test_a_key_is_forgotten_after_a_day(rooms: Connections, time: object, database: Database) -> None:
    first = rooms.add(NEW, Once("key", "one"))
    time.now += KEEP_SECONDS + 1  # type: ignore[attr-defined]
    assert rooms.add(NEW, Once("key", "two")).connection.id != first.connection.id
    with database.read() as tx:
        assert tx.execute(text("SELECT count(*) FROM idempotency_keys")).scalar_one() == 1


def test_a_remembered_request_lies_encrypted_and_is_rekeyed(
    rooms: Connections, database: Database, vault: Vault
) -> None:
    rooms.add(NEW, Once("key", "holds api-canary"))
    with database.read() as tx:
        stored: bytes = tx.execute(text("SELECT request FROM idempotency_keys")).scalar_one()
    assert b"canary" not in bytes(stored)
    assert vault.decrypt(bytes(stored)) == "holds api-canary"
    assert database.write(lambda tx: rekey.all_secrets(tx, vault)) == 3
    with database.read() as tx:
        fresh = bytes(tx.execute(text("SELECT request FROM idempotency_keys")).scalar_one())
    assert fresh != bytes(stored)
    assert vault.decrypt(fresh) == "holds api-canary"


def test_a_change_is_judged_like_a_new_connection(rooms: Connections, found: Found) -> None:
    acme = rooms.add(NEW).connection
    for wrong in ({"name": "\t"}, {"name": "a\x1b"}, {"project_key": ""}, {"project_key": "a/b"}, {"workspace": "\0"}):
        with pytest.raises(ConnectionRefused):
            rooms.change(acme, **wrong)
    with pytest.raises(ValueError, match="in the clear"):
        rooms.change(acme, base_url="http://example.com")
    with pytest.raises(PolicyError):
        rooms.change(acme, options=Options(rules="[[rules]]"))
    with pytest.raises(ConnectionRefused, match="archive or delete"):
        rooms.change(acme, options=Options(on_delete="burn"))
    assert found(acme.id) == acme

    changed = rooms.change(acme, name=" Acme ", workspace="ws_1", options=Options(tags=("a",), oauth=True))
    assert (changed.name, changed.workspace, changed.options) == ("Acme", "ws_1", Options(tags=("a",)))
    assert found(acme.id) == changed
    assert rooms.change(changed, workspace="").workspace is None


def test_on_a_shared_endpoint_the_workspace_stays(rooms: Connections) -> None:
    acme = rooms.add(NewConnection("acme", "standard", "demo", "api-canary", shared=True, workspace="ws_1")).connection
    with pytest.raises(ConnectionRefused, match="needs its workspace"):
        rooms.change(acme, workspace="")
    assert rooms.change(acme, workspace="ws_2").workspace == "ws_2"


def test_a_removed_connection_is_not_changed_paused_or_resumed(rooms: Connections, found: Found) -> None:
    acme = rooms.add(NEW).connection
    rooms.remove(acme)
    removed = found(acme.id)
    for act in (rooms.pause, rooms.resume, lambda each: rooms.change(each, name="other")):
        with pytest.raises(ConnectionRefused, match="is removed"):
            act(removed)


def test_what_waited_is_claimed_after_a_resume(
    rooms: Connections, found: Found, waiting: Callable[[Connection], Callable[[], list[int]]]
) -> None:
    acme = rooms.add(NEW).connection
    claimable = waiting(acme)
    rooms.pause(acme)
    assert (found(acme.id).state, found(acme.id).state_code) == (ConnectionState.PAUSED, "paused_by_person")
    assert claimable() == []
    rooms.resume(found(acme.id))
    assert found(acme.id).state is ConnectionState.ACTIVE
    assert len(claimable()) == 1


def test_without_a_key_nothing_is_resumed(rooms: Connections, found: Found) -> None:
    acme = rooms.add(NewConnection("acme", "standard", "demo")).connection
    rooms.pause(acme, "A person was quicker.")
    with pytest.raises(ConnectionRefused, match="has no LaunchDarkly API key yet"):
        rooms.resume(found(acme.id))
    rooms.set_key(acme, "api-canary")
    assert found(acme.id).state is ConnectionState.ACTIVE
