"""The tables, as SQLAlchemy Core sees them; `migrations/` makes them.

Times are unix seconds (UTC) in double precision, so that SQLite and PostgreSQL compare them alike and a test can
pass the time in. Every row that belongs to a customer carries its connection.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Json(TypeDecorator[object]):
    """JSON, on PostgreSQL as JSONB: its dialect is a twentieth of a process's start, so only who has it imports it."""

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[object]:
        if dialect.name == "postgresql":
            from sqlalchemy.dialects.postgresql import JSONB  # noqa: PLC0415

            return dialect.type_descriptor(JSONB())
        return dialect.type_descriptor(JSON())


Time = Float(53)
# SQLite gives only an INTEGER primary key its own numbers.
Serial = BigInteger().with_variant(Integer(), "sqlite")

endpoints = Table(
    "endpoints",
    metadata,
    Column("id", Text, primary_key=True),
    Column("partner", Text, nullable=False),
    Column("shared", Boolean, nullable=False),
    Column("origin", Text, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("removed_at", Time),
)

endpoint_secrets = Table(
    "endpoint_secrets",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("endpoint_id", ForeignKey("endpoints.id"), nullable=False, index=True),
    Column("secret", LargeBinary, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("expires_at", Time),
)

connections = Table(
    "connections",
    metadata,
    Column("id", Text, primary_key=True),
    Column("endpoint_id", ForeignKey("endpoints.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("workspace", Text),
    Column("project_key", Text, nullable=False),
    Column("base_url", Text, nullable=False),
    Column("credential", LargeBinary, nullable=False),
    Column("source_credential", LargeBinary),
    Column("options", Json(), nullable=False),
    Column("state", Text, nullable=False),
    Column("state_code", Text),
    Column("state_reason", Text),
    Column("account", Text, index=True),
    Column("resting_until", Time),
    Column("created_at", Time, nullable=False),
    Column("removed_at", Time),
    Column("key_expires_at", Time),
)

budgets = Table(
    "budgets",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("allowed", Integer, nullable=False),
    Column("remaining", Integer, nullable=False),
    Column("reset_at", Time, nullable=False),
    Column("assumed", Boolean, nullable=False),
)

runners = Table(
    "runners",
    metadata,
    Column("id", Text, primary_key=True),
    Column("seen_at", Time, nullable=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Text, primary_key=True),
    Column("endpoint_id", ForeignKey("endpoints.id"), nullable=False),
    Column("message_id", Text, nullable=False),
    Column("body_digest", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("headers", Json(), nullable=False),
    Column("received_at", Time, nullable=False),
    UniqueConstraint("endpoint_id", "message_id"),
    Index("ix_deliveries_received_at", "received_at"),
    Index("ix_deliveries_endpoint_id_id", "endpoint_id", "id"),
)

event_types = Table(
    "event_types",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("connection_id", ForeignKey("connections.id"), nullable=False),
    Column("identity", Text, nullable=False),
    Column("state", Json(), nullable=False),
    Column("leased_until", Time),
    Column("created_at", Time, nullable=False),
    UniqueConstraint("connection_id", "identity"),
)

event_type_keys = Table(
    "event_type_keys",
    metadata,
    Column("connection_id", ForeignKey("connections.id"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("event_type_id", ForeignKey("event_types.id"), nullable=False, index=True),
)

# On PostgreSQL, too, where the migrations say it: to say it here imports its dialect.
_PENDING = text("state = 'pending'")

changes = Table(
    "changes",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("delivery_id", ForeignKey("deliveries.id"), nullable=False, index=True),
    Column("position", Integer, nullable=False),
    Column("connection_id", ForeignKey("connections.id")),
    Column("event_type_id", ForeignKey("event_types.id")),
    Column("label", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("change", Json(), nullable=False),
    Column("queued_at", Time, nullable=False),
    Column("state", Text, nullable=False),
    Column("due_at", Time),
    Column("lease_owner", Text),
    Column("attempts", Integer, nullable=False),
    Column("replays", Integer, nullable=False),
    Column("outcome", Text),
    Column("result", Json(), nullable=False),
    Column("finished_at", Time),
    Index("ix_changes_connection_id_due_at_id", "connection_id", "due_at", "id", sqlite_where=_PENDING),
    Index("ix_changes_event_type_id_id", "event_type_id", "id", sqlite_where=_PENDING),
    Index("ix_changes_connection_id_id", "connection_id", "id"),
    Index("ix_changes_label_delivery_id", "label", "delivery_id"),
    Index("ix_changes_outcome_delivery_id", "outcome", "delivery_id"),
    Index("ix_changes_connection_id_outcome_delivery_id", "connection_id", "outcome", "delivery_id"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("change_id", ForeignKey("changes.id"), nullable=False, index=True),
    Column("number", Integer, nullable=False),
    Column("started_at", Time, nullable=False),
    Column("seconds", Float(53), nullable=False),
    Column("code", Text, nullable=False),
    Column("message", Text),
    Column("calls", Json(), nullable=False),
)

links = Table(
    "links",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("connection_id", ForeignKey("connections.id"), nullable=False),
    Column("event_type_id", ForeignKey("event_types.id"), nullable=False),
    Column("measure", Text, nullable=False),
    Column("metric_key", Text, nullable=False),
    Column("body", Json(), nullable=False),
    Column("state", Text, nullable=False),
    Column("updated_at", Time, nullable=False),
    UniqueConstraint("connection_id", "metric_key"),
    UniqueConstraint("event_type_id", "measure"),
)

reconciles = Table(
    "reconciles",
    metadata,
    Column("connection_id", ForeignKey("connections.id"), primary_key=True),
    Column("every", Time, nullable=False),
    Column("due_at", Time, nullable=False),
)

duties = Table(
    "duties",
    metadata,
    Column("name", Text, primary_key=True),
    Column("due_at", Time, nullable=False),
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("level", Integer, nullable=False),
    Column("summary", Text, nullable=False),
    Column("raised_at", Time, nullable=False),
    UniqueConstraint("kind", "subject"),
)

alert_messages = Table(
    "alert_messages",
    metadata,
    Column("id", Text, primary_key=True),
    Column("sink", Text, nullable=False),
    Column("message", Json(), nullable=False),
    Column("created_at", Time, nullable=False),
    Column("due_at", Time, nullable=False, index=True),
    Column("attempts", Integer, nullable=False),
)

replays = Table(
    "replays",
    metadata,
    Column("id", Text, primary_key=True),
    Column("filter", Json(), nullable=False),
    Column("changes", Integer, nullable=False),
    Column("more", Boolean, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("cancelled_at", Time),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("key", Text, primary_key=True),
    Column("request", LargeBinary, nullable=False),
    Column("connection_id", ForeignKey("connections.id"), nullable=False),
    Column("created_at", Time, nullable=False, index=True),
)

# What a change was before its replay, so that to cancel gives it back. The change itself may be forgotten first.
replayed_changes = Table(
    "replayed_changes",
    metadata,
    Column("replay_id", ForeignKey("replays.id"), primary_key=True),
    Column("change_id", Serial, primary_key=True, autoincrement=False),
    Column("state", Text, nullable=False),
    Column("outcome", Text),
    Column("attempts", Integer, nullable=False),
    Column("result", Json(), nullable=False),
    Column("finished_at", Time),
)

setup_links = Table(
    "setup_links",
    metadata,
    Column("id", Text, primary_key=True),
    Column("connection_id", ForeignKey("connections.id"), nullable=False, index=True),
    Column("created_at", Time, nullable=False),
    Column("expires_at", Time, nullable=False, index=True),
    Column("used_at", Time),
    Column("base_url", Text),
    Column("credential", LargeBinary),
    Column("pending", LargeBinary),
)

oauth_grants = Table(
    "oauth_grants",
    metadata,
    Column("connection_id", ForeignKey("connections.id"), primary_key=True),
    Column("serial", Text, nullable=False),
    Column("refresh_token", LargeBinary, nullable=False),
    Column("renewed_at", Time, nullable=False),
    Column("renew_at", Time, nullable=False, index=True),
    Column("expires_at", Time, nullable=False),
    Column("leased_until", Time, nullable=False),
)

ended_sessions = Table(
    "ended_sessions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("ended_at", Time, nullable=False),
)

shown_plans = Table(
    "shown_plans",
    metadata,
    Column("id", Text, primary_key=True),
    Column("connection_id", ForeignKey("connections.id"), nullable=False, index=True),
    Column("plan", Json(), nullable=False),
    Column("made_at", Time, nullable=False, index=True),
)
