"""Volume: one regular grid of voxels rebuilt from one series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from qagate.domain.finding import Finding, FindingCode, Severity

TagValue = str | int | float | bool | tuple[str, ...] | tuple[float, ...]
Tags = Mapping[str, TagValue]
"""DICOM keyword → plain value, as `assemble.headers.flatten` makes it.

A code sequence is a tuple of "SCHEME:VALUE" strings, and its meanings stand under the keyword + "Meaning". Functional
groups of multi-frame objects (shared first, then the first frame) lie flat beside the rest. Absent and empty
attributes are not in the mapping.
"""

Affine = tuple[
    tuple[float, float, float, float],
    tuple[float, float, float, float],
    tuple[float, float, float, float],
    tuple[float, float, float, float],
]


@dataclass(frozen=True, slots=True)
class Geometry:
    """Where the voxels of a volume lie.

    shape: (slices, rows, columns).
    spacing_mm: between slices, between rows, between columns; each > 0.
    affine_lps: 4 x 4, maps 0-based (column, row, slice, 1) to DICOM patient coordinates (LPS) in mm. PS3.3 C.7.6.2.1.1.
    missing_positions: 0-based indices, in a gap-free stack, of slices that are not there.
    duplicate_positions: 0-based indices of slices for which more than one instance came.
    tilt_degrees: angle between the stack direction and the slice normal.
    known: False when positions were absent and spacing is a stand-in of 1 mm.
    """

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    affine_lps: Affine
    missing_positions: tuple[int, ...] = ()
    duplicate_positions: tuple[int, ...] = ()
    tilt_degrees: float = 0.0
    known: bool = True


@dataclass(frozen=True, slots=True)
class SliceRef:
    """Which object, and which frame of it, a slice of a volume came from.

    frame_number: 1-based, as in (0008,1160); None for single-frame objects.
    position_mm: along the slice normal. instance_number as in (0020,0013), None when absent.
    """

    sop_instance_uid: str
    sop_class_uid: str
    frame_number: int | None
    position_mm: float
    instance_number: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """One regular grid from one series (a series may hold several).

    voxels: (slices, rows, columns), int16 or float32; CT in HU, MR as stored after rescaling. Slices ascend along the
    normal. `slices[i]` says where `voxels[i]` came from. `label` tells volumes of one series apart, as "echo 2".
    valid: (slices,) bool; False where the pixels of a slice could not be read (its voxels are then padding).
    colour: (slices, rows, columns, 3), 0..255, of a picture file in colours, whose luma the voxels are; None for grey.
    """

    voxels: npt.NDArray[Any]
    geometry: Geometry
    slices: tuple[SliceRef, ...]
    tags: Tags
    findings: tuple[Finding, ...] = ()
    index: int = 0
    label: str = ""
    valid: npt.NDArray[np.bool_] | None = None
    colour: npt.NDArray[np.uint8] | None = None

    @property
    def unscorable(self) -> tuple[Finding, ...]:
        """The findings that mean "no score"; empty when the volume can be scored."""
        return tuple(finding for finding in self.findings if finding.unscorable)


@dataclass(frozen=True, slots=True, eq=False)
class SeriesVolumes:
    """All that one series was made into.

    `volumes` ascend by `index`; those that cannot be scored are among them and say why in their findings. `findings`
    concern the series as a whole. `unreadable` pairs a file's name with one sentence saying why it could not be used.
    """

    series_instance_uid: str
    study_instance_uid: str
    tags: Tags
    instances: int
    volumes: tuple[Volume, ...]
    findings: tuple[Finding, ...] = ()
    unreadable: tuple[tuple[str, str], ...] = field(default=())

    @property
    def why_empty(self) -> Finding:
        """Return the reason for a series without volumes: the first finding that is one, or that there is no image."""
        reasons = [finding for finding in self.findings if finding.unscorable]
        return next(
            iter(reasons or self.findings), Finding(FindingCode.NOT_AN_IMAGE, Severity.NONE, "There is no image in it.")
        )
