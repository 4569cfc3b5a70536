"""Headers in all their encodings, and their values laid out flat."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from qagate.assemble.headers import flatten, open_header, read_header
from qagate.assemble.series import read_series
from qagate.errors import NotDicom
from tests.unit.assemble.made import ct_slice, enhanced_mr, save

STORED = np.arange(400, dtype=np.uint16).reshape(20, 20)


@pytest.mark.parametrize(
    "syntax",
    [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian],
)
def test_encodings(tmp_path: Path, syntax: str) -> None:
    dataset = ct_slice(STORED)
    path = tmp_path / "a.dcm"
    if syntax == ExplicitVRBigEndian:
        dataset.PixelData = STORED.astype(">u2").tobytes()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.save_as(path, enforce_file_format=True)
    header = open_header(path)
    assert (header.dataset.Rows, header.transfer_syntax_uid, header.pixel_length) == (20, syntax, 800)
    (volume,) = read_series([path]).volumes
    np.testing.assert_array_equal(volume.voxels[0], STORED.astype(int) - 1024)


def test_without_preamble_and_meta(tmp_path: Path) -> None:
    dataset = ct_slice(STORED)
    del dataset.file_meta
    path = tmp_path / "bare"
    dataset.save_as(path, implicit_vr=True, little_endian=True)
    assert read_header(path).Modality == "CT"
    (volume,) = read_series([path]).volumes
    assert volume.findings == ()


@pytest.mark.parametrize("raw", [b"", b"DICM", b"\x89PNG\r\n\x1a\n" + bytes(200), b"{}" * 200, bytes(128) + b"DICM"])
def test_no_dicom(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(raw)
    with pytest.raises(NotDicom, match="got"):
        read_header(path)


def test_a_deflated_file_cannot_fill_the_memory(tmp_path: Path) -> None:
    dataset = ct_slice(STORED)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    path = save(dataset, tmp_path)
    raw = path.read_bytes()
    start = 144 + int.from_bytes(raw[140:144], "little")
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    path.write_bytes(raw[:start] + engine.compress(bytes(50 << 20)) + engine.flush())
    with pytest.raises(NotDicom, match="at most"):
        open_header(path, max_file_bytes=1 << 20)


def test_flat_values() -> None:
    dataset = ct_slice(STORED, ConvolutionKernel="B30f", KVP="120", PatientSex="", ContrastBolusAgent=None)
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "51185008", "SCT", "Thorax"
    dataset.AnatomicRegionSequence = Sequence([code])
    tags = flatten(dataset)
    assert tags["KVP"] == 120.0
    assert tags["InstanceNumber"] == 1
    assert tags["ImageType"] == ("ORIGINAL", "PRIMARY", "AXIAL")
    assert tags["PixelSpacing"] == (0.7, 0.7)
    assert tags["AnatomicRegionSequence"] == ("SCT:51185008",)
    assert tags["AnatomicRegionSequenceMeaning"] == ("Thorax",)
    assert not {"PatientSex", "ContrastBolusAgent", "PixelData"} & set(tags)


def test_functional_groups_lie_flat_and_follow_the_frame() -> None:
    dataset = enhanced_mr(np.stack([STORED] * 4), spacing_mm=2.0)
    assert flatten(dataset)["ImagePositionPatient"] == (0.0, 0.0, 0.0)
    tags = flatten(dataset, 3)
    assert tags["ImagePositionPatient"] == (0.0, 0.0, 6.0)
    assert tags["PixelSpacing"] == (1.5, 1.5)
    assert tags["EffectiveEchoTime"] == tags["EchoTime"] == 30.0


def test_character_sets(tmp_path: Path) -> None:
    dataset = ct_slice(STORED, SpecificCharacterSet=["", "ISO 2022 IR 87"], SeriesDescription="胸部")
    assert flatten(read_header(save(dataset, tmp_path)))["SeriesDescription"] == "胸部"


def test_what_switches_to_chinese_is_no_part_of_a_text(tmp_path: Path) -> None:
    dataset = ct_slice(STORED, SpecificCharacterSet=["", "ISO 2022 IR 58"], SeriesDescription="12345678")
    path = save(dataset, tmp_path)
    path.write_bytes(path.read_bytes().replace(b"12345678", b"\x1b$)A" + "胸部".encode("gb2312")))
    assert flatten(read_header(path))["SeriesDescription"] == "胸部"


def test_malformed_values_are_left_out(tmp_path: Path) -> None:
    raw = save(ct_slice(STORED, KVP="120.0", SeriesDescription="thorax"), tmp_path).read_bytes()
    path = tmp_path / "bad.dcm"
    path.write_bytes(raw.replace(b"120.0", b"12x.0"))
    tags = flatten(read_header(path))
    assert "KVP" not in tags
    assert tags["SeriesDescription"] == "thorax"
