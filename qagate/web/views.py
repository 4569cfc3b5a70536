"""What the pages and the API show of a series: plain data, made in one place so that both say the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from qagate.domain.backfill import SIGNAL
from qagate.domain.holding import CAUSE_WORDS, Cause
from qagate.domain.verdict import WORDS, Outcome
from qagate.store import reviews
from qagate.store.tables import (
    AssessmentRow,
    DeliveryRow,
    DocumentRow,
    EventRow,
    HoldingRow,
    ReviewRow,
    RevisionRow,
    SeriesRow,
)
from qagate.web.words import STATE_WORDS

ACCESSION_TAIL = 4
"""How much of the accession number is shown."""


def summary(row: SeriesRow) -> dict[str, Any]:
    """Return one line of the worklist."""
    outcome = Outcome(row.outcome) if row.outcome else None
    return {
        "series_instance_uid": row.series_instance_uid,
        "study_instance_uid": row.study_instance_uid,
        "state": row.state,
        "state_word": STATE_WORDS[row.state],
        "state_reason": row.state_reason,
        "holding": row.holding,
        "held_until": row.held_until and row.held_until.isoformat(),
        "verdict": row.outcome or None,
        "word": WORDS[outcome] if outcome else None,
        "score": None if row.score is None else round(row.score, 1),
        "interval": None
        if row.interval_low is None
        else [round(row.interval_low, 1), round(row.interval_high or 0, 1)],
        "reason": row.reason,
        "modality": row.modality,
        "regions": row.region.split(),
        "organ": row.organ or None,
        "sequence": row.sequence or None,
        "series_description": row.series_description,
        "protocol_name": row.protocol_name,
        "station_name": row.station_name,
        "device": row.device,
        "calling_ae_title": row.calling_ae_title,
        "accession_tail": row.accession_number[-ACCESSION_TAIL:],
        "instances": row.instances,
        "revision": row.revision,
        "completed_by": row.completed_by,
        "first_instance_at": row.first_instance_at.isoformat(),
        "last_instance_at": row.last_instance_at.isoformat(),
        "verdict_at": row.verdict_at and row.verdict_at.isoformat(),
        "seconds_to_verdict": None  # nobody waited for what was judged afterwards
        if row.completed_by == SIGNAL
        else _seconds_between(row.last_instance_at, row.verdict_at),
    }


VEILED = {"verdict": None, "word": None, "score": None, "interval": None, "reason": "", "hidden": True}


def reviewed(row: SeriesRow, review: ReviewRow | None, *, veiled: bool = True) -> dict[str, Any]:
    """Return one line of the worklist with where it stands with people; veiled: a hidden verdict is left out."""
    stands = {
        "review_state": review.state if review else "",
        "review_version": review.version if review else 0,
        "hidden": reviews.hides(review),
    }
    return {**summary(row), **stands, **(VEILED if veiled and stands["hidden"] else {})}


def revision(
    row: RevisionRow,
    assessments: Sequence[AssessmentRow],
    documents: Sequence[tuple[DocumentRow, Sequence[DeliveryRow]]],
) -> dict[str, Any]:
    """Return one revision with its assessments (qagate.assessment/1), documents and deliveries."""
    return {
        "number": row.number,
        "state": row.state,
        "completed_by": row.completed_by,
        "expected": row.expected,
        "expected_by": row.expected_by or None,
        "missing": row.missing,
        "last_instance_at": row.last_instance_at.isoformat(),
        "created_at": row.created_at.isoformat(),
        "assessed_at": row.assessed_at and row.assessed_at.isoformat(),
        "assessments": [assessment.document for assessment in assessments],
        "documents": [document(d, deliveries) for d, deliveries in documents],
    }


def document(row: DocumentRow, deliveries: Sequence[DeliveryRow]) -> dict[str, Any]:
    """Return one document and where it is."""
    return {
        "kind": row.kind,
        "sop_class_uid": row.sop_class_uid,
        "sop_instance_uid": row.sop_instance_uid,
        "series_instance_uid": row.series_instance_uid,
        "deliveries": [
            {
                "destination": delivery.destination,
                "state": delivery.state,
                "attempts": delivery.attempts,
                "detail": delivery.detail,
                "sent_at": delivery.sent_at and delivery.sent_at.isoformat(),
                "committed_at": delivery.committed_at and delivery.committed_at.isoformat(),
                "next_attempt_at": delivery.next_attempt_at.isoformat() if delivery.state == "planned" else None,
                "sop_instance_uid": delivery.sop_instance_uid or None,
            }
            for delivery in deliveries
        ],
    }


def images(row: HoldingRow | None, counts: Mapping[tuple[str, str], int]) -> dict[str, Any]:
    """Return what became of the images of a series: whether they wait or waited, and how many are where."""
    held = row and {
        "state": row.state,
        "policy": row.policy,
        "held_at": row.held_at.isoformat(),
        "until": row.until and row.until.isoformat(),
        "cause": row.cause,
        "words": CAUSE_WORDS[Cause(row.cause)] if row.cause else "",
        "decided_at": row.decided_at and row.decided_at.isoformat(),
        "decided_by": row.decided_by,
        "reason": row.reason,
        "note": row.note,
    }
    forwarded = [
        {"destination": destination, "state": state, "images": number}
        for (destination, state), number in sorted(counts.items())
    ]
    return {"held": held, "forwarded": forwarded}


def event(row: EventRow) -> dict[str, Any]:
    """Return one line of the trail."""
    return {"at": row.at.isoformat(), "what": row.what, "detail": row.detail}


def _seconds_between(earlier: datetime, later: datetime | None) -> float | None:
    return None if later is None else round((later - earlier).total_seconds(), 1)
