"""How fast answers come: from the last image of a series to its verdict, and what has waited longest."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from qagate.domain.backfill import SIGNAL
from qagate.store.tables import SeriesRow


def seconds_to_verdict(session: Session, *, since: datetime) -> list[float]:
    """Return the seconds from last image to verdict of all series judged since then, ascending.

    A series whose late images came after its verdict is left out: it has no verdict on them yet; and so is what was
    fetched from an archive to be judged afterwards, because nobody waited for it.
    """
    rows = session.execute(
        select(SeriesRow.last_instance_at, SeriesRow.verdict_at).where(
            SeriesRow.verdict_at >= since, SeriesRow.completed_by != SIGNAL
        )
    )
    waits = ((judged - last).total_seconds() for last, judged in rows if judged is not None)
    return sorted(seconds for seconds in waits if seconds >= 0)


def oldest_unjudged(session: Session) -> datetime | None:
    """Return when the last image came of the series that has waited longest for a verdict; None when none waits."""
    return session.scalar(
        select(func.min(SeriesRow.last_instance_at)).where(
            or_(SeriesRow.state == "receiving", and_(SeriesRow.state == "queued", SeriesRow.completed_by != SIGNAL))
        )
    )
