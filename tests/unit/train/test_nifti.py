from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from qagate.errors import InputError
from qagate.train.nifti import read

from .volumes import nifti

VOXELS = np.arange(2 * 3 * 4, dtype=np.int16).reshape(2, 3, 4)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_voxels_spacing_and_plane(tmp_path: Path, name: str) -> None:
    nifti(tmp_path / name, VOXELS, (5.0, 0.5, 0.25))
    found = read(tmp_path / name)
    assert found.voxels.dtype == np.int16
    assert np.array_equal(found.voxels, VOXELS)
    assert found.spacing_mm == pytest.approx((5.0, 0.5, 0.25))
    assert found.plane == "axial"
    assert found.affine[:3, 3].tolist() == [5, 6, 7]


@pytest.mark.parametrize("kind", [np.float32, np.uint8])
def test_other_numbers_become_float32(tmp_path: Path, kind: type) -> None:
    nifti(tmp_path / "a.nii", VOXELS.astype(kind))
    found = read(tmp_path / "a.nii").voxels
    assert found.dtype == np.float32
    assert np.array_equal(found, VOXELS)


def test_slope_is_applied(tmp_path: Path) -> None:
    nifti(tmp_path / "a.nii", VOXELS, slope=0.5)
    assert np.array_equal(read(tmp_path / "a.nii").voxels, VOXELS * 0.5)


def test_qform_when_there_is_no_sform(tmp_path: Path) -> None:
    path = tmp_path / "a.nii"
    nifti(path, VOXELS, (3.0, 1.0, 1.0))
    data = bytearray(path.read_bytes())
    struct.pack_into("<2h", data, 252, 1, 0)
    # half a turn about the axis (1, 0, 1) / sqrt 2 takes the slice axis to left-right
    struct.pack_into("<6f", data, 256, 0.5**0.5, 0.0, 0.5**0.5, 0.0, 0.0, 0.0)
    path.write_bytes(bytes(data))
    found = read(path)
    assert found.plane == "sagittal"
    assert found.spacing_mm == pytest.approx((3.0, 1.0, 1.0))


@pytest.mark.parametrize("data", [b"", b"\x1f\x8bxx", b"x" * 400, b"\x5c\x01\0\0" + bytes(400)])
def test_what_is_no_nifti_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.nii").write_bytes(data)
    with pytest.raises(InputError, match="got"):
        read(tmp_path / "a.nii")


def test_a_short_file_is_refused(tmp_path: Path) -> None:
    nifti(tmp_path / "a.nii", VOXELS)
    (tmp_path / "a.nii").write_bytes((tmp_path / "a.nii").read_bytes()[:-2])
    with pytest.raises(InputError, match="must hold 24 voxels, got 23"):
        read(tmp_path / "a.nii")
