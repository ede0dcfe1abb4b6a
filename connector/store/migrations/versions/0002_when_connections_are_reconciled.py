"""When each connection is compared with its source and with LaunchDarkly again"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "reconciles",
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("every", sa.Float(precision=53), nullable=False),
        sa.Column("due_at", sa.Float(precision=53), nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_reconciles_connection_id")),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_reconciles")),
    )
