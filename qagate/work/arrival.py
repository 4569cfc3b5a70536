"""Arrival: what one image of a series says about how long the series may wait."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from qagate.assemble.headers import read_header
from qagate.domain.holding import Arrival


def arrival_of(path: Path, *, sop_class_uid: str, modality: str, calling_ae_title: str) -> Arrival:
    """Return what an image in the spool says. Raises NotDicom, and what a malformed value makes its reader raise."""
    header = read_header(path)
    procedures = [header, *_items(header, "RequestAttributesSequence")]
    return Arrival(
        sop_class_uid=sop_class_uid,
        modality=modality,
        calling_ae_title=calling_ae_title,
        station_name=_text(header, "StationName"),
        protocol=_text(header, "ProtocolName"),
        priority=next((p for p in (_text(d, "RequestedProcedurePriority") for d in procedures) if p), ""),
        descriptions=tuple(
            _text(d, keyword)
            for d in procedures
            for keyword in (
                "StudyDescription",
                "SeriesDescription",
                "ProtocolName",
                "RequestedProcedureDescription",
                "ScheduledProcedureStepDescription",
            )
        ),
        procedure_codes=tuple(
            _text(code, "CodeValue")
            for d in procedures
            for keyword in ("RequestedProcedureCodeSequence", "ProcedureCodeSequence", "ScheduledProtocolCodeSequence")
            for code in _items(d, keyword)
        ),
    )


def _items(data_set: Dataset, keyword: str) -> list[Dataset]:
    value: Any = data_set.get(keyword)
    return [item for item in value if isinstance(item, Dataset)] if value else []


def _text(data_set: Dataset, keyword: str) -> str:
    value: Any = data_set.get(keyword)
    return "" if value is None else str(value)
