"""Backfills, and which queues and version of the pipeline each worker has.

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from qagate.store.tables import UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "backfill",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("destination", sa.String(length=64), nullable=False),
        sa.Column("query", sa.JSON(), nullable=False),
        sa.Column("report", sa.Boolean(), nullable=False),
        sa.Column("next_day", sa.String(length=10), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("noted_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backfill")),
        sa.UniqueConstraint("name", name=op.f("uq_backfill_name")),
    )
    op.create_table(
        "backfill_series",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("backfill_id", sa.Integer(), nullable=False),
        sa.Column("study_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("series_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("modality", sa.String(length=16), nullable=False),
        sa.Column("description", sa.String(length=128), nullable=False),
        sa.Column("sender", sa.String(length=16), nullable=False),
        sa.Column("study_at", UtcDateTime(), nullable=True),
        sa.Column("images", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", UtcDateTime(), nullable=True),
        sa.Column("touched_at", UtcDateTime(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["backfill_id"], ["backfill.id"], name=op.f("fk_backfill_series_backfill_id_backfill")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backfill_series")),
        sa.UniqueConstraint(
            "backfill_id", "series_instance_uid", name=op.f("uq_backfill_series_backfill_id_series_instance_uid")
        ),
    )
    op.create_index(op.f("ix_backfill_series_series_instance_uid"), "backfill_series", ["series_instance_uid"])
    op.create_index("ix_backfill_series_backfill_id_state", "backfill_series", ["backfill_id", "state"])
    op.add_column("worker", sa.Column("queues", sa.String(length=128), nullable=False, server_default=""))
    op.add_column("worker", sa.Column("version", sa.String(length=64), nullable=False, server_default=""))
