"""Scanned: pieces of which series are made as scanners send them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests.unit.assemble.made import ct_slice, enhanced_mr, mr_slice

PICTURE = (np.add.outer(np.arange(24), np.arange(28)) * 20).astype(np.uint16)
CORONAL, SAGITTAL, AXIAL = [1, 0, 0, 0, 0, -1], [0, 1, 0, 0, 0, -1], [1, 0, 0, 0, 1, 0]


def mr(z: float, number: int, **more: Any) -> Dataset:
    return mr_slice(PICTURE, (0.0, 0.0, z), number, **more)


def ct(z: float, number: int | None, **more: Any) -> Dataset:
    return ct_slice(PICTURE, (0.0, 0.0, z), number, **more)


def turned(degrees: float) -> list[float]:
    """Return Image Orientation of a coronal plane turned about the long axis of the patient."""
    return [round(math.cos(math.radians(degrees)), 6), round(math.sin(math.radians(degrees)), 6), 0, 0, 0, -1]


def tipped(degrees: float) -> list[float]:
    """Return Image Orientation of an axial plane tipped about the row direction."""
    return [1, 0, 0, 0, round(math.cos(math.radians(degrees)), 6), round(-math.sin(math.radians(degrees)), 6)]


def types(*groups: str, **more: Any) -> list[Dataset]:
    """Return one MR series with 5 slices of each Image Type."""
    return [
        mr(3.0 * i, 10 * g + i, ImageType=group.split("/"), **more) for g, group in enumerate(groups) for i in range(5)
    ]


def enhanced(change: Callable[[Dataset], object] = lambda _: None, **more: Any) -> Dataset:
    dataset = enhanced_mr(np.stack([PICTURE + i for i in range(6)]), **more)
    change(dataset)
    return dataset


def without_plane_positions(dataset: Dataset) -> None:
    for groups in dataset.PerFrameFunctionalGroupsSequence:
        del groups.PlanePositionSequence


def in_stack(dataset: Dataset) -> None:
    """Take the places of frames away, and number them from the last to the first, in two rounds of three."""
    without_plane_positions(dataset)
    for index, groups in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        groups.FrameContentSequence[0].InStackPositionNumber = 3 - index % 3
        groups.FrameContentSequence[0].TemporalPositionIndex = index // 3 + 1


def inversion(milliseconds: float) -> Callable[[Dataset], None]:
    def change(dataset: Dataset) -> None:
        item = Dataset()
        item.InversionTimes = [milliseconds]
        dataset.SharedFunctionalGroupsSequence[0].MRModifierSequence = Sequence([item])
        dataset.InstanceNumber = int(milliseconds)

    return change


def labels_and_controls(dataset: Dataset) -> None:
    for index, groups in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        groups.PlanePositionSequence[0].ImagePositionPatient = [0, 0, 2.0 * (index // 2)]
        item = Dataset()
        item.ASLContext = "LABEL" if index % 2 else "CONTROL"
        groups.MRArterialSpinLabelingSequence = Sequence([item])


def spectroscopy() -> Dataset:
    dataset = mr(0, 1)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4.2"
    del dataset.PixelData
    return dataset


PLAIN = {"Modality": "MR", "PixelSpacing": [1, 1], "SliceThickness": 3.0, "InstanceNumber": 1}
CLASSIC_CINE = PLAIN | {"ImagePositionPatient": [0, 0, 0], "ImageOrientationPatient": AXIAL}
THIN_THICK_THIN = [(1.25 * i, 1.25) for i in range(4)] + [(3.75 + 5.0 * i, 5.0) for i in (1, 2, 3)]
THIN_THICK_THIN += [(18.75 + 1.25 * i, 1.25) for i in range(1, 6)]
DIXON = [f"DERIVED/PRIMARY/DIXON/{word}" for word in ("IN_PHASE", "OPP_PHASE", "WATER", "FAT")]

Series = dict[str, tuple[list[Dataset], list[tuple[int, int, str]], list[str]]]
"""Name → objects, [(how many volumes, slices, findings and exclusions)], labels of the first two."""
