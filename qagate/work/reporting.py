"""What is written about a series that was judged: the one way from verdicts to a report request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from qagate.assemble.headers import read_header
from qagate.domain.verdict import worst
from qagate.errors import InputError
from qagate.report.request import ReportRequest
from qagate.settings import Settings
from qagate.work.assessing import Judged

Pictures = Mapping[int, Mapping[int, npt.NDArray[np.uint8]]]
"""Volume index → slice index (0-based) → grey picture (rows, columns)."""


def request_for(
    judged: Sequence[Judged],
    headers: Sequence[Dataset],
    pictures: Pictures,
    settings: Settings,
    *,
    revision: int,
    predecessor: tuple[str, str, str] | None,
    set_of_images: str,
    created_at: datetime,
    notes: Sequence[str] = (),
) -> ReportRequest:
    """Return the request for the documents on one revision of one series.

    headers: of the files that were judged. set_of_images: names this revision's images; the same answer about the same
    set becomes the same documents. notes: what else the report says.
    """
    return ReportRequest(
        assessments=tuple((item.assessment, item.verdict) for item in judged),
        overall=worst(tuple(item.verdict for item in judged)),
        evidence=tuple(headers),
        pictures={(v, i): grey for v, slices in pictures.items() for i, grey in slices.items()},
        revision=revision,
        predecessor=predecessor,
        created_at=created_at,
        settings=settings.report,
        station_name=settings.node.station_name,
        public_url=series_url(settings, judged[0].assessment.source.series_instance_uid),
        seed=_seed(set_of_images, judged),
        notes=tuple(note for note in notes if note),
    )


def series_url(settings: Settings, series_instance_uid: str) -> str | None:
    """Return the address of a series' page, when people can reach one."""
    base = settings.web.public_url
    return f"{base.rstrip('/')}/series/{series_instance_uid}" if base else None


def headers_of(paths: Sequence[Path]) -> list[Dataset]:
    """Return the headers of those files that are DICOM objects."""
    headers = []
    for path in paths:
        try:
            headers.append(read_header(path))
        except InputError:
            continue  # already among the findings of the series
    return headers


def _seed(set_of_images: str, judged: Sequence[Judged]) -> str:
    """What the UIDs of the documents are derived from."""
    said = ";".join(
        f"{i.volume.index},{i.assessment.score},{i.verdict.outcome},{i.verdict.policy},"
        f"{i.assessment.model and i.assessment.model.sha256},{i.assessment.prompt.rules_version}"
        for i in judged
    )
    return f"{set_of_images}|{said}"
