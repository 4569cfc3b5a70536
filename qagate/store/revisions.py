"""Revisions of series: the set that was scored, what was said about it, and what was written."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from qagate.errors import StoreError
from qagate.store import arrivals
from qagate.store.events import event
from qagate.store.tables import (
    DeliveryRow,
    DocumentRow,
    InstanceRow,
    RevisionRow,
    SeriesRow,
)

UNFINISHED = ("queued", "assessed")
"""States of a revision whose journey has not come to its end."""


@dataclass(frozen=True, slots=True)
class WrittenDocument:
    """One document on disk, ready for delivery. `variants` are files, richest SOP class first."""

    kind: str
    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    variants: tuple[str, ...]

    def recorded(self, session: Session, revision_id: int, *, at: datetime) -> DocumentRow:
        """Write down that a revision has this document, and return its row with its id."""
        row = DocumentRow(
            revision_id=revision_id,
            kind=self.kind,
            sop_class_uid=self.sop_class_uid,
            sop_instance_uid=self.sop_instance_uid,
            series_instance_uid=self.series_instance_uid,
            variants=list(self.variants),
            created_at=at,
        )
        session.add(row)
        session.flush()
        return row


def close_series(
    session: Session,
    series_instance_uid: str,
    *,
    completed_by: str,
    at: datetime,
    expected: int | None = None,
    expected_by: str = "",
    missing: int = 0,
) -> RevisionRow | None:
    """Fix the instances that are there as the next revision, in state queued; None when nothing is new.

    expected, expected_by, missing: how many instances there should be, who says so, and how many of them have not come.
    The same instances of which something else is known to be missing are another revision.
    """
    series = session.get(SeriesRow, series_instance_uid, with_for_update=True)
    if series is None or series.state != "receiving":
        return None
    rows = session.execute(
        select(InstanceRow.sop_instance_uid, InstanceRow.sha256)
        .where(InstanceRow.series_instance_uid == series_instance_uid)
        .order_by(InstanceRow.sop_instance_uid, InstanceRow.sha256)
    )
    # with all of a list here it does not matter how they came
    broke_off = (expected is None or missing > 0) and arrivals.broke_off(session, series_instance_uid)
    known = [f"{uid} {sha}" for uid, sha in rows]
    known += [f"missing {missing} of {expected}"] if missing else ["broken off"] if broke_off else []
    digest = hashlib.sha256("\n".join(known).encode()).hexdigest()
    latest = latest_revision(session, series_instance_uid)
    if latest is not None and latest.digest == digest:
        series.state = _state_after(session, latest)
        return None
    revision = RevisionRow(
        series_instance_uid=series_instance_uid,
        number=latest.number + 1 if latest else 1,
        digest=digest,
        state="queued",
        completed_by=completed_by,
        last_instance_at=series.last_instance_at,
        created_at=at,
        expected=expected,
        expected_by=expected_by,
        missing=missing,
        broke_off=broke_off,
    )
    session.add(revision)
    session.execute(
        update(InstanceRow)
        .where(InstanceRow.series_instance_uid == series_instance_uid, InstanceRow.revision.is_(None))
        .values(revision=revision.number)
    )
    series.state, series.revision, series.completed_by = "queued", revision.number, completed_by
    said = f"revision {revision.number} by {completed_by}"
    if expected is not None:
        said += f"; {expected - missing} of {expected} images, as {expected_by} says"
    event(session, at, "complete", series_instance_uid, said)
    session.flush()
    return revision


def _state_after(session: Session, revision: RevisionRow) -> str:
    """Return the state of a series whose latest revision this is, from how far that has come."""
    if revision.state == "assessed":
        return "scored"
    if revision.state == "reported":
        return "scored" if _waiting(session, revision.id) else "delivered"
    return revision.state


def _waiting(session: Session, revision_id: int) -> bool:
    """Whether a document of a revision has not reached its destination."""
    return (
        session.scalar(
            select(DeliveryRow.id)
            .join(DocumentRow, DocumentRow.id == DeliveryRow.document_id)
            .where(DocumentRow.revision_id == revision_id, DeliveryRow.state.in_(("planned", "parked")))
            .limit(1)
        )
        is not None
    )


def reopen(session: Session, series_instance_uid: str, *, why: str, at: datetime) -> bool:
    """Let it be decided again whether a judged series is complete; False when it is none, or has left the spool."""
    series = session.get(SeriesRow, series_instance_uid, with_for_update=True)
    if series is None or series.state not in ("scored", "delivered"):
        return False
    left = select(InstanceRow.id).where(
        InstanceRow.series_instance_uid == series_instance_uid, InstanceRow.deleted_at.is_not(None)
    )
    if session.scalar(left.limit(1)) is not None:
        return False
    series.state = "receiving"
    event(session, at, "reopened", series_instance_uid, why)
    return True


def taken_up(session: Session, *, since: datetime) -> tuple[str, ...]:
    """Return judged series whose sender had broken off and has come to its end after that."""
    rows = session.scalars(
        select(RevisionRow.series_instance_uid)
        .join(SeriesRow, SeriesRow.series_instance_uid == RevisionRow.series_instance_uid)
        .where(
            RevisionRow.broke_off,
            RevisionRow.created_at >= since,
            RevisionRow.number == SeriesRow.revision,
            SeriesRow.state.in_(("scored", "delivered")),
        )
    ).all()
    return tuple(uid for uid in rows if not arrivals.broke_off(session, uid))


def workflow_id(revision: RevisionRow) -> str:
    """Return the id of the durable workflow of a revision: the same set of instances is the same workflow."""
    return f"{revision.series_instance_uid}:{revision.number}:{revision.digest[:12]}"


def latest_revision(session: Session, series_instance_uid: str) -> RevisionRow | None:
    """Return the newest revision of a series."""
    return session.scalar(
        select(RevisionRow)
        .where(RevisionRow.series_instance_uid == series_instance_uid)
        .order_by(RevisionRow.number.desc())
        .limit(1)
    )


def queued(session: Session) -> tuple[RevisionRow, ...]:
    """Return the revisions whose workflow has not ended, oldest first."""
    return tuple(session.scalars(select(RevisionRow).where(RevisionRow.state.in_(UNFINISHED)).order_by(RevisionRow.id)))


def get(session: Session, revision_id: int) -> tuple[RevisionRow, SeriesRow]:
    """Return a revision and its series. Raises StoreError when there is no such revision."""
    revision = session.get(RevisionRow, revision_id)
    if revision is None:
        raise StoreError(f"there is no revision with this id, got {revision_id}")
    return revision, session.get_one(SeriesRow, revision.series_instance_uid)


def conflicting(session: Session, series_instance_uid: str) -> tuple[str, ...]:
    """Return the SOP Instance UIDs that came with different bytes."""
    return tuple(
        session.scalars(
            select(InstanceRow.sop_instance_uid)
            .where(InstanceRow.series_instance_uid == series_instance_uid, InstanceRow.conflict)
            .distinct()
        )
    )


def exclude(session: Session, revision_id: int, *, rule: str, at: datetime) -> None:
    """Record that a series is none of ours to score, and by which rule."""
    revision, series = get(session, revision_id)
    revision.state, revision.assessed_at = "excluded", at
    if series.revision == revision.number and series.state != "receiving":
        series.state = "excluded"
    series.state_reason = rule
    event(session, at, "excluded", series.series_instance_uid, rule)


def fail(session: Session, revision_id: int, *, reason: str, at: datetime) -> None:
    """Park a revision: it failed, and doing the same again would not help."""
    revision, series = get(session, revision_id)
    revision.state = "failed"
    if series.revision == revision.number and series.state != "receiving":
        series.state = "failed"
    series.state_reason = reason
    event(session, at, "failed", series.series_instance_uid, reason)


def requeue(session: Session, series_instance_uid: str | None, *, at: datetime) -> int:
    """Let parked revisions (all, or those of one series) be judged again by the next sweep; returns how many."""
    statement = select(RevisionRow).where(RevisionRow.state == "failed")
    if series_instance_uid is not None:
        statement = statement.where(RevisionRow.series_instance_uid == series_instance_uid)
    rows = session.scalars(statement).all()
    for revision in rows:
        series = session.get_one(SeriesRow, revision.series_instance_uid)
        revision.state = "queued"
        if series.revision == revision.number and series.state == "failed":
            series.state, series.state_reason = "queued", ""
        event(session, at, "requeued", series.series_instance_uid, f"revision {revision.number}")
    return len(rows)


def record_documents(
    session: Session,
    revision_id: int,
    documents: Sequence[WrittenDocument],
    *,
    destinations: Sequence[tuple[str, Sequence[str]]],
    at: datetime,
) -> None:
    """Record documents and plan their delivery: (destination name, kinds it takes). Safe to repeat."""
    revision, series = get(session, revision_id)
    present = {
        row.kind: row for row in session.scalars(select(DocumentRow).where(DocumentRow.revision_id == revision_id))
    }
    for written in documents:
        if written.kind in present:
            continue
        row = written.recorded(session, revision_id, at=at)
        for name, kinds in destinations:
            if written.kind in kinds:
                session.add(DeliveryRow(document_id=row.id, destination=name, state="planned", next_attempt_at=at))
    revision.state, revision.reported_at = "reported", at
    session.flush()
    waiting = session.scalar(
        select(DeliveryRow.id)
        .join(DocumentRow, DocumentRow.id == DeliveryRow.document_id)
        .where(DocumentRow.revision_id == revision_id)
        .limit(1)
    )
    if waiting is None and series.revision == revision.number and series.state == "scored":
        series.state = "delivered"  # nobody is to be told: no destination, or a policy that only watches


def predecessor(session: Session, revision: RevisionRow) -> DocumentRow | None:
    """Return the SR of the last earlier revision that has one."""
    return session.scalar(
        select(DocumentRow)
        .join(RevisionRow, RevisionRow.id == DocumentRow.revision_id)
        .where(
            RevisionRow.series_instance_uid == revision.series_instance_uid,
            RevisionRow.number < revision.number,
            DocumentRow.kind == "SR",
        )
        .order_by(RevisionRow.number.desc())
        .limit(1)
    )
