"""Backfills: what is still to be fetched from an archive and scored, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.orm import Session

from qagate.domain.backfill import SIGNAL, Progress, Query
from qagate.errors import InputError
from qagate.store import revisions
from qagate.store.tables import (
    AssociationRow,
    BackfillRow,
    BackfillSeriesRow,
    InstanceRow,
    RevisionRow,
    SeriesRow,
)

LEFT_ALONE = timedelta(minutes=10)
"""A series that is being fetched is not judged for so long after the last sign of life of who fetches it."""

OPEN = ("found", "again", "fetching")
"""States of a series that is not fetched yet."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One series that a backfill wants, as an archive lists it. study_at: None when it does not say."""

    study_instance_uid: str
    series_instance_uid: str
    modality: str
    description: str
    study_at: datetime | None
    images: int | None


def begin(
    session: Session, name: str, *, destination: str, query: Query, report: bool, at: datetime
) -> tuple[BackfillRow, bool]:
    """Return the backfill of this name and whether it is new. Raises InputError when the name means another one."""
    row = find(session, name)
    if row is None:
        row = BackfillRow(
            name=name,
            destination=destination,
            query=query.as_json(),
            report=report,
            next_day=query.since.isoformat(),
            created_at=at,
            ended_at=None,
        )
        session.add(row)
        session.flush()
        return row, True
    if (row.destination, row.query, row.report) != (destination, query.as_json(), report):
        raise InputError(
            f"the backfill {name!r} is about {Query.from_json(row.query)} of {row.destination}"
            f"{', with reports' if row.report else ''}; take another name, got {query} of {destination}"
            f"{', with reports' if report else ''}"
        )
    return row, False


