"""Modality Performed Procedure Step as provider: what a scanner says it has made. Source: PS3.4 Annex F.7, PS3.7 10.

What is read is what tells which images belong to a series; the rest of a step, patient data included, is not kept.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal

from pydicom.dataset import Dataset

from qagate.domain.status import DUPLICATE_SOP_INSTANCE, PROCESSING_FAILURE, SUCCESS
from qagate.domain.step import PerformedStep, StepState
from qagate.errors import InputError

MPPS = "1.2.840.10008.3.1.2.3.3"

INVALID_ATTRIBUTE_VALUE = 0x0106
MISSING_ATTRIBUTE = 0x0120
MAY_NO_LONGER_BE_UPDATED = 0xA710
"""Error ID beside PROCESSING_FAILURE, PS3.4 F.7.2.2.2."""

OnStep = Callable[[PerformedStep, bool], Literal["taken", "known", "ended"]]
"""Records a step; True as its second argument when it begins (N-CREATE). Raises QagateError."""


class BadStep(InputError):
    """A message about a step is not as it must be. `status` is the answer to it."""

    def __init__(self, words: str, status: int) -> None:
        super().__init__(words)
        self.status = status


def begun(attributes: Dataset, sop_instance_uid: str, calling_ae_title: str, at: datetime) -> PerformedStep:
    """Return what an N-CREATE says. Raises BadStep: its status must be IN PROGRESS."""
    step = _step(attributes, sop_instance_uid, calling_ae_title, at)
    if step.state is not StepState.IN_PROGRESS:
        raise BadStep(f"a step must begin as IN PROGRESS, got {step.state}", INVALID_ATTRIBUTE_VALUE)
    return step


def went_on(modifications: Dataset, sop_instance_uid: str, calling_ae_title: str, at: datetime) -> PerformedStep:
    """Return what an N-SET says; without a status the step goes on. Raises BadStep."""
    if not modifications.get("PerformedProcedureStepStatus"):
        modifications.PerformedProcedureStepStatus = StepState.IN_PROGRESS.value
    return _step(modifications, sop_instance_uid, calling_ae_title, at)


def answer_of(outcome: Literal["taken", "known", "ended"]) -> Dataset | int:
    """Return the status to answer with."""
    if outcome == "known":
        return DUPLICATE_SOP_INSTANCE
    if outcome == "ended":
        status = Dataset()
        status.Status = PROCESSING_FAILURE
        status.ErrorID = MAY_NO_LONGER_BE_UPDATED
        status.ErrorComment = "Performed Procedure Step Object may no longer be updated"
        return status
    return SUCCESS


def _step(said: Dataset, sop_instance_uid: str, calling_ae_title: str, at: datetime) -> PerformedStep:
    if not sop_instance_uid or len(sop_instance_uid) > 64:
        raise BadStep(
            f"a step must have a UID of at most 64 characters, got {len(sop_instance_uid)}", MISSING_ATTRIBUTE
        )
    word = _text(said, "PerformedProcedureStepStatus").upper()
    if not word:
        raise BadStep("a step must have a Performed Procedure Step Status, got none", MISSING_ATTRIBUTE)
    try:
        state = StepState(word)
    except ValueError:
        raise BadStep(f"a step must be {', '.join(StepState)}, got {word[:16]!r}", INVALID_ATTRIBUTE_VALUE) from None
    scheduled = (said.get("ScheduledStepAttributesSequence") or [Dataset()])[0]
    reason = (said.get("PerformedProcedureStepDiscontinuationReasonCodeSequence") or [Dataset()])[0]
    return PerformedStep(
        sop_instance_uid=sop_instance_uid,
        state=state,
        at=at,
        calling_ae_title=calling_ae_title,
        study_instance_uid=_text(scheduled, "StudyInstanceUID"),
        modality=_text(said, "Modality"),
        station_name=_text(said, "PerformedStationName"),
        reason=" ".join(filter(None, (_text(reason, "CodeValue"), _text(reason, "CodeMeaning")))),
        series=_series(said),
    )


def _series(said: Dataset) -> dict[str, tuple[str, ...]]:
    """Return Series Instance UID → SOP Instance UIDs. Source: PS3.3 C.4.15, Performed Series Sequence."""
    found: dict[str, tuple[str, ...]] = {}
    for item in said.get("PerformedSeriesSequence") or ():
        uid = _text(item, "SeriesInstanceUID")
        references = [
            *(item.get("ReferencedImageSequence") or ()),
            *(item.get("ReferencedNonImageCompositeSOPInstanceSequence") or ()),
        ]
        instances = [_text(reference, "ReferencedSOPInstanceUID") for reference in references]
        if uid:
            found[uid] = tuple(dict.fromkeys([*found.get(uid, ()), *filter(None, instances)]))
    return found


def _text(said: Dataset, keyword: str) -> str:
    value: Any = said.get(keyword)
    return "" if value is None else str(value).strip().replace("\0", "")
