"""Waits are counted from the last image; what waits longest is known."""

from __future__ import annotations

from datetime import timedelta

from qagate.store import pace
from qagate.store.database import Database
from qagate.store.tables import SeriesRow
from tests.unit.store.conftest import T0


def row(uid: str, *, last: float, verdict: float | None, state: str) -> SeriesRow:
    """A series whose last image came `last` seconds after T0 and which was judged `verdict` seconds after T0."""
    return SeriesRow(
        series_instance_uid=uid,
        study_instance_uid="1",
        state=state,
        first_instance_at=T0,
        last_instance_at=T0 + timedelta(seconds=last),
        verdict_at=None if verdict is None else T0 + timedelta(seconds=verdict),
    )


def test_seconds_to_verdict_and_the_longest_wait(database: Database) -> None:
    with database.begin() as session:
        assert pace.oldest_unjudged(session) is None
        session.add_all(
            [
                row("1.1", last=0, verdict=12, state="delivered"),  # 12 s
                row("1.2", last=30, verdict=34.5, state="scored"),  # 4.5 s
                row("1.3", last=100, verdict=90, state="receiving"),  # late images: no verdict on them yet
                row("1.4", last=70, verdict=None, state="queued"),
                row("1.5", last=-9000, verdict=-8000, state="delivered"),  # long ago
            ]
        )
    with database.read() as session:
        assert pace.seconds_to_verdict(session, since=T0) == [4.5, 12.0]
        assert pace.oldest_unjudged(session) == T0 + timedelta(seconds=70)
