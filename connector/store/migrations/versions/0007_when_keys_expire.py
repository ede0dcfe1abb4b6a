"""When the LaunchDarkly key of a connection ends, where LaunchDarkly says so"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("connections", sa.Column("key_expires_at", sa.Float(precision=53), nullable=True))
