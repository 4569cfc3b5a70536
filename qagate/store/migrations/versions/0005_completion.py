"""What scanners and archives say a series consists of; reconciliation.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from qagate.store.tables import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "performed_step",
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("calling_ae_title", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=128), nullable=False),
        sa.Column("study_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("modality", sa.String(length=16), nullable=False),
        sa.Column("station_name", sa.String(length=16), nullable=False),
        sa.Column("begun_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("sop_instance_uid", name=op.f("pk_performed_step")),
    )
    op.create_table(
        "performed_series",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("step_uid", sa.String(length=64), nullable=False),
        sa.Column("series_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("instances", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["step_uid"], ["performed_step.sop_instance_uid"], name=op.f("fk_performed_series_step_uid_performed_step")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_performed_series")),
        sa.UniqueConstraint(
            "step_uid", "series_instance_uid", name=op.f("uq_performed_series_step_uid_series_instance_uid")
        ),
    )
    op.create_index(op.f("ix_performed_series_series_instance_uid"), "performed_series", ["series_instance_uid"])
    op.create_table(
        "inquiry",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("series_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("destination", sa.String(length=64), nullable=False),
        sa.Column("instances", sa.Integer(), nullable=True),
        sa.Column("asked_at", UtcDateTime(), nullable=True),
        sa.Column("retrievals", sa.Integer(), nullable=False),
        sa.Column("retrieved_at", UtcDateTime(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inquiry")),
        sa.UniqueConstraint(
            "series_instance_uid", "destination", name=op.f("uq_inquiry_series_instance_uid_destination")
        ),
    )
    op.create_table(
        "reconciliation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("destination", sa.String(length=64), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("held", sa.Integer(), nullable=False),
        sa.Column("checked", sa.Integer(), nullable=False),
        sa.Column("unseen", sa.JSON(), nullable=False),
        sa.Column("absent", sa.JSON(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliation")),
        sa.UniqueConstraint("destination", "day", name=op.f("uq_reconciliation_destination_day")),
    )
    op.add_column("revision", sa.Column("expected", sa.Integer(), nullable=True))
    op.add_column("revision", sa.Column("expected_by", sa.String(length=64), server_default="", nullable=False))
    op.add_column("revision", sa.Column("missing", sa.Integer(), server_default="0", nullable=False))
    op.add_column("revision", sa.Column("broke_off", sa.Boolean(), server_default=sa.false(), nullable=False))
