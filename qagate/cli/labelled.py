"""How `qagate train evaluate` and `finetune` read DICOM: training itself knows none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from qagate.assemble.series import Limits
from qagate.domain.finding import Finding, FindingCode, Severity
from qagate.domain.volume import Volume
from qagate.errors import InputError
from qagate.work.inputs import find
from qagate.work.inputs import read as read_input


def read(path: Path) -> Volume:
    """Return the volume of a DICOM file or folder, of several the one with most voxels.

    Raises InputError when there is none.
    """
    found: list[Volume] = []
    why = ""
    for item in find([path]):
        try:
            volumes = read_input(item, Limits())
        except InputError as error:  # a note among the images of a folder
            why = why or str(error)
            continue
        found += volumes.volumes
        why = why or (volumes.why_empty.detail if not volumes.volumes else "")
    if not found:
        why = f": {why}" if why else ", got nothing that can be read"
        raise InputError(f"{path} must be DICOM, NIfTI, .npy, PNG, JPEG, TIFF, BMP or GIF{why}")
    largest = max(found, key=lambda one: one.voxels.size)
    if len(found) == 1:
        return largest
    text = f"{len(found)} volumes are there, of which the largest was read"
    return replace(largest, findings=(*largest.findings, Finding(FindingCode.MULTIPLE_VOLUMES, Severity.NONE, text)))
