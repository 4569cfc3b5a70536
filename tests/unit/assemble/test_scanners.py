"""Series as scanners send them: how many volumes they become, what these are called, and which get a score."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import JPEGLSLossless, RLELossless

from qagate.assemble.child import Decoders
from qagate.assemble.exclusion import kind_of, made_of
from qagate.assemble.series import read_series
from qagate.prompt.infer import infer
from qagate.prompt.rules import load_rules
from tests.unit.assemble.made import MR_CLASS, ct_slice, enhanced_mr, image, mr_slice, save, uid

PICTURE = (np.add.outer(np.arange(24), np.arange(28)) * 20).astype(np.uint16)
RULES = load_rules()
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

# name → objects, [(how many volumes, slices, findings and exclusions)], labels of the first two
SERIES: dict[str, tuple[list[Dataset], list[tuple[int, int, str]], list[str]]] = {
    # three long axes across each other are planes of a localizer; ten phases of each are a cine
    "long axis cine": (
        [
            mr(0, 10 * p + i, ImageOrientationPatient=plane, TriggerTime=33.0 * i)
            for p, plane in enumerate((CORONAL, SAGITTAL, AXIAL))
            for i in range(10)
        ],
        [(30, 1, "")],
        ["coronal, trigger 0.0 ms", "coronal, trigger 33.0 ms"],
    ),
    # trigger times drift from slice to slice, so that no value parts the phases
    "short axis cine": (
        [mr(8.0 * s, 12 * s + i, TriggerTime=round(33 * i * (1 + 0.01 * s), 1)) for s in range(6) for i in range(12)],
        [(12, 6, "")],
        ["trigger 0.0 ms", "#1"],
    ),
    "radial thick slabs": (
        [mr(0, i, ImageOrientationPatient=turned(15 * i), SliceThickness=40.0) for i in range(12)],
        [(12, 1, "")],
        ["coronal #1", "coronal #2"],
    ),
    "three-plane localizer without its name": (
        [mr(10.0 * i, 10 * p + i, ImageOrientationPatient=o) for p, o in enumerate((AXIAL, tipped(90))) for i in (0,)]
        + [mr(0, 30, ImageOrientationPatient=SAGITTAL)],
        [(3, 1, "localizer")],
        ["axial", "coronal"],
    ),
    "discs of a spine": (
        [
            mr_slice(
                PICTURE,
                (0, 4 * i * math.sin(math.radians(a)), 60 * b + 4 * i * math.cos(math.radians(a))),
                5 * b + i,
                ImageOrientationPatient=tipped(a),
            )
            for b, a in enumerate((0, 12, 25))
            for i in range(5)
        ],
        [(3, 5, "")],
        ["#1", "#2"],
    ),
    "orientation that follows the head": (
        [mr(3.0 * i, i, ImageOrientationPatient=tipped(0.06 * i)) for i in range(12)],
        [(1, 12, "")],
        [""],
    ),
    "time points that follow the head": (
        [
            mr(4.0 * i + 0.15 * t, 10 * t + i, TemporalPositionIdentifier=t, AcquisitionNumber=t)
            for t in (1, 2, 3)
            for i in range(8)
        ],
        [(3, 8, "")],
        ["time point 1", "time point 2"],
    ),
    "odd slices a little off": (
        [mr(3.0 * i + 0.4 * (i % 2), i, AcquisitionNumber=i % 2) for i in range(12)],
        [(1, 12, "variable_spacing")],
        [""],
    ),
    "magnitude of a phase contrast": (types("ORIGINAL/PRIMARY/M_PCA/M/PCA"), [(1, 5, "")], [""]),
    "velocity": (types("ORIGINAL/PRIMARY/VELOCITY MAP/P/PCA"), [(1, 5, "phase_image")], [""]),
    "magnitude and phase": (
        types("ORIGINAL/PRIMARY/M_FFE/M/FFE", "ORIGINAL/PRIMARY/PHASE MAP/P/FFE"),
        [(1, 5, ""), (1, 5, "phase_image")],
        ["magnitude", "phase"],
    ),
    "map beside what it was made from": (
        types("ORIGINAL/PRIMARY/M_SE/M/SE", "ORIGINAL/PRIMARY/ADC_UNSPECIFIED/ADC/UNSPECIFIED"),
        [(1, 5, ""), (1, 5, "derived")],
        ["#1", "derived"],
    ),
    "Dixon": (types(*DIXON), [(4, 5, "")], ["in phase", "opp phase"]),
    "purpose of original images": (types("ORIGINAL/PRIMARY/FMRI/NONE"), [(1, 5, "")], [""]),
    "corrected for motion": (types("DERIVED/PRIMARY/PERFUSION/NONE"), [(1, 5, "")], [""]),
    "statistics": (types("DERIVED/PRIMARY/FMRI/T_TEST"), [(1, 5, "derived")], [""]),
    "subtraction": (types("DERIVED/PRIMARY/M/ND", SeriesDescription="t1_vibe_dyn_SUB"), [(1, 5, "derived")], [""]),
    "a subject is no subtraction": (types("ORIGINAL/PRIMARY/M", SeriesDescription="sub-01_T1w"), [(1, 5, "")], [""]),
    "coil calibration": (
        types("ORIGINAL/PRIMARY/M", SeriesDescription="ASSET calibration"),
        [(1, 5, "localizer")],
        [""],
    ),
    "coil reference": (types("ORIGINAL/PRIMARY/M", SeriesDescription="Ref_Head_32"), [(1, 5, "localizer")], [""]),
    "inversion times of single files": (
        [enhanced(inversion(100.0 + 200 * t)) for t in range(3)],
        [(3, 6, "")],
        ["TI 100.0 ms", "TI 300.0 ms"],
    ),
    "frames without places": ([enhanced(without_plane_positions)], [(1, 6, "no_position")], [""]),
    "numbers in the stack": ([enhanced(in_stack)], [(2, 3, "no_position")], ["time point 1", "time point 2"]),
    # one position cannot be that of six frames
    "classic object of several frames": (
        [image(np.stack([PICTURE + i for i in range(6)]), MR_CLASS, **CLASSIC_CINE)],
        [(1, 6, "no_position")],
        [""],
    ),
    "classic cine": (
        [image(np.stack([PICTURE + i for i in range(6)]), MR_CLASS, FrameTime=40.0, **CLASSIC_CINE)],
        [(6, 1, "")],
        ["#1", "#2"],
    ),
    "spectroscopy": ([spectroscopy()], [], []),
    # two stacks side by side, of other places along their normal
    "both hands": (
        [mr_slice(PICTURE, (200.0 * h, 0, 3.0 * i + 16.3 * h), 12 * h + i) for h in (0, 1) for i in range(12)],
        [(2, 12, "")],
        ["#1", "#2"],
    ),
    "steps of a patient who slides": (
        [mr_slice(PICTURE, (0.3 * i, 0, 3.0 * i), i) for i in range(12)],
        [(1, 12, "gantry_tilt")],
        [""],
    ),
    # the second pass begins at another place; slices of 3 mm are contiguous in each
    "two passes": (
        [mr(3.0 * i + 1.3 * t, 20 * t + i) for t in (0, 1) for i in range(12)],
        [(2, 12, "")],
        ["#1", "#2"],
    ),
    # every other slice lies 6 mm from the next one: neither half is a volume
    "two halves of one stack": (
        [mr(6.0 * i + 3.4 * t, 20 * t + i) for t in (0, 1) for i in range(8)],
        [(1, 16, "variable_spacing")],
        [""],
    ),
    "labels and controls of one object": ([enhanced(labels_and_controls)], [(2, 3, "")], ["CONTROL", "LABEL"]),
    # CT
    "the same place everywhere": (
        [ct(0, i, SliceLocation=2.5 * i) for i in range(1, 9)],
        [(1, 8, "contradictory_tags no_position")],
        [""],
    ),
    "Slice Location alone": (
        [
            ct_slice(PICTURE, None, 9 * t - i, SliceLocation=2.5 * i, AcquisitionNumber=t)
            for t in (1, 2)
            for i in range(6)
        ],
        [(2, 6, "no_position")],
        ["acquisition 1", "acquisition 2"],
    ),
    "two planes without positions": (
        [
            ct_slice(PICTURE, None, 10 * p + i, ImageOrientationPatient=o)
            for p, o in enumerate((AXIAL, SAGITTAL))
            for i in range(5)
        ],
        [(2, 5, "no_position")],
        ["axial", "sagittal"],
    ),
    "one image without an intercept": (
        [ct(2.5 * i, i, RescaleIntercept=None if i == 3 else -1024) for i in range(5)],
        [(1, 5, "hu_unproven")],
        [""],
    ),
    "a lost Slice Location": (
        [ct_slice(PICTURE, None, i, SliceLocation=2.5 * i) for i in range(8) if i != 4],
        [(1, 7, "missing_slices no_position")],
        [""],
    ),
    "cosines of another length": (
        [ct(2.5 * i, i, ImageOrientationPatient=[1.2, 0, 0, 0, 1.2, 0]) for i in range(6)],
        [(1, 6, "")],
        [""],
    ),
    "a frame of reference that half of the images leave out": (
        [ct(2.5 * i, i, FrameOfReferenceUID="" if i % 2 else uid("frame")) for i in range(8)],
        [(1, 8, "")],
        [""],
    ),
    "one image with loss": (
        [ct(2.5 * i, i, LossyImageCompression="01" if i == 3 else "00") for i in range(5)],
        [(1, 5, "lossy_compression")],
        [""],
    ),
    "a kernel that two images leave out": (
        [ct(2.5 * i, i, ConvolutionKernel=None if i in (2, 3) else "B30f") for i in range(8)],
        [(1, 8, "")],
        [""],
    ),
    "what a workstation made, without a kernel": (
        [ct(2.5 * i, i, ConvolutionKernel="B30f") for i in range(5)]
        + [ct(1.2 + 2.5 * i, 9 + i, ImageType=["DERIVED", "SECONDARY", "AXIAL"]) for i in range(3)],
        [(1, 5, ""), (1, 3, "")],
        ["kernel B30f", "#1"],
    ),
    "a kernel beside images of none": (
        [ct(2.5 * i, 10 * k + i, ConvolutionKernel="B30f" if k else None) for k in (0, 1) for i in range(6)],
        [(2, 6, "")],
        ["#1", "kernel B30f"],
    ),
    "a slope of zero": ([ct(2.5 * i, i, RescaleSlope=0) for i in range(4)], [(1, 4, "hu_unproven")], [""]),
    "thick slices amid thin ones": (
        [ct(z, n, SliceThickness=t) for n, (z, t) in enumerate(THIN_THICK_THIN)],
        [(1, 12, "variable_spacing")],
        [""],
    ),
    "one place at several times": (
        [ct(0, i, SliceLocation=0.0, AcquisitionNumber=i) for i in range(1, 5)],
        [(4, 1, "localizer")],
        ["acquisition 1", "acquisition 2"],
    ),
    "two ranges that overlap by a few slices": (
        [ct(5.0 * i + 82.5 * a, 20 * a + i, AcquisitionNumber=a) for a in (0, 1) for i in range(20)],
        [(2, 20, "")],
        ["acquisition 0", "acquisition 1"],
    ),
    "skull base thin, vertex thick": (
        [ct(z, n, AcquisitionNumber=n) for n, z in enumerate([*np.arange(0, 30, 2.5), *np.arange(30, 80, 5.0)])],
        [(1, 22, "variable_spacing")],
        [""],
    ),
    "thick and thin slices": (
        [ct(5.0 * i, i, SliceThickness=5.0) for i in range(6)]
        + [ct(0.5 + i, 10 + i, SliceThickness=1.0) for i in range(25)],
        [(1, 6, ""), (1, 25, "")],
        ["slices of 5.0 mm", "slices of 1.0 mm"],
    ),
    "a table that goes to and fro": (
        [
            ct(20.0 * table + 5 * s, 8 * t + 4 * table + s, AcquisitionTime=f"10{2 * t + table:02d}00")
            for t in range(5)
            for table in (0, 1)
            for s in range(4)
        ],
        [(5, 8, "")],
        ["#1", "#2"],
    ),
    "one echo time written in two ways": (
        [mr(3.0 * i, i, EchoTime=89.0 if i % 2 else 89.01) for i in range(8)],
        [(1, 8, "")],
        [""],
    ),
    "one pixel spacing written in two ways": (
        [ct(3.0 * i, i, PixelSpacing=[0.97649] * 2 if i % 2 else [0.976512] * 2) for i in range(8)],
        [(1, 8, "")],
        [""],
    ),
    "pixels of no size": ([ct(3.0 * i, i, PixelSpacing=[0, 0]) for i in range(4)], [(1, 4, "no_position")], [""]),
    "numbers of zero and none": ([ct(3.0 * i, 0 if i % 2 else None) for i in range(6)], [(1, 6, "")], [""]),
    "feet first, prone": (
        [ct(-3.0 * i, i, ImageOrientationPatient=[-1, 0, 0, 0, 1, 0]) for i in range(6)],
        [(1, 6, "")],
        [""],
    ),
    "iodine concentration": (
        [ct(3.0 * i, i, RescaleType="MGML", RescaleSlope=0.01) for i in range(4)],
        [(1, 4, "derived hu_unproven")],
        [""],
    ),
    "one energy": (
        [ct(3.0 * i, i, ImageType=["DERIVED", "PRIMARY", "AXIAL", "VMI"]) for i in range(4)],
        [(1, 4, "")],
        [""],
    ),
    "one material": (
        [ct(3.0 * i, i, ImageType=["DERIVED", "PRIMARY", "AXIAL", "MAT_SPECIFIC"]) for i in range(4)],
        [(1, 4, "derived")],
        [""],
    ),
    "a thick reformat between the slices": (
        [ct(2.5 * i, i) for i in range(5)]
        + [ct(1.2 + 5.0 * i, 9 + i, ImageType=["DERIVED", "SECONDARY", "REFORMATTED", "AVERAGE"]) for i in range(3)],
        [(1, 5, ""), (1, 3, "derived")],
        ["#1", "reformat"],
    ),
    "the highest of many times": (
        [ct(2.5 * i, i, ImageType=["DERIVED", "PRIMARY", "VOLUME", "MAXIMUM"]) for i in range(5)],
        [(1, 5, "projection")],
        [""],
    ),
    "a subtraction beside its minuend": (
        types("ORIGINAL/PRIMARY/M/ND", "DERIVED/PRIMARY/M/SUB/ND"),
        [(1, 5, ""), (1, 5, "derived")],
        ["#1", "subtraction"],
    ),
    "reformat": (
        [ct(3.0 * i, i, ImageType=["DERIVED", "SECONDARY", "AXIAL", "CT_SOM5 MPR"]) for i in range(4)],
        [(1, 4, "derived")],
        [""],
    ),
    "protocol page": (
        [ct_slice(PICTURE, None, 1, ImageType=["DERIVED", "SECONDARY", "OTHER", "CT_SOM5 PROT"])],
        [(1, 1, "no_position secondary_capture")],
        [""],
    ),
    "scout that does not say so": (
        [ct(0, 1, ImageOrientationPatient=CORONAL, ImageType=["ORIGINAL", "PRIMARY", "OTHER"])],
        [(1, 1, "localizer")],
        [""],
    ),
    "one coronal reformat": (
        [ct(0, 1, ImageOrientationPatient=CORONAL, ImageType=["DERIVED", "SECONDARY", "OTHER"])],
        [(1, 1, "")],
        [""],
    ),
}


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    with Decoders() as held:
        yield held


@pytest.mark.parametrize("name", SERIES)
def test_series(tmp_path: Path, decoders: Decoders, name: str) -> None:
    objects, volumes, labels = SERIES[name]
    files = []
    for index, dataset in enumerate(objects):
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid(name, index)
        files.append(save(dataset, tmp_path))
    found = read_series(files[::-1], decoders=decoders).volumes
    told = []
    for volume in found:
        why = {f.code.value for f in (*volume.findings, *infer(volume.tags, RULES).exclusions)}
        told.append((volume.geometry.shape[0], " ".join(sorted(why))))
    assert told == [(slices, why) for count, slices, why in volumes for _ in range(count)]
    assert [volume.label for volume in found[:2]] == labels


def test_types_that_rules_exclude_part_volumes() -> None:
    """A few images of such a type among others would be scored with them, or keep them from a score."""
    rules = [rule for rule in RULES.exclusions if rule.to != "phase_image" and len(rule.when) == 1]
    words = {word for rule in rules if rule.when[0].tags == ("ImageType",) for word in rule.when[0].any}
    assert len(words) > 60
    alike = [word for word in words if not kind_of(MR_CLASS, ("DERIVED", "PRIMARY", word), "") and not made_of((word,))]
    assert alike == []


# what a header says of 12 bits, how HU are stored in them, and whether the header is right about the sign
SIGNS = [
    (1, 0, lambda hu: hu & 0xFFF, True),  # signed values, cut to 12 bits
    (1, 0, lambda hu: hu & 0xFFFF, True),  # signed values as they should be
    (1, -1024, lambda hu: hu + 1024, False),  # unsigned values, called signed
    (0, -1024, lambda hu: hu + 1024, True),  # unsigned values as they should be
    (0, 0, lambda hu: hu & 0xFFF, False),  # signed values, called unsigned
    (0, 0, lambda hu: hu & 0xFFFF, False),
]


@pytest.mark.parametrize("syntax", ["native", "rle", "jpeg-ls"])
@pytest.mark.parametrize(("signed", "intercept", "stored", "right"), SIGNS)
def test_signs_of_12_bits(
    tmp_path: Path,
    decoders: Decoders,
    signed: int,
    intercept: int,
    stored: Callable[[Any], Any],
    right: bool,
    syntax: str,
) -> None:
    away = np.hypot(*np.indices((40, 44)) - 20.0)
    hu = np.interp(away, [4, 6, 12, 16], [1900, 900, 40, -1000]).round().astype(int)
    hu[away > 15] += np.arange((away > 15).sum()) % 7
    bits = stored(hu).astype(np.uint16)
    if syntax != "native":
        bits &= 0xFFF
    dataset = ct_slice(bits, RescaleIntercept=intercept, BitsStored=12, HighBit=11)
    if syntax != "native":
        dataset.compress(RLELossless if syntax == "rle" else JPEGLSLossless)
    dataset.PixelRepresentation = signed
    (volume,) = read_series([save(dataset, tmp_path)], decoders=decoders).volumes
    np.testing.assert_array_equal(volume.voxels[0], hu)
    assert ("contradictory_tags" in [finding.code for finding in volume.findings]) is not right


@pytest.mark.parametrize("fill", [-2000, -2048, -1024])
def test_a_filling_below_air_is_no_bone(tmp_path: Path, fill: int) -> None:
    hu = np.add.outer(np.arange(24), np.arange(28)) * 40 - 1024  # up to 976
    hu[8:16, 8:12] = -1060  # a sharp kernel goes below air
    stored = (hu + 1024).astype(np.int16)
    stored[:, :3] = fill
    dataset = ct_slice(stored, BitsStored=12, HighBit=11)
    (volume,) = read_series([save(dataset, tmp_path)]).volumes
    expected = np.maximum(hu, -1024)
    expected[:, :3] = -1024
    np.testing.assert_array_equal(volume.voxels[0], expected)
    assert volume.findings == ()
