"""Which series wait for a person, and where each stands with people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from qagate.domain.assessment import Assessment
from qagate.domain.decision import Sampling, State
from qagate.domain.verdict import Verdict
from qagate.errors import DecisionRefused
from qagate.store.tables import AssessmentRow, ReviewRow, RevisionRow, SeriesRow


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


def unasked(session: Session, series: SeriesRow) -> ReviewRow:
    """Add where a series stands that nobody was asked about. Raises DecisionRefused when there is no verdict on it."""
    latest = judged(session, series.series_instance_uid)
    if latest is None or not series.outcome:
        raise DecisionRefused(f"this series has no verdict yet: there is nothing to decide, got state {series.state}")
    said = session.scalars(
        select(AssessmentRow.document).where(AssessmentRow.revision_id == latest.id).order_by(AssessmentRow.score)
    ).all()
    policy: dict[str, Any] = next((d["policy"] for d in said if d["verdict"] == series.outcome), {})
    model = next((d["model"] for d in said if d["model"]), None)
    row = ReviewRow(
        series_instance_uid=series.series_instance_uid,
        version=0,
        revision=latest.number,
        state=State.UNASKED,
        asked=False,
        blind=False,
        outcome=series.outcome,
        score=series.score,
        limit=policy.get("limit"),
        policy=f"{policy.get('name', '')} {policy.get('version', '')}".strip()[:96],
        model=f"{model['name']} {model['version']} {model['sha256'][:12]}"[:96] if model else "",
    )
    session.add(row)
    return row


def judged(session: Session, uid: str) -> RevisionRow | None:
    """Return the latest revision of a series that was judged; None when there is none."""
    return session.scalar(
        select(RevisionRow)
        .where(
            RevisionRow.series_instance_uid == uid,
            RevisionRow.assessed_at.is_not(None),
            RevisionRow.state != "excluded",
        )
        .order_by(RevisionRow.number.desc())
        .limit(1)
    )
