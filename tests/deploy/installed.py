"""An installation with something in it: a metric that was made, and a change that still has to be."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import requests
from sqlalchemy import Engine, MetaData, create_engine, text

from connector.app import create_app
from connector.settings import Settings
from tests.integration.web.conftest import Answer, Connector, Endpoint, Sandbox

DEADLINE = 60.0
_VOLATILE = {"runners", "budgets", "duties", "alembic_version"}
"""What processes say about themselves, and need not find again."""


@contextmanager
def serving(settings: Settings, sandbox: Sandbox) -> Iterator[Connector]:
    app = create_app(settings)
    client = app.test_client()

    def request(method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        response = client.open(path, method=method, data=body, headers=dict(headers))
        return Answer(response.status_code, response.get_json(), response.headers)

    try:
        yield Connector(request, settings, sandbox)
    finally:
        app.extensions["connector"].close()


def fill(settings: Settings, sandbox: Sandbox) -> Endpoint:
    """Its endpoint. `made` is a metric in LaunchDarkly, `waiting` is stored only: LaunchDarkly was down then."""
    requests.post(f"{sandbox.url}/sandbox/reset", timeout=DEADLINE).raise_for_status()
    with serving(settings, sandbox) as connector:
        endpoint = connector.endpoint(name="acme")
        made = endpoint.send("event_type.defined", {"id": "evt_1", "key": "made"})
        assert made.status == 201, made.body
    sandbox.play({"kind": "error-503"})
    with serving(replace(settings, respond_within=0), sandbox) as connector:
        endpoint.connector = connector
        waiting = endpoint.send("event_type.defined", {"id": "evt_2", "key": "waiting"})
        assert waiting.status == 202, waiting.body
    sandbox.play()
    return endpoint


def goes_on(settings: Settings, sandbox: Sandbox, endpoint: Endpoint) -> None:
    """What waited is done, what was made is known, secrets open: a rename finds its metric, and makes no other."""
    with serving(settings, sandbox) as connector:
        endpoint.connector = connector
        renamed = endpoint.send("event_type.renamed", {"id": "evt_1", "key": "made", "name": "Made Before"})
        assert (renamed.status, renamed.body["changes"][0]["outcome"]) == (200, "renamed"), renamed.body
        until = time.monotonic() + DEADLINE
        while sandbox.metrics().keys() != {"made", "waiting"}:
            assert time.monotonic() < until, f"what waited was not done: {sandbox.metrics().keys()}"
            time.sleep(0.05)
        assert sandbox.metrics()["made"]["name"] == "Made Before"


def rows(url: str) -> dict[str, list[dict[str, Any]]]:
    """All that is in the database, by table."""
    engine = create_engine(url)
    try:
        found = MetaData()
        found.reflect(engine)
        with engine.connect() as tx:
            return {
                table.name: [dict(row._mapping) for row in tx.execute(table.select().order_by(*table.primary_key))]
                for table in found.sorted_tables
                if table.name not in _VOLATILE
            }
    finally:
        engine.dispose()


def put(url: str, content: Mapping[str, list[dict[str, Any]]]) -> None:
    """Write rows into a schema that may lack some of their columns and tables."""
    engine = create_engine(url)
    try:
        there = MetaData()
        there.reflect(engine)
        with engine.begin() as tx:
            for table in there.sorted_tables:
                for row in content.get(table.name, ()):
                    tx.execute(table.insert().values({name: row[name] for name in row.keys() & table.c.keys()}))
        _count_on(engine, there)
    finally:
        engine.dispose()


def _count_on(engine: Engine, there: MetaData) -> None:
    """Rows that came with their numbers have not moved PostgreSQL's counters."""
    if engine.dialect.name != "postgresql":
        return
    with engine.begin() as tx:
        for table in there.sorted_tables:
            if "id" in table.c and table.c.id.autoincrement is True:
                tx.execute(
                    text(
                        f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), "  # noqa: S608 - our own tables
                        f"(SELECT coalesce(max(id), 0) + 1 FROM {table.name}), false)"
                    )
                )
