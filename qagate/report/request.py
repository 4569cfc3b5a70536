"""Report request: all that the documents on one series are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
from pydicom import Dataset

from qagate import settings
from qagate.domain.assessment import Assessment
from qagate.domain.verdict import Verdict
from qagate.errors import ReportError


@dataclass(frozen=True, slots=True, eq=False)
class ReportRequest:
    """All that the documents on one series are made of.

    assessments: one pair for each volume of the series. overall: the verdict that speaks for the series.
    evidence: headers of the source instances, as they are on disk; anything may be missing or malformed.
    pictures: (volume index, 0-based slice index) → grey slice, uint8 (rows, columns), already windowed.
    revision: 1-based. predecessor: (SOP class, SOP instance, series instance UID) of the SR this one replaces.
    created_at: timezone-aware. public_url: address of the series page. seed: what UIDs are derived from; the same
    seed must stand for the same content. notes: sentences that stand beside the reasons in the SR. Raises ReportError
    when it contradicts itself.
    """

    assessments: tuple[tuple[Assessment, Verdict], ...]
    overall: Verdict
    evidence: tuple[Dataset, ...]
    pictures: Mapping[tuple[int, int], npt.NDArray[np.uint8]]
    revision: int
    predecessor: tuple[str, str, str] | None
    created_at: datetime
    settings: settings.Report
    station_name: str
    public_url: str | None
    seed: str
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.assessments:
            raise ReportError("a report needs the assessment of at least one volume, got none")
        if self.revision < 1:
            raise ReportError(f"revisions count from 1, got {self.revision}")
        if self.created_at.tzinfo is None:
            raise ReportError(f"created_at must say its time zone, got {self.created_at.isoformat()}")
        if not self.seed:
            raise ReportError("a report needs a seed for its UIDs, got an empty one")
