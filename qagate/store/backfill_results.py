"""What came of a backfill: each of its series with what was said about it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from qagate.store.tables import AssessmentRow, BackfillSeriesRow, RevisionRow, SeriesRow


def results(session: Session, backfill_id: int) -> Iterator[tuple[BackfillSeriesRow, SeriesRow | None, dict[str, Any]]]:
    """Yield every series of a backfill in its order, with its row and each of its assessments; {} where none is.

    A series with several volumes comes once for each.
    """
    rows = session.execute(
        select(BackfillSeriesRow, SeriesRow, AssessmentRow.document)
        .outerjoin(SeriesRow, SeriesRow.series_instance_uid == BackfillSeriesRow.series_instance_uid)
        .outerjoin(
            RevisionRow,
            and_(
                RevisionRow.series_instance_uid == SeriesRow.series_instance_uid,
                RevisionRow.number == SeriesRow.revision,
            ),
        )
        .outerjoin(AssessmentRow, AssessmentRow.revision_id == RevisionRow.id)
        .where(BackfillSeriesRow.backfill_id == backfill_id)
        .order_by(BackfillSeriesRow.id, AssessmentRow.volume_index)
        .execution_options(yield_per=500)
    )
    for item, series, document in rows:
        yield item, series, document or {}
