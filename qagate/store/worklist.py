"""What people look at: one series whole, and the account of what came in. Lists are in lists.py."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from qagate.store.tables import AssessmentRow, DeliveryRow, DocumentRow, EventRow, RevisionRow, SeriesRow


@dataclass(frozen=True, slots=True)
class Account:
    """Where every received series is: received = accepted + flagged + unscored + excluded + failed + pending."""

    received: int
    accepted: int
    flagged: int
    unscored: int
    excluded: int
    failed: int
    pending: int

    @property
    def scored(self) -> int:
        """Series that have a score."""
        return self.accepted + self.flagged

    @property
    def unaccounted(self) -> int:
        """Series that are in none of the states: always 0, or something is broken."""
        known = self.accepted + self.flagged + self.unscored + self.excluded + self.failed + self.pending
        return self.received - known


def account(
    session: Session, *, since: datetime | None = None, until: datetime | None = None, veiled: bool = False
) -> Account:
    """Return where the series of a period are, by the time of their last image.

    veiled: those whose verdict is hidden are pending.
    """
    states, outcomes = SeriesRow.state.expression, SeriesRow.outcome.expression
    rows = _counted(session, states, outcomes, between(since, until))
    if veiled:  # another index, and nothing else counted twice: the sum of texts keeps the first one out
        hidden = _counted(session, states + "", outcomes + "", [*between(since, until), SeriesRow.hidden.is_(True)])
        rows += [(state, outcome, -number) for state, outcome, number in hidden]
        rows += [("queued", "", number) for _, _, number in hidden]
    return account_of(rows)


def _counted(
    session: Session, state: ColumnElement[str], outcome: ColumnElement[str], where: Sequence[ColumnElement[bool]]
) -> list[tuple[str, str, int]]:
    query = select(state.label("stands"), outcome.label("said"), func.count()).where(*where)
    return [(row[0], row[1], row[2]) for row in session.execute(query.group_by("stands", "said"))]


def account_of(counted: Iterable[tuple[str, str, int]]) -> Account:
    """Return where series are, from (state, outcome, how many)."""
    totals = dict.fromkeys(("accepted", "flagged", "unscored", "excluded", "failed", "pending"), 0)
    received = 0
    for state, outcome, number in counted:
        received += number
        if state in ("receiving", "queued"):
            totals["pending"] += number
        elif state in ("excluded", "failed"):
            totals[state] += number
        else:
            kind = {"accept": "accepted", "review": "flagged", "reject": "flagged", "unscored": "unscored"}.get(outcome)
            if kind:
                totals[kind] += number
    return Account(received=received, **totals)


def between(since: datetime | None, until: datetime | None) -> list[ColumnElement[bool]]:
    """Return the conditions for series whose last image came in a period."""
    bounds = []
    if since is not None:
        bounds.append(SeriesRow.last_instance_at >= since)
    if until is not None:
        bounds.append(SeriesRow.last_instance_at < until)
    return bounds


def unveiled(veiled: bool) -> list[ColumnElement[bool]]:
    """Return the condition, if veiled, for series whose verdict is not hidden from people."""
    return [SeriesRow.hidden.is_(False)] if veiled else []


def series(session: Session, series_instance_uid: str) -> SeriesRow | None:
    """Return one series."""
    return session.get(SeriesRow, series_instance_uid)


def of_study(session: Session, study_instance_uid: str) -> Sequence[SeriesRow]:
    """Return all series of a study."""
    return session.scalars(select(SeriesRow).where(SeriesRow.study_instance_uid == study_instance_uid)).all()


def revisions(session: Session, series_instance_uid: str) -> Sequence[RevisionRow]:
    """Return the revisions of a series, newest first."""
    return session.scalars(
        select(RevisionRow)
        .where(RevisionRow.series_instance_uid == series_instance_uid)
        .order_by(RevisionRow.number.desc())
    ).all()


def assessments(session: Session, revision_id: int) -> Sequence[AssessmentRow]:
    """Return what was said about each volume of a revision."""
    return session.scalars(
        select(AssessmentRow).where(AssessmentRow.revision_id == revision_id).order_by(AssessmentRow.volume_index)
    ).all()


def documents(session: Session, revision_id: int) -> Sequence[tuple[DocumentRow, Sequence[DeliveryRow]]]:
    """Return the documents of a revision with their deliveries."""
    rows = session.scalars(select(DocumentRow).where(DocumentRow.revision_id == revision_id).order_by(DocumentRow.id))
    return [
        (
            row,
            session.scalars(
                select(DeliveryRow).where(DeliveryRow.document_id == row.id).order_by(DeliveryRow.destination)
            ).all(),
        )
        for row in rows.all()
    ]


def events(session: Session, series_instance_uid: str) -> Sequence[EventRow]:
    """Return the trail of a series, oldest first."""
    return session.scalars(
        select(EventRow).where(EventRow.series_instance_uid == series_instance_uid).order_by(EventRow.id)
    ).all()


def delivery_counts(session: Session) -> dict[tuple[str, str], int]:
    """Return how many deliveries are in each state: (destination, state) → number."""
    rows = session.execute(
        select(DeliveryRow.destination, DeliveryRow.state, func.count()).group_by(
            DeliveryRow.destination, DeliveryRow.state
        )
    )
    return {(destination, state): number for destination, state, number in rows}
