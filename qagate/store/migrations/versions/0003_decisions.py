"""What people decided about series, and limits that were applied.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from qagate.store.tables import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply. Flagged series that are there already wait for a person, as new ones do."""
    op.create_table(
        "review",
        sa.Column("series_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("asked", sa.Boolean(), nullable=False),
        sa.Column("blind", sa.Boolean(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("limit", sa.Double(), nullable=True),
        sa.Column("policy", sa.String(length=96), nullable=False),
        sa.Column("model", sa.String(length=96), nullable=False),
        sa.ForeignKeyConstraint(
            ["series_instance_uid"], ["series.series_instance_uid"], name=op.f("fk_review_series_instance_uid_series")
        ),
        sa.PrimaryKeyConstraint("series_instance_uid", name=op.f("pk_review")),
    )
    op.create_index(op.f("ix_review_state"), "review", ["state"], unique=False)
    op.create_table(
        "decision",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("series_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("person", sa.String(length=128), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("quality", sa.String(length=16), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("policy", sa.String(length=96), nullable=False),
        sa.Column("model", sa.String(length=96), nullable=False),
        sa.Column("blind", sa.Boolean(), nullable=False),
        sa.Column("undoes", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["series_instance_uid"], ["series.series_instance_uid"], name=op.f("fk_decision_series_instance_uid_series")
        ),
        sa.ForeignKeyConstraint(["undoes"], ["decision.id"], name=op.f("fk_decision_undoes_decision")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision")),
        sa.UniqueConstraint("undoes", name=op.f("uq_decision_undoes")),
    )
    op.create_index(op.f("ix_decision_series_instance_uid"), "decision", ["series_instance_uid"], unique=False)
    op.create_index(op.f("ix_decision_at"), "decision", ["at"], unique=False)
    op.create_table(
        "site_limit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("person", sa.String(length=128), nullable=False),
        sa.Column("modality", sa.String(length=16), nullable=False),
        sa.Column("protocol", sa.String(length=128), nullable=False),
        sa.Column("review_below", sa.Double(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("undoes", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["undoes"], ["site_limit.id"], name=op.f("fk_site_limit_undoes_site_limit")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site_limit")),
        sa.UniqueConstraint("undoes", name=op.f("uq_site_limit_undoes")),
    )
    op.create_index("ix_site_limit_modality_protocol", "site_limit", ["modality", "protocol"], unique=False)
    op.execute(
        "INSERT INTO review"
        " (series_instance_uid, version, revision, state, asked, blind, outcome, score, policy, model)"
        " SELECT series_instance_uid, 1, revision, 'open', TRUE, FALSE, outcome, score, '', ''"
        " FROM series WHERE outcome IN ('review', 'reject')"
    )
