"""What senders call objects whose data sets say otherwise: they ask for storage commitment by those names.

Revision ID: 0013
Revises: 0012
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "announced",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("instance_id", sa.Integer(), nullable=False),
        sa.Column("sop_class_uid", sa.String(length=64), nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["instance_id"], ["instance.id"], name=op.f("fk_announced_instance_id_instance")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_announced")),
        sa.UniqueConstraint(
            "instance_id",
            "sop_class_uid",
            "sop_instance_uid",
            name=op.f("uq_announced_instance_id_sop_class_uid_sop_instance_uid"),
        ),
    )
    op.create_index(op.f("ix_announced_sop_instance_uid"), "announced", ["sop_instance_uid"])
