from __future__ import annotations

import gzip
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


NAN = float("nan")


@pytest.mark.parametrize("scaling", [(NAN, NAN), (1.0, NAN), (float("inf"), 0.0), (0.0, 5.0)])
def test_scaling_that_is_none_is_left_out(tmp_path: Path, scaling: tuple[float, float]) -> None:
    nifti(tmp_path / "a.nii", VOXELS)
    data = bytearray((tmp_path / "a.nii").read_bytes())
    struct.pack_into("<2f", data, 112, *scaling)
    (tmp_path / "a.nii").write_bytes(data)
    found = read(tmp_path / "a.nii").voxels
    assert found.dtype == np.int16
    assert np.array_equal(found, VOXELS)


@pytest.mark.parametrize("where", [NAN, float("inf")])
def test_a_place_of_the_voxels_that_is_no_number_is_behind_the_header(tmp_path: Path, where: float) -> None:
    nifti(tmp_path / "a.nii", VOXELS)
    data = bytearray((tmp_path / "a.nii").read_bytes())
    struct.pack_into("<f", data, 108, where)
    (tmp_path / "a.nii").write_bytes(data)
    assert np.array_equal(read(tmp_path / "a.nii").voxels, VOXELS)


@pytest.mark.parametrize(
    ("row", "unit", "spacing_mm"),
    [
        ((0.0,) * 12, 2, (3.0, 0.5, 0.25)),  # an sform of zeros: the sizes of voxels stand
        ((NAN,) * 12, 2, (3.0, 0.5, 0.25)),
        ((2e-3, 0, 0, 0, 0, 2e-3, 0, 0, 0, 0, 4e-3, 0), 1, (4.0, 2.0, 2.0)),  # m
        ((2e3, 0, 0, 0, 0, 2e3, 0, 0, 0, 0, 4e3, 0), 3, (4.0, 2.0, 2.0)),  # micrometres
    ],
)
def test_spacing_is_in_mm_whatever_the_header_is_like(
    tmp_path: Path, row: tuple[float, ...], unit: int, spacing_mm: tuple[float, float, float]
) -> None:
    nifti(tmp_path / "a.nii", VOXELS, (3.0, 0.5, 0.25))
    data = bytearray((tmp_path / "a.nii").read_bytes())
    struct.pack_into("<12f", data, 280, *row)
    data[123] = unit
    (tmp_path / "a.nii").write_bytes(data)
    assert read(tmp_path / "a.nii").spacing_mm == pytest.approx(spacing_mm)


def test_nifti_2_of_long_whole_numbers(tmp_path: Path) -> None:
    head = bytearray(544)
    struct.pack_into(">i", head, 0, 540)
    head[4:8] = b"n+2\0"
    struct.pack_into(">h", head, 12, 1024)
    struct.pack_into(">8q", head, 16, 3, 4, 3, 2, 1, 1, 1, 1)
    struct.pack_into(">8d", head, 104, 1, 0.25, 0.5, 3, 0, 0, 0, 0)
    struct.pack_into(">q", head, 168, 544)
    (tmp_path / "a.nii").write_bytes(bytes(head) + VOXELS.astype(">i8").tobytes())
    found = read(tmp_path / "a.nii")
    assert np.array_equal(found.voxels, VOXELS)
    assert (found.spacing_mm, found.sized) == ((3.0, 0.5, 0.25), True)


def test_a_file_that_gives_no_size_says_so(tmp_path: Path) -> None:
    nifti(tmp_path / "a.nii", VOXELS)
    data = bytearray((tmp_path / "a.nii").read_bytes())
    struct.pack_into("<3f", data, 80, 0, 0, 0)
    struct.pack_into("<2h", data, 252, 0, 0)
    (tmp_path / "a.nii").write_bytes(data)
    found = read(tmp_path / "a.nii")
    assert (found.spacing_mm, found.sized) == ((1.0, 1.0, 1.0), False)


def test_a_broken_gzip_is_refused(tmp_path: Path) -> None:
    nifti(tmp_path / "a.nii", VOXELS)
    data = bytearray(gzip.compress((tmp_path / "a.nii").read_bytes()))
    data[12:40] = b"\xff" * 28
    (tmp_path / "a.nii.gz").write_bytes(data)
    with pytest.raises(InputError, match="got"):
        read(tmp_path / "a.nii.gz")
