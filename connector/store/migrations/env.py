"""Alembic's entry: it is handed an open connection and never looks for a database by itself."""

from __future__ import annotations

from alembic import context

from connector.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite cannot alter a table in place
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
