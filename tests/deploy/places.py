"""Places that a test has for itself on the machine's own servers: a PostgreSQL database, a queue on Redis."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import create_engine, make_url, text

from connector.delivery.celery_runner import celery_app


@contextmanager
def own_database(server: str) -> Iterator[str]:
    """The URL of an empty database on `server`, which is dropped in the end."""
    name = f"connector_test_{secrets.token_hex(6)}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 10})
    try:
        with engine.connect() as tx:
            tx.execute(text(f"CREATE DATABASE {name}"))
        try:
            yield make_url(server).set(database=name).render_as_string(hide_password=False)
        finally:
            with engine.connect() as tx:
                tx.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
    finally:
        engine.dispose()


@contextmanager
def own_queue(broker: str) -> Iterator[str]:
    """The name of a queue on `broker` that nobody else uses; nothing of it is left in the end."""
    name = f"connector-test-{secrets.token_hex(6)}"
    yield name
    app: Any = celery_app(broker, name)
    with app.connection_for_write() as connection:
        connection.default_channel.queue_delete(name)
        connection.default_channel.exchange_delete(name)
    app.close()
