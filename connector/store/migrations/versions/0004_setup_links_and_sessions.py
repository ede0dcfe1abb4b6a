"""Set-up links for customers, the console's sessions that were ended before their time, and the plans that it shows"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "setup_links",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.Column("expires_at", sa.Float(precision=53), nullable=False),
        sa.Column("used_at", sa.Float(precision=53), nullable=True),
        sa.Column("base_url", sa.Text(), nullable=True),
        sa.Column("credential", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_setup_links_connection_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_setup_links")),
    )
    with op.batch_alter_table("setup_links", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_setup_links_connection_id"), ["connection_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_setup_links_expires_at"), ["expires_at"], unique=False)
    op.create_table(
        "ended_sessions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.Float(precision=53), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ended_sessions")),
    )
    op.create_table(
        "shown_plans",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column(
            "plan", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.Column("made_at", sa.Float(precision=53), nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_shown_plans_connection_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shown_plans")),
    )
    with op.batch_alter_table("shown_plans", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_shown_plans_connection_id"), ["connection_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_shown_plans_made_at"), ["made_at"], unique=False)
