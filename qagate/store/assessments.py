"""Assessments: what was said about the volumes of a revision."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from qagate.domain.assessment import Assessment
from qagate.domain.assessment import document as assessment_document
from qagate.domain.backfill import SIGNAL
from qagate.domain.decision import Sampling
from qagate.domain.verdict import Verdict, worst
from qagate.store import reviews, revisions, trends
from qagate.store.events import event
from qagate.store.tables import AssessmentRow, SeriesRow

NO_SAMPLING = Sampling()


def record(
    session: Session,
    revision_id: int,
    results: Sequence[tuple[Assessment, Verdict]],
    *,
    words: dict[str, str],
    at: datetime,
    sampling: Sampling = NO_SAMPLING,
) -> None:
    """Record what was said about each volume, replacing what an interrupted run of the same revision said.

    sampling: which verdicts are hidden from people until they said what they see. words: accession_number,
    series_description, protocol_name, station_name, device: as in the headers.
    """
    revision, series = revisions.get(session, revision_id)
    session.query(AssessmentRow).filter_by(revision_id=revision_id).delete()
    for assessment, verdict in results:
        session.add(
            AssessmentRow(
                revision_id=revision_id,
                volume_index=assessment.source.volume_index,
                score=assessment.score,
                outcome=str(verdict.outcome),
                policy=verdict.policy[:64],
                document={**assessment_document(assessment), **verdict_document(verdict)},
                created_at=at,
            )
        )
    revision.state, revision.assessed_at = "assessed", at
    overall = worst(tuple(verdict for _, verdict in results))
    speaker = next(a for a, v in results if v is overall)
    series.outcome, series.reason = str(overall.outcome), (overall.reasons[0] if overall.reasons else "")
    series.score = speaker.score
    series.interval_low, series.interval_high = speaker.interval or (None, None)
    series.region, series.organ = " ".join(speaker.prompt.regions), speaker.prompt.organ or ""
    series.sequence = speaker.prompt.sequence or ""
    series.modality = speaker.prompt.modality or series.modality
    series.verdict_at = at
    for name, value in words.items():
        column = SeriesRow.__table__.columns[name]
        setattr(series, name, value[: getattr(column.type, "length", None) or len(value)])
    if series.revision == revision.number and series.state != "receiving":
        series.state, series.state_reason = "scored", ""
    afterwards = revision.completed_by == SIGNAL  # it stands at the time of its study, and waited only since it came
    if not afterwards:
        reviews.expect(session, series.series_instance_uid, revision.number, speaker, overall, sampling)
    waited_since = revision.created_at if afterwards else series.last_instance_at
    trends.note(session, series, speaker, overall, at, waited_since=waited_since)
    event(session, at, "verdict", series.series_instance_uid, f"revision {revision.number}: {overall.outcome}")


def verdict_document(verdict: Verdict) -> dict[str, Any]:
    """Return the part of qagate.assessment/1 that the judge adds."""
    return {
        "verdict": str(verdict.outcome),
        "reasons": list(verdict.reasons),
        "policy": {
            "name": verdict.policy,
            "version": verdict.policy_version,
            "action": str(verdict.action),
            "limit": verdict.limit,
            "attribute_limits": dict(verdict.attribute_limits),
        },
    }


def of(session: Session, revision_id: int) -> tuple[AssessmentRow, ...]:
    """Return what was said about a revision, by volume."""
    return tuple(
        session.scalars(
            select(AssessmentRow).where(AssessmentRow.revision_id == revision_id).order_by(AssessmentRow.volume_index)
        )
    )
