"""Why something is not at its destination, in a column of its own: it was told by the wording of its detail.

Revision ID: 0012
Revises: 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_REFUSED = "for good: "

_DOCUMENT_NOWHERE = "'there is no destination ''' || destination || ''' in the settings any more'"
_IMAGE_NOWHERE = "'there is no destination ''' || destination || ''' with originals = true in the settings any more'"


def upgrade() -> None:
    """Apply. The wordings are those of the release before; what they do not tell is as good as tried in vain."""
    # not as a batch: SQLite would write the largest tables anew
    for table in ("delivery", "forward"):
        op.add_column(table, sa.Column("obstacle", sa.String(16), server_default="", nullable=False))
    op.execute(
        f"UPDATE delivery SET obstacle = 'refused', detail = substr(detail, {len(_REFUSED) + 1})"
        f" WHERE detail LIKE '{_REFUSED}%' AND state IN ('planned', 'parked', 'withdrawn')"
    )
    for table, said, otherwise in (
        ("delivery", _DOCUMENT_NOWHERE, "not_now"),
        ("forward", _IMAGE_NOWHERE, "refused"),  # images were parked for nothing else
    ):
        op.execute(f"UPDATE {table} SET obstacle = 'no_destination' WHERE state = 'parked' AND detail = {said}")
        op.execute(f"UPDATE {table} SET obstacle = '{otherwise}' WHERE state = 'parked' AND obstacle = ''")
