"""Which series wait for a person, and where each stands with people."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from qagate.domain.assessment import Assessment
from qagate.domain.decision import Sampling, State
from qagate.domain.verdict import Verdict
from qagate.store.tables import ReviewRow


def expect(
    session: Session, uid: str, revision: int, assessment: Assessment, verdict: Verdict, sampling: Sampling
) -> None:
    """Record that a revision has a new verdict: a flagged one, and one drawn blind, waits for a person.

    What people said of an earlier revision stays in the trail and no longer stands.
    """
    blind = sampling.draws(uid, revision, verdict.outcome)
    asked = verdict.flagged or blind
    row = session.get(ReviewRow, uid, with_for_update=True)
    if row is None:
        if not asked:
            return
        row = ReviewRow(series_instance_uid=uid, version=0, revision=0, outcome="")
        session.add(row)
    elif (row.revision, row.outcome) == (revision, str(verdict.outcome)):
        remember(row, assessment, verdict)  # an interrupted run was repeated: what people said of it still stands
        return
    row.version += 1
    row.revision, row.asked, row.blind = revision, asked, blind
    row.state = State.OPEN if asked else State.UNASKED
    remember(row, assessment, verdict)


def remember(row: ReviewRow, assessment: Assessment, verdict: Verdict) -> None:
    """Keep what a decision is about beside it."""
    model = assessment.model
    row.outcome, row.score, row.limit = str(verdict.outcome), assessment.score, verdict.limit
    row.policy = f"{verdict.policy} {verdict.policy_version}".strip()[:96]
    row.model = f"{model.name} {model.version} {model.sha256[:12]}"[:96] if model else ""


def of(session: Session, uids: Sequence[str]) -> dict[str, ReviewRow]:
    """Return Series Instance UID → where it stands, for those of these series that have been asked about."""
    if not uids:
        return {}
    rows = session.scalars(select(ReviewRow).where(ReviewRow.series_instance_uid.in_(uids)))
    return {row.series_instance_uid: row for row in rows}


def hides(row: ReviewRow | None) -> bool:
    """Whether the verdict of a series is hidden from people now."""
    return row is not None and row.blind and row.state == State.OPEN


def hidden() -> Select[str]:
    """Return a query for the series whose verdict is hidden from people."""
    return select(ReviewRow.series_instance_uid).where(ReviewRow.blind, ReviewRow.state == State.OPEN)
