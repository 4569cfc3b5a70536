"""Performed procedure step: what a scanner says it has made. Source: PS3.4 Annex F, PS3.3 C.4.14 and C.4.15."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class StepState(StrEnum):
    """Performed Procedure Step Status (0040,0252)."""

    IN_PROGRESS = "IN PROGRESS"
    COMPLETED = "COMPLETED"
    DISCONTINUED = "DISCONTINUED"

    @property
    def final(self) -> bool:
        """Whether nothing more is made in this step."""
        return self is not StepState.IN_PROGRESS


@dataclass(frozen=True, slots=True)
class PerformedStep:
    """What one N-CREATE or N-SET says; empty where it says nothing. No patient data.

    series: Series Instance UID → SOP Instance UIDs of all that was made in it, images and others. reason: code and
    meaning of why it was discontinued.
    """

    sop_instance_uid: str
    state: StepState
    at: datetime
    calling_ae_title: str = ""
    study_instance_uid: str = ""
    modality: str = ""
    station_name: str = ""
    reason: str = ""
    series: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
