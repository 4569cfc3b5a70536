"""Objects of 2 GB and more: their size did not fit into PostgreSQL's integers of 32 bits.

Revision ID: 0010
Revises: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply. The table is written anew under a lock; what comes meanwhile waits in the spool."""
    if op.get_bind().dialect.name != "sqlite":
        op.alter_column("instance", "size_bytes", type_=sa.BigInteger(), existing_nullable=False)
