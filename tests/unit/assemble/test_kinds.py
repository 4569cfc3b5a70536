"""Kinds of objects of which there are no real ones at hand, made with other people's tools where there are any."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_sequence_item
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEGBaseline8Bit, generate_uid

from qagate.assemble.child import Decoders
from qagate.assemble.jpeg_extended import decode_extended
from qagate.assemble.series import read_series
from qagate.assemble.values import MALFORMED
from qagate.domain.volume import Volume
from qagate.errors import UnreadablePixels
from tests.unit.assemble.made import ct_slice, enhanced_mr, mr_slice, save, uid

SMOOTH = np.add.outer(np.arange(64), np.arange(64) * 2) * 20  # 0 to 3780, no edges: what JPEG keeps well


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    with Decoders() as held:
        yield held


def codes(volume: Volume) -> list[str]:
    return [finding.code.value for finding in volume.findings]


# Encodings


@pytest.mark.skipif(shutil.which("dcmcjpeg") is None, reason="dcmtk is not installed")
@pytest.mark.parametrize(
    ("option", "stored", "bits", "worst"),
    [
        ("+e1", SMOOTH.astype(np.uint16), 12, 0),  # lossless, any selection value
        ("+el", SMOOTH.astype(np.uint16), 12, 0),  # lossless, selection value 6
        ("+ee", SMOOTH.astype(np.uint16), 12, 40),  # extended, 12 bits: 1 % of the range
        ("+eb", (SMOOTH // 16).astype(np.uint8), 8, 6),  # baseline, 8 bits
    ],
)
def test_jpeg(tmp_path: Path, decoders: Decoders, option: str, stored: Any, bits: int, worst: int) -> None:
    plain = save(mr_slice(stored, BitsStored=bits, HighBit=bits - 1), tmp_path, "plain.dcm")
    packed = tmp_path / "jpeg.dcm"
    done = subprocess.run(["dcmcjpeg", option, plain, packed], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (volume,) = read_series([packed], decoders=decoders).volumes
    assert codes(volume) == ([] if worst == 0 else ["lossy_compression"])
    assert np.abs(volume.voxels[0].astype(int) - stored).max() <= worst


def test_deflated(tmp_path: Path) -> None:
    dataset = ct_slice(SMOOTH.astype(np.uint16))
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    (volume,) = read_series([save(dataset, tmp_path)]).volumes
    np.testing.assert_array_equal(volume.voxels[0], SMOOTH - 1024)


def test_one_corrupt_frame_of_many_costs_that_slice(tmp_path: Path, decoders: Decoders) -> None:
    from io import BytesIO

    from PIL import Image

    pixels = np.stack([(SMOOTH // 16 + i).astype(np.uint8) for i in range(5)])
    dataset = enhanced_mr(pixels, spacing_mm=3.0)
    coded = []
    for frame in pixels:
        buffer = BytesIO()
        Image.fromarray(frame).save(buffer, "JPEG", quality=100)
        coded.append(buffer.getvalue())
    coded[3] = coded[3][:60] + bytes(len(coded[3]) - 60)
    dataset.PixelData = encapsulate(coded)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    (volume,) = read_series([save(dataset, tmp_path)], decoders=decoders).volumes
    assert volume.valid is not None
    assert volume.valid.tolist() == [True, True, True, False, True]
    assert codes(volume) == ["lossy_compression", "unreadable_slice"]
    assert np.abs(volume.voxels[4].astype(int) - pixels[4]).max() <= 3


# Multi-frame objects


@pytest.mark.parametrize("kind", ["CT", "MR"])
def test_legacy_converted(tmp_path: Path, kind: str) -> None:
    """Legacy Converted Enhanced objects as highdicom makes them from classic ones."""
    from highdicom import legacy

    make: Any = ct_slice if kind == "CT" else mr_slice
    frames = []
    for index in range(4):
        one = make(
            (SMOOTH + index).astype(np.uint16), (0.0, 0.0, 2.0 * index), index + 1, SOPInstanceUID=uid(kind, index)
        )
        one.StudyID, one.StudyDate, one.StudyTime, one.AccessionNumber = "1", "20200101", "101010", "1"
        one.PatientBirthDate, one.PatientSex, one.ReferringPhysicianName = "19700101", "O", ""
        one.SeriesNumber, one.AcquisitionNumber, one.PositionReferenceIndicator = 1, 1, ""
        one.Manufacturer, one.ContentDate, one.ContentTime = "Made", "20200101", f"10101{index}"
        one.AcquisitionDate, one.AcquisitionTime = "20200101", "101010"
        one.SliceThickness = 2.0
        if kind == "MR":
            one.RescaleSlope, one.RescaleIntercept, one.RescaleType = 1, 0, "US"
        frames.append(one)
    classes = {"CT": legacy.LegacyConvertedEnhancedCTImage, "MR": legacy.LegacyConvertedEnhancedMRImage}
    converted = classes[kind](frames, generate_uid(), 1, generate_uid(), 1)
    (volume,) = read_series([save(converted, tmp_path)]).volumes
    assert volume.geometry.spacing_mm[0] == pytest.approx(2.0)
    assert codes(volume) == []
    np.testing.assert_array_equal(volume.voxels[3], SMOOTH + 3 - (1024 if kind == "CT" else 0))
    assert volume.tags["Modality"] == kind


def test_each_frame_has_a_transformation_of_its_own(tmp_path: Path) -> None:
    dataset = enhanced_mr(np.stack([SMOOTH.astype(np.uint16) // 8] * 3), spacing_mm=3.0)
    for index, group in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        item = Dataset()
        item.RescaleSlope, item.RescaleIntercept, item.RescaleType = index + 1, 10 * index, "US"
        group.PixelValueTransformationSequence = Sequence([item])
    (volume,) = read_series([save(dataset, tmp_path)]).volumes
    for index in range(3):
        np.testing.assert_array_equal(volume.voxels[index], (SMOOTH // 8) * (index + 1) + 10 * index)


def test_philips_rescales_every_slice_differently(tmp_path: Path) -> None:
    """Rescale Slope and Intercept make displayed values comparable; its private scale slope is left alone."""
    files = []
    for index in range(3):
        dataset = mr_slice(
            (SMOOTH // 4).astype(np.uint16),
            (0.0, 0.0, 3.0 * index),
            index + 1,
            SOPInstanceUID=uid("philips", index),
            Manufacturer="Philips Medical Systems",
            RescaleSlope=round(0.5 + 0.25 * index, 2),
            RescaleIntercept=0,
        )
        block = dataset.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
        block.add_new(0x0E, "FL", 0.0047)
        files.append(save(dataset, tmp_path))
    (volume,) = read_series(files).volumes
    for index in range(3):
        np.testing.assert_allclose(volume.voxels[index], (SMOOTH // 4) * (0.5 + 0.25 * index), rtol=1e-6)


# Vendors' habits


def test_uih_says_its_b_value_in_private(tmp_path: Path) -> None:
    files = []
    for index in range(8):
        dataset = mr_slice(
            SMOOTH.astype(np.uint16), (0.0, 0.0, 3.0 * (index % 4)), index + 1, SOPInstanceUID=uid("uih", index),
            Manufacturer="UIH",
        )  # fmt: skip
        block = dataset.private_block(0x0065, "Image Private Header", create=True)
        block.add_new(0x09, "FD", 0.0 if index < 4 else 1000.0)
        files.append(save(dataset, tmp_path))
    volumes = read_series(files).volumes
    assert [v.label for v in volumes] == ["b 0", "b 1000"]
    assert [v.geometry.shape[0] for v in volumes] == [4, 4]


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ({"Manufacturer": "Hitachi", "SpacingBetweenSlices": 3.5, "SliceThickness": 3.0}, []),
        ({"Manufacturer": "TOSHIBA_MEC", "SpacingBetweenSlices": 0.5, "SliceThickness": 3.0}, []),  # the gap alone
        ({"Manufacturer": "CANON_MEC", "SpacingBetweenSlices": -3.5, "SliceThickness": 3.0}, []),
        ({"Manufacturer": "SIEMENS", "SpacingBetweenSlices": 7.0, "SliceThickness": 3.0}, ["contradictory_tags"]),
        ({"Manufacturer": "SIEMENS", "SpacingBetweenSlices": None, "SliceThickness": 3.0}, []),
    ],
)
def test_spacing_between_slices(tmp_path: Path, attributes: dict[str, Any], code: list[str]) -> None:
    files = [
        save(
            mr_slice(SMOOTH.astype(np.uint16), (0, 0, 3.5 * i), i, SOPInstanceUID=uid("sbs", i), **attributes), tmp_path
        )
        for i in range(4)
    ]
    (volume,) = read_series(files).volumes
    assert codes(volume) == code
    assert volume.geometry.spacing_mm[0] == pytest.approx(3.5)


@pytest.mark.parametrize(
    ("attributes", "dtype", "why"),
    [
        ({}, np.uint16, None),
        ({"RescaleIntercept": None, "RescaleSlope": None, "RescaleType": None}, np.uint16, "no Rescale Intercept"),
        ({"RescaleIntercept": 0}, np.uint16, "unsigned"),
        ({"RescaleIntercept": 0}, np.int16, None),  # air at -1000 as stored
        ({"RescaleType": "US"}, np.uint16, "says US"),
        ({"RescaleType": None}, np.uint16, None),  # optional in CT, HU by default
        ({"RescaleType": "HU_MOD"}, np.uint16, None),
        ({"RescaleSlope": "1e30"}, np.uint16, "Slope says 1e+30"),
    ],
)
def test_values_that_nothing_proves_to_be_hounsfield_units(
    tmp_path: Path, attributes: dict[str, Any], dtype: Any, why: str | None
) -> None:
    (volume,) = read_series([save(ct_slice(SMOOTH.astype(dtype), **attributes), tmp_path)]).volumes
    assert codes(volume) == (["hu_unproven"] if why else [])
    assert why is None or why in volume.findings[0].detail
    assert volume.unscorable == ()


def test_images_of_one_ct_that_are_a_thousand_hounsfield_units_apart(tmp_path: Path) -> None:
    files = [
        save(ct_slice(SMOOTH.astype(np.uint16), (0, 0, i), i, RescaleIntercept=at, SOPInstanceUID=uid(i)), tmp_path)
        for i, at in enumerate([-1024, -1024, 0, -1024])
    ]
    (volume,) = read_series(files).volumes
    (finding,) = (finding for finding in volume.findings if finding.code.value == "hu_unproven")
    assert "0 or more in 1 of 4 images, and -1024 in others" in finding.detail


def grid(tiles: int, across: int, *, items: int | None = None, implicit: bool = False) -> Dataset:
    """Return a picture as UIH tiles it: 3 mm between slices, each tile with its number as brightness."""
    picture = np.zeros((across * 16, across * 16), np.uint16)
    for index in range(tiles):
        row, column = divmod(index, across)
        picture[row * 16 : row * 16 + 16, column * 16 : column * 16 + 16] = 100 * (index + 1)
    picture[0, 0] += 1  # a tile of one value would be called empty
    dataset = mr_slice(
        picture, (-50.0, -50.0, 0.0), ImageType=["ORIGINAL", "PRIMARY", "M", "VFRAME"], Manufacturer="UIH",
        AcquisitionMatrix=[16, 0, 0, 16],
    )  # fmt: skip
    block = dataset.private_block(0x0065, "Image Private Header", create=True)
    block.add_new(0x50, "DS", str(tiles))
    places = [Dataset() for _ in range(tiles if items is None else items)]
    for index, place in enumerate(places):
        place.ImagePositionPatient = [-50.0, -40.0, 3.0 * index]
    if implicit:
        inner = DicomBytesIO()
        inner.is_implicit_VR, inner.is_little_endian = True, True
        for place in places:
            write_sequence_item(inner, place, ["iso8859"])
        block.add_new(0x51, "UN", inner.getvalue())
    else:
        block.add_new(0x51, "SQ", Sequence(places))
    return dataset


@pytest.mark.parametrize("implicit", [False, True])
def test_uih_tiles_are_split(tmp_path: Path, implicit: bool) -> None:
    (volume,) = read_series([save(grid(7, 3, implicit=implicit), tmp_path)]).volumes  # 7 tiles: 3 x 3, two left empty
    assert codes(volume) == []
    assert volume.geometry.shape == (7, 16, 16)
    assert volume.geometry.spacing_mm[0] == pytest.approx(3.0)
    assert [int(one.max()) // 100 for one in volume.voxels] == [1, 2, 3, 4, 5, 6, 7]
    np.testing.assert_allclose(np.array(volume.geometry.affine_lps)[:3, 3], (-50.0, -40.0, 0.0))


def unsplit(dataset: Dataset, **attributes: Any) -> Dataset:
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        (grid(7, 3, items=5), ["no_geometry"]),  # 7 tiles, 5 places
        (
            unsplit(mr_slice(SMOOTH.astype(np.uint16)), ImageType=["ORIGINAL", "PRIMARY", "M", "VFRAME"]),
            ["no_geometry"],
        ),
        (
            unsplit(mr_slice(SMOOTH.astype(np.uint16)), ImageType=["ORIGINAL", "PRIMARY", "M", "MOSAIC"]),
            ["no_geometry"],
        ),
        # split by somebody else, who left Image Type as it was: 64 x 64 as acquired
        (
            unsplit(
                mr_slice(SMOOTH.astype(np.uint16)),
                ImageType=["ORIGINAL", "PRIMARY", "M", "MOSAIC"],
                AcquisitionMatrix=[64, 0, 0, 64],
            ),
            [],
        ),
    ],
)
def test_a_mosaic_that_cannot_be_split_is_not_scored(tmp_path: Path, dataset: Dataset, expected: list[str]) -> None:
    (volume,) = read_series([save(dataset, tmp_path)]).volumes
    assert codes(volume) == expected
    assert [f.code.value for f in volume.findings if f.unscorable] == expected
    assert not expected or "tiled into one picture" in volume.findings[0].detail


@pytest.mark.skipif(shutil.which("dcmcjpeg") is None, reason="dcmtk is not installed")
def test_jpeg_with_12_bits_equals_what_dcmtk_decodes(tmp_path: Path) -> None:
    from pydicom import dcmread

    rng = np.random.default_rng(0)
    stored = np.clip(np.add.outer(np.arange(100), np.arange(107)) * 18 + rng.normal(0, 20, (100, 107)), 0, 4095)
    plain = save(mr_slice(stored.astype(np.uint16), BitsStored=12, HighBit=11), tmp_path, "plain.dcm")
    subprocess.run(["dcmcjpeg", "+ee", plain, tmp_path / "packed.dcm"], check=True)
    subprocess.run(["dcmdjpeg", tmp_path / "packed.dcm", tmp_path / "theirs.dcm"], check=True)
    theirs = dcmread(tmp_path / "theirs.dcm").pixel_array.astype(int)
    code = next(generate_frames(dcmread(tmp_path / "packed.dcm").PixelData, number_of_frames=1))
    assert np.abs(decode_extended(code).astype(int) - theirs).max() <= 1  # their cosines are whole numbers
    for seed in range(100):
        broken = bytearray(code)
        for at in np.random.default_rng(seed).integers(2, len(code), 5):
            broken[at] ^= 1 << (seed % 8)
        with contextlib.suppress(UnreadablePixels, *MALFORMED):
            decode_extended(bytes(broken[: len(code) - seed * 7]))
