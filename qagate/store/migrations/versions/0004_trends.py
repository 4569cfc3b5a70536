"""Alerts, annotations, and indexes for trends and a long worklist.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from qagate.store.tables import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

WORDS = ("series_description", "protocol_name", "station_name", "calling_ae_title", "modality", "region", "organ")
"""The words that make a kind; those of the series that are not there yet are empty."""

_LIST = ", ".join(WORDS)
_NEW = ", ".join(f"NEW.{word}" for word in WORDS)
_SAME = " AND ".join(f"{word} = NEW.{word}" for word in WORDS)
_TAIL = "accession_number"
_CHANGED = " OR ".join(f"OLD.{word} IS NOT NEW.{word}" for word in (*WORDS, _TAIL))

_EACH = "FOR EACH ROW EXECUTE FUNCTION series_kind()"

SQLITE_BODY = f"""
BEGIN
  INSERT INTO kind ({_LIST}) SELECT {_NEW} WHERE NOT EXISTS (SELECT 1 FROM kind WHERE {_SAME});
  UPDATE series SET kind_id = (SELECT id FROM kind WHERE {_SAME}), accession_tail = lower(substr(accession_number, -4))
  WHERE series_instance_uid = NEW.series_instance_uid;
END
"""

SQLITE = (
    f"CREATE TRIGGER series_kind_insert AFTER INSERT ON series {SQLITE_BODY}",
    f"CREATE TRIGGER series_kind_update AFTER UPDATE OF {_LIST}, {_TAIL} ON series WHEN {_CHANGED} {SQLITE_BODY}",
)

POSTGRESQL = (
    f"""
CREATE FUNCTION series_kind() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  SELECT id INTO NEW.kind_id FROM kind WHERE {_SAME};
  IF NOT FOUND THEN
    INSERT INTO kind ({_LIST}) VALUES ({_NEW}) ON CONFLICT DO NOTHING;
    SELECT id INTO NEW.kind_id FROM kind WHERE {_SAME};
  END IF;
  NEW.accession_tail := lower(right(NEW.accession_number, 4));
  RETURN NEW;
END $$
""",
    f"CREATE TRIGGER series_kind_insert BEFORE INSERT ON series {_EACH}",
    f"CREATE TRIGGER series_kind_update BEFORE UPDATE OF {_LIST}, {_TAIL} ON series {_EACH}",
)


def upgrade() -> None:
    """Apply."""
    _kinds()
    _indexes()
    _trends()
    _alerts()


def _kinds() -> None:
    op.create_table(
        "kind",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("modality", sa.String(length=16), nullable=False),
        sa.Column("calling_ae_title", sa.String(length=16), nullable=False),
        sa.Column("station_name", sa.String(length=64), nullable=False),
        sa.Column("protocol_name", sa.String(length=128), nullable=False),
        sa.Column("series_description", sa.String(length=128), nullable=False),
        sa.Column("region", sa.String(length=64), nullable=False),
        sa.Column("organ", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kind")),
    )
    op.create_index("uq_kind", "kind", list(WORDS), unique=True)
    op.add_column("series", sa.Column("kind_id", sa.Integer(), nullable=True))
    op.add_column(
        "series", sa.Column("accession_tail", sa.String(length=4), server_default=sa.text("''"), nullable=False)
    )
    op.execute(f"INSERT INTO kind ({_LIST}) SELECT DISTINCT {_LIST} FROM series")
    same = " AND ".join(f"kind.{word} = series.{word}" for word in WORDS)
    sqlite = op.get_bind().dialect.name == "sqlite"
    tail = "substr(accession_number, -4)" if sqlite else "right(accession_number, 4)"
    op.execute(f"UPDATE series SET kind_id = (SELECT id FROM kind WHERE {same}), accession_tail = lower({tail})")
    for statement in SQLITE if sqlite else POSTGRESQL:
        op.execute(statement)


def _indexes() -> None:
    with op.batch_alter_table("series") as batch:
        batch.drop_index("ix_series_last_instance_at")
        batch.drop_index("ix_series_outcome")
        batch.drop_index("ix_series_state")
        batch.create_index(
            "ix_series_time", ["last_instance_at", "series_instance_uid", "kind_id", "outcome", "state"], unique=False
        )
        batch.drop_index("ix_series_outcome_last_instance_at")
        batch.create_index(
            "ix_series_outcome_time", ["outcome", "last_instance_at", "series_instance_uid"], unique=False
        )
        batch.create_index("ix_series_kind", ["kind_id", "outcome", "last_instance_at"], unique=False)
        batch.create_index("ix_series_state_outcome", ["state", "outcome"], unique=False)
        batch.create_index("ix_series_accession_tail", ["accession_tail"], unique=False)
        batch.create_index(
            "ix_series_accession_number",
            ["accession_number"],
            unique=False,
            postgresql_ops={"accession_number": "text_pattern_ops"},
        )


def _trends() -> None:
    op.create_table(
        "trend_point",
        sa.Column("series_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("scanner", sa.String(length=64), nullable=False),
        sa.Column("protocol", sa.String(length=128), nullable=False),
        sa.Column("modality", sa.String(length=16), nullable=False),
        sa.Column("organ", sa.String(length=32), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("seconds_to_verdict", sa.Double(), nullable=False),
        sa.Column("model", sa.String(length=128), nullable=False),
        sa.Column("policy", sa.String(length=64), nullable=False),
        sa.Column("repeated", sa.Boolean(), nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.Column("physics", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("series_instance_uid", name=op.f("pk_trend_point")),
    )
    op.create_index("ix_trend_point_at", "trend_point", ["at"])
    op.create_index("ix_trend_point_scanner_protocol_at", "trend_point", ["scanner", "protocol", "at"])
    op.create_table(
        "annotation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("scanner", sa.String(length=64), nullable=False),
        sa.Column("protocol", sa.String(length=128), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("restarts", sa.Boolean(), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("written_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_annotation")),
    )
    op.create_index("ix_annotation_scanner", "annotation", ["scanner"])


def _alerts() -> None:
    op.create_table(
        "alert",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("scanner", sa.String(length=64), nullable=False),
        sa.Column("severity", sa.String(length=16), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("acknowledged_at", UtcDateTime(), nullable=True),
        sa.Column("acknowledged_by", sa.String(length=64), nullable=False),
        sa.Column("told_state", sa.String(length=16), nullable=False),
        sa.Column("told_words", sa.Text(), nullable=False),
        sa.Column("told_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert")),
    )
    op.create_index("ix_alert_closed_at_key", "alert", ["closed_at", "key"])
