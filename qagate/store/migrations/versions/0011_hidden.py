"""Whose verdict is hidden from people, kept beside each series, so that they are told apart at once among millions.

Revision ID: 0011
Revises: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_HIDES = "{row}blind AND {row}state = 'open'"
_SET = "UPDATE series SET hidden = {value} WHERE series_instance_uid = {row}.series_instance_uid AND hidden <> {value}"
_NEW = _SET.format(row="NEW", value=f"({_HIDES.format(row='NEW.')})")
_OLD = _SET.format(row="OLD", value="{no}")

SQLITE = (
    f"CREATE TRIGGER review_hides_insert AFTER INSERT ON review BEGIN {_NEW}; END",
    f"CREATE TRIGGER review_hides_update AFTER UPDATE OF state, blind ON review BEGIN {_NEW}; END",
    f"CREATE TRIGGER review_hides_delete AFTER DELETE ON review BEGIN {_OLD.format(no='0')}; END",
)

POSTGRESQL = (
    f"""
CREATE FUNCTION review_hides() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    {_OLD.format(no="false")};
  ELSE
    {_NEW};
  END IF;
  RETURN NULL;
END $$
""",
    """
CREATE TRIGGER review_hides AFTER INSERT OR UPDATE OF state, blind OR DELETE ON review
FOR EACH ROW EXECUTE FUNCTION review_hides()
""",
)


def upgrade() -> None:
    """Apply."""
    # not as a batch: that would make the table anew, and its triggers would be gone
    op.add_column("series", sa.Column("hidden", sa.Boolean(), server_default=sa.false(), nullable=False))
    sqlite = op.get_bind().dialect.name == "sqlite"
    yes = "1" if sqlite else "true"
    op.execute(
        f"UPDATE series SET hidden = {yes} WHERE series_instance_uid IN"
        f" (SELECT series_instance_uid FROM review WHERE {_HIDES.format(row='')})"
    )
    op.create_index(
        "ix_series_hidden",
        "series",
        ["last_instance_at", "series_instance_uid", "kind_id", "outcome", "state"],
        sqlite_where=sa.text("hidden IS 1"),
        postgresql_where=sa.text("hidden IS true"),
    )
    for statement in SQLITE if sqlite else POSTGRESQL:
        op.execute(statement)