def batched(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """Yield runs of items."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def find(session: Session, name: str) -> BackfillRow | None:
    """Return the backfill of a name."""
    return session.scalar(select(BackfillRow).where(BackfillRow.name == name))


def every(session: Session) -> Sequence[BackfillRow]:
    """Return all backfills, the newest first."""
    return session.scalars(select(BackfillRow).order_by(BackfillRow.id.desc())).all()


def note(session: Session, backfill_id: int, words: str, *, at: datetime, ended: bool = False) -> None:
    """Record what it is doing, or that it has come to its end."""
    row = session.get_one(BackfillRow, backfill_id)
    row.note, row.noted_at, row.ended_at = words, at, at if ended else None


def add_day(session: Session, backfill_id: int, day: date, wanted: Iterable[Wanted], *, sender: str) -> int:
    """Record what an archive lists of one day, and that the day is listed; returns how many series were new."""
    row = session.get_one(BackfillRow, backfill_id, with_for_update=True)
    if row.next_day != day.isoformat():
        return 0  # another process was quicker
    new = {one.series_instance_uid: one for one in wanted}
    for some in batched(list(new), 500):
        known = select(BackfillSeriesRow.series_instance_uid).where(
            BackfillSeriesRow.backfill_id == backfill_id, BackfillSeriesRow.series_instance_uid.in_(some)
        )
        for uid in session.scalars(known):
            del new[uid]
    session.add_all(
        BackfillSeriesRow(
            backfill_id=backfill_id,
            study_instance_uid=one.study_instance_uid[:64],
            series_instance_uid=one.series_instance_uid[:64],
            modality=one.modality[:16],
            description=one.description.replace("\0", "")[:128],
            sender=sender,
            study_at=one.study_at,
            images=one.images,
            state="found",
        )
        for one in new.values()
    )
    following = day + timedelta(days=1)
    row.next_day = following.isoformat() if following <= Query.from_json(row.query).until else ""
    return len(new)


def claim(session: Session, backfill_id: int, *, at: datetime) -> BackfillSeriesRow | None:
    """Take the next series to fetch: first what was begun and not ended, then what is due; None when nothing is.

    A series that came here before on another way is marked as known and left as it is.
    """
    while True:
        row = session.scalar(
            select(BackfillSeriesRow)
            .where(
                BackfillSeriesRow.backfill_id == backfill_id,
                or_(
                    BackfillSeriesRow.state.in_(("fetching", "found")),
                    and_(BackfillSeriesRow.state == "again", BackfillSeriesRow.next_at <= at),
                ),
            )
            .order_by((BackfillSeriesRow.state == "fetching").desc(), BackfillSeriesRow.id)
            .limit(1)
        )
        if row is None:
            return None
        if row.state == "found" and session.get(SeriesRow, row.series_instance_uid) is not None:
            row.state = "known"
            session.flush()
            continue
        row.state, row.touched_at = "fetching", at
        return row


def touch(session: Session, item_id: int, *, at: datetime) -> None:
    """Give a sign of life while a series is being fetched."""
    session.execute(update(BackfillSeriesRow).where(BackfillSeriesRow.id == item_id).values(touched_at=at))


def later(session: Session, item_id: int, *, next_at: datetime, detail: str) -> None:
    """Record a try that failed, and when the next one is due."""
    row = session.get_one(BackfillSeriesRow, item_id)
    row.state, row.attempts, row.next_at, row.detail = "again", row.attempts + 1, next_at, detail


def failed(session: Session, item_id: int, *, detail: str) -> None:
    """Record that a series cannot be had."""
    row = session.get_one(BackfillSeriesRow, item_id)
    row.state, row.attempts, row.detail = "failed", row.attempts + 1, detail


def retry(session: Session, backfill_id: int) -> int:
    """Let what could not be had be tried again; returns how many series."""
    rows = session.scalars(
        select(BackfillSeriesRow).where(
            BackfillSeriesRow.backfill_id == backfill_id, BackfillSeriesRow.state == "failed"
        )
    ).all()
    for row in rows:
        row.state, row.attempts, row.next_at = "fetching", 0, None  # ours: it is not taken for known
    return len(rows)


def fetched(session: Session, item_id: int, *, missing: int, at: datetime) -> None:
    """Record that a series is here, all but `missing` of its images, and give it to the judges.

    From now on it stands at the time of its study, so that it is among its own in lists and trends, does not look like
    news, and leaves the spool as soon as it is judged if it is old.
    """
    row = session.get_one(BackfillSeriesRow, item_id)
    uid, archive = row.series_instance_uid, session.get_one(BackfillRow, row.backfill_id).destination
    here = session.scalar(
        select(func.count(InstanceRow.sop_instance_uid.distinct())).where(InstanceRow.series_instance_uid == uid)
    )
    expected = (here or 0) + missing
    revision = revisions.close_series(
        session, uid, completed_by=SIGNAL, at=at, expected=expected, expected_by=archive, missing=missing
    )
    series = session.get_one(SeriesRow, uid)
    if revision is not None and row.study_at is not None:
        series.first_instance_at = series.last_instance_at = revision.last_instance_at = row.study_at
    row.state, row.revision, row.detail = "fetched", series.revision, f"{missing} images missing" if missing else ""


def being_fetched(session: Session, *, now: datetime) -> frozenset[str]:
    """Return the series that are not to be judged yet, because more of them is being fetched."""
    return frozenset(
        session.scalars(
            select(BackfillSeriesRow.series_instance_uid).where(
                BackfillSeriesRow.state == "fetching", BackfillSeriesRow.touched_at > now - LEFT_ALONE
            )
        )
    )


def is_silent(session: Session, revision: RevisionRow) -> bool:
    """Whether nobody is to be told of a revision: a backfill without reports fetched it, and nothing came otherwise."""
    senders = set(
        session.scalars(
            select(BackfillSeriesRow.sender)
            .join(BackfillRow, BackfillRow.id == BackfillSeriesRow.backfill_id)
            .where(
                BackfillSeriesRow.series_instance_uid == revision.series_instance_uid,
                BackfillSeriesRow.state != "known",
                BackfillRow.report.is_(False),
            )
        )
    )
    if not senders:
        return False
    others = (
        select(AssociationRow.id)
        .join(InstanceRow, InstanceRow.association_id == AssociationRow.id)
        .where(
            InstanceRow.series_instance_uid == revision.series_instance_uid,
            AssociationRow.calling_ae_title.not_in(senders),
        )
    )
    return session.scalar(others.limit(1)) is None


def unjudged(session: Session, backfill_id: int) -> int:
    """Return how many series of a backfill are fetched and wait for their verdict."""
    return session.scalar(_joined(func.count(), backfill_id).where(RevisionRow.state.in_(revisions.UNFINISHED))) or 0


def _joined(what: Any, backfill_id: int) -> Any:
    return (
        select(what)
        .select_from(BackfillSeriesRow)
        .join(
            RevisionRow,
            and_(
                RevisionRow.series_instance_uid == BackfillSeriesRow.series_instance_uid,
                RevisionRow.number == BackfillSeriesRow.revision,
            ),
        )
        .where(BackfillSeriesRow.backfill_id == backfill_id, BackfillSeriesRow.state == "fetched")
    )


def states(session: Session) -> dict[str, int]:
    """Return state → how many series of all backfills."""
    counted = session.execute(select(BackfillSeriesRow.state, func.count()).group_by(BackfillSeriesRow.state))
    return dict(counted.all())


def progress(session: Session, row: BackfillRow, *, now: datetime) -> Progress:
    """Return how far a backfill is."""
    query = Query.from_json(row.query)
    days = (query.until - query.since).days + 1
    listed = (date.fromisoformat(row.next_day) - query.since).days if row.next_day else days
    counted = session.execute(
        select(BackfillSeriesRow.state, func.count())
        .where(BackfillSeriesRow.backfill_id == row.id)
        .group_by(BackfillSeriesRow.state)
    )
    by_state: dict[str, int] = dict(counted.all())
    failures = session.scalar(_joined(func.count(), row.id).where(RevisionRow.state == "failed")) or 0
    judging = unjudged(session, row.id)
    lately = _joined(func.count(), row.id).where(RevisionRow.assessed_at > now - timedelta(hours=1))
    return Progress(
        days=days,
        days_listed=listed,
        found=sum(by_state.values()),
        waiting=sum(by_state.get(state, 0) for state in OPEN),
        judging=judging,
        judged=by_state.get("fetched", 0) - judging - failures,
        known=by_state.get("known", 0),
        failed=by_state.get("failed", 0) + failures,
        per_hour=session.scalar(lately) or 0,
        note=row.note,
    )
