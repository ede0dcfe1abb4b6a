"""Statements that go past SQLAlchemy: the same text, and the same errors, on both databases."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from connector.store.database import Database, StoreUnavailable
from connector.store.statements import Statement, json_text, json_value

_ADD = Statement(
    "INSERT INTO endpoints (id, partner, shared, origin, created_at) VALUES (:id, :partner, false, 'stored', 1) "
    "ON CONFLICT (id) DO NOTHING"
)
_READ = Statement("SELECT id, partner FROM endpoints WHERE partner LIKE '%a%' ORDER BY id")


def test_rows_are_counted_changed_and_read(database: Database) -> None:
    added = database.write(lambda tx: [_ADD.change(tx, {"id": "ep_1", "partner": "avo"}) for _ in range(2)])
    database.write(lambda tx: _ADD.change_each(tx, [{"id": f"ep_{n}", "partner": "lago"} for n in (2, 3)]))

    assert added == [1, 0]
    with database.read() as tx:
        assert _READ.all(tx, {}) == [("ep_1", "avo"), ("ep_2", "lago"), ("ep_3", "lago")]
        assert _READ.one(tx, {}) == ("ep_1", "avo")


def test_nothing_is_done_for_no_rows(database: Database) -> None:
    database.write(lambda tx: _ADD.change_each(tx, []))
    with database.read() as tx:
        assert _READ.one(tx, {}) is None


def test_what_the_database_refuses_is_declared_and_repeats_no_value(database: Database) -> None:
    with pytest.raises(StoreUnavailable, match="The database refused: ") as refused:
        database.write(lambda tx: _ADD.change(tx, {"id": None, "partner": "secret-canary"}))
    assert "INSERT" not in str(refused.value)


def test_what_is_wrong_with_us_is_not_the_databases_fault(database: Database) -> None:
    with pytest.raises(TypeError):
        database.write(lambda tx: Statement("SELECT 1").all(tx, object()))


def test_json_is_read_as_it_was_written(database: Database) -> None:
    stored = {"text": "ü \\u0000 : :name %s", "list": [1, None]}
    state = Statement("SELECT state FROM event_types WHERE identity = :identity")
    make = Statement(
        "INSERT INTO event_types (connection_id, identity, state, created_at) VALUES (:connection, 'i', :state, 1)"
    )

    def write(tx: object) -> None:
        tx.execute(text("INSERT INTO endpoints VALUES ('ep', 'avo', false, 'stored', 1, NULL)"))
        tx.execute(
            text(
                "INSERT INTO connections (id, endpoint_id, name, project_key, base_url, credential, options, state, "
                "created_at) VALUES ('con', 'ep', 'n', 'p', 'u', '', '{}', 'active', 1)"
            )
        )
        make.change(tx, {"connection": "con", "state": json_text(stored)})

    database.write(write)
    with database.read() as tx:
        (found,) = state.one(tx, {"identity": "i"}) or ()
    assert json_value(found) == stored
