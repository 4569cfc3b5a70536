"""Originals that are held, forwarded and committed.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from qagate.store.tables import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("series", sa.Column("holding", sa.String(length=16), nullable=False, server_default=""))
    op.add_column("series", sa.Column("held_until", UtcDateTime(), nullable=True))
    op.create_index("ix_instance_sop_instance_uid", "instance", ["sop_instance_uid"])
    op.create_table(
        "holding",
        sa.Column("series_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("policy", sa.String(length=64), nullable=False),
        sa.Column("held_at", UtcDateTime(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=True),
        sa.Column("cause", sa.String(length=32), nullable=False),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.Column("decided_by", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("rejections", sa.Integer(), nullable=False),
        sa.Column("rejection_code", sa.String(length=64), nullable=False),
        sa.Column("note", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["series_instance_uid"], ["series.series_instance_uid"], name=op.f("fk_holding_series_instance_uid_series")
        ),
        sa.PrimaryKeyConstraint("series_instance_uid", name=op.f("pk_holding")),
    )
    op.create_index("ix_holding_state_until", "holding", ["state", "until"])
    op.create_index("ix_holding_note", "holding", ["note"])
    op.create_table(
        "forward",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("instance_id", sa.Integer(), nullable=False),
        sa.Column("series_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("destination", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("urgent", sa.Boolean(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", UtcDateTime(), nullable=False),
        sa.Column("claimed_by", sa.String(length=128), nullable=False),
        sa.Column("claimed_until", UtcDateTime(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("sent_at", UtcDateTime(), nullable=True),
        sa.Column("committed_at", UtcDateTime(), nullable=True),
        sa.Column("transaction_uid", sa.String(length=64), nullable=False),
        sa.Column("commitment_asked_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["instance_id"], ["instance.id"], name=op.f("fk_forward_instance_id_instance")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_forward")),
        sa.UniqueConstraint("instance_id", "destination", name=op.f("uq_forward_instance_id_destination")),
    )
    op.create_index(op.f("ix_forward_series_instance_uid"), "forward", ["series_instance_uid"])
    op.create_index(op.f("ix_forward_transaction_uid"), "forward", ["transaction_uid"])
    op.create_index("ix_forward_destination_state_urgent", "forward", ["destination", "state", "urgent"])
    op.create_table(
        "commitment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("transaction_uid", sa.String(length=64), nullable=False),
        sa.Column("calling_ae_title", sa.String(length=16), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("instances", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", UtcDateTime(), nullable=False),
        sa.Column("answered_at", UtcDateTime(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_commitment")),
        sa.UniqueConstraint(
            "calling_ae_title", "transaction_uid", name=op.f("uq_commitment_calling_ae_title_transaction_uid")
        ),
    )
    op.create_index(op.f("ix_commitment_state"), "commitment", ["state"])
