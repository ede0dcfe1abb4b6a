"""The schema's history; alembic runs it, `connector.store.schema` starts alembic."""
