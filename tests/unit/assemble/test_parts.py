"""Objects that hold more frames than they say, and concatenations of which a part did not come."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import RLELossless

from qagate.assemble.series import read_series
from tests.unit.assemble.made import AXIAL, MR_CLASS, enhanced_mr, image, save, uid

PICTURE = (np.add.outer(np.arange(24), np.arange(28)) * 20).astype(np.uint16)
SIX = np.stack([PICTURE + i for i in range(6)])


def classic() -> Dataset:
    place = {"ImagePositionPatient": [0, 0, 0], "ImageOrientationPatient": list(AXIAL), "PixelSpacing": [1, 1]}
    return image(SIX, MR_CLASS, Modality="MR", InstanceNumber=1, **place)


# what is made, Number of Frames that it says (None: nothing), slices that come out, whether that is told
FRAMES: list[tuple[Callable[[], Dataset], int | None, int, bool]] = [
    (lambda: enhanced_mr(SIX), 6, 6, False),
    (lambda: enhanced_mr(SIX), 0, 6, True),
    (lambda: enhanced_mr(SIX), None, 6, True),
    (lambda: enhanced_mr(SIX), 4, 6, True),  # groups and pixels agree on 6
    (classic, None, 6, True),
    (classic, 4, 4, True),  # nothing but the pixels speaks for 6
    (lambda: image(PICTURE, MR_CLASS, Modality="MR"), None, 1, False),
]


@pytest.mark.parametrize(("make", "said", "slices", "told"), FRAMES)
def test_frames(tmp_path: Path, make: Callable[[], Dataset], said: int | None, slices: int, told: bool) -> None:
    dataset = make()
    dataset.NumberOfFrames = said
    if said is None:
        del dataset.NumberOfFrames
    series = read_series([save(dataset, tmp_path)])
    assert [volume.geometry.shape[0] for volume in series.volumes] == [slices]
    assert [finding.code.value for finding in series.findings] == ["contradictory_tags"] * told
    assert not told or f"hold 6 frames; {slices} were used" in series.findings[0].detail


@pytest.mark.parametrize("compressed", [False, True])
def test_frames_that_no_object_of_its_size_can_hold(tmp_path: Path, compressed: bool) -> None:
    dataset = image(PICTURE, MR_CLASS, Modality="MR")
    if compressed:
        dataset.compress(RLELossless)
    dataset.NumberOfFrames = 100_000_000
    (volume, *_), (finding, *_) = (found := read_series([save(dataset, tmp_path)])).volumes, found.findings
    assert volume.geometry.shape[0] <= 1000
    assert "Number of Frames says 100000000, which no object of this size holds" in finding.detail


def concatenation(places: bool) -> list[Dataset]:
    """Return three objects of four frames; object i holds values from 100 i, and its UID is not in that order."""
    objects = []
    for part in range(3):
        dataset = enhanced_mr(SIX[:4] + 100 * part)
        for index, groups in enumerate(dataset.PerFrameFunctionalGroupsSequence):
            groups.PlanePositionSequence[0].ImagePositionPatient = [0, 0, 2.0 * (4 * part + index)]
            if not places:
                del groups.PlanePositionSequence
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{(part + 2) % 3}"
        dataset.ConcatenationUID, dataset.InConcatenationNumber = uid("concatenation"), part + 1
        dataset.InConcatenationTotalNumber, dataset.ConcatenationFrameOffsetNumber = 3, 4 * part
        objects.append(dataset)
    return objects


@pytest.mark.parametrize("places", [True, False])
def test_a_concatenation_is_one_volume_in_its_order(tmp_path: Path, places: bool) -> None:
    series = read_series([save(dataset, tmp_path) for dataset in concatenation(places)])
    (volume,) = series.volumes
    assert volume.voxels[:, 0, 0].tolist() == [0, 1, 2, 3, 100, 101, 102, 103, 200, 201, 202, 203]
    assert series.findings == ()


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_part_that_did_not_come_is_told(tmp_path: Path, lost: int) -> None:
    series = read_series([save(d, tmp_path) for part, d in enumerate(concatenation(True)) if part != lost])
    assert [(f.code.value, f.detail) for f in series.findings] == [
        ("incomplete_series", "1 of 3 parts of a concatenation did not come")
    ]


def test_dimension_indices_part_frames_that_nothing_else_tells_apart(tmp_path: Path) -> None:
    dataset = enhanced_mr(np.concatenate([SIX, SIX + 100]), volumes=2)
    groups = list(dataset.PerFrameFunctionalGroupsSequence)
    for one in groups:
        del one.FrameContentSequence[0].TemporalPositionIndex
    order = np.random.default_rng(0).permutation(12)
    dataset.PerFrameFunctionalGroupsSequence = Sequence([groups[i] for i in order])
    dataset.PixelData = np.concatenate([SIX, SIX + 100])[order].tobytes()
    volumes = read_series([save(dataset, tmp_path)]).volumes
    assert sorted(volume.voxels[:, 0, 0].tolist() for volume in volumes) == [[*range(6)], [*range(100, 106)]]
