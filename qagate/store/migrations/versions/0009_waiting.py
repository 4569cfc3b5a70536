"""Which series wait for a person, kept beside each series, so that they are found at once among millions.

Revision ID: 0009
Revises: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_WAITS = "state IN ('open', 'proposed')"
_SET = (
    "UPDATE series SET waiting = {value} WHERE series_instance_uid = {row}.series_instance_uid AND waiting <> {value}"
)
_NEW = _SET.format(row="NEW", value=f"(NEW.{_WAITS})")
_OLD = _SET.format(row="OLD", value="{no}")

SQLITE = (
    f"CREATE TRIGGER review_waits_insert AFTER INSERT ON review BEGIN {_NEW}; END",
    f"CREATE TRIGGER review_waits_update AFTER UPDATE OF state ON review BEGIN {_NEW}; END",
    f"CREATE TRIGGER review_waits_delete AFTER DELETE ON review BEGIN {_OLD.format(no='0')}; END",
)

POSTGRESQL = (
    f"""
CREATE FUNCTION review_waits() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER review_waits AFTER INSERT OR UPDATE OF state OR DELETE ON review
FOR EACH ROW EXECUTE FUNCTION review_waits()
""",
)


def upgrade() -> None:
    """Apply."""
    # not as a batch: that would make the table anew, and its triggers would be gone
    op.add_column("series", sa.Column("waiting", sa.Boolean(), server_default=sa.false(), nullable=False))
    sqlite = op.get_bind().dialect.name == "sqlite"
    yes = "1" if sqlite else "true"
    op.execute(
        f"UPDATE series SET waiting = {yes} WHERE series_instance_uid IN"
        f" (SELECT series_instance_uid FROM review WHERE {_WAITS})"
    )
    op.create_index(
        "ix_series_waiting",
        "series",
        ["last_instance_at", "series_instance_uid", "kind_id", "outcome", "state"],
        sqlite_where=sa.text("waiting IS 1"),
        postgresql_where=sa.text("waiting IS true"),
    )
    for statement in SQLITE if sqlite else POSTGRESQL:
        op.execute(statement)
