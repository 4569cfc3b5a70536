"""NIfTI files, against nibabel and by hand."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from qagate.assemble.nifti import read_nifti
from qagate.errors import InputError, QagateError, TooLarge, UnreadablePixels

nib = pytest.importorskip("nibabel")

AFFINE = np.array([[-0.8, 0.0, 0.0, 90.0], [0.0, 0.9, 0.0, -120.0], [0.0, 0.0, 3.0, -40.0], [0.0, 0.0, 0.0, 1.0]])


def values(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return (np.arange(np.prod(shape)).reshape(shape) % 120).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64"])
@pytest.mark.parametrize("kind", ["Nifti1Image", "Nifti2Image"])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_every_voxel_keeps_its_place(tmp_path: Path, dtype: str, kind: str, suffix: str) -> None:
    data = values((5, 6, 7), dtype)
    path = tmp_path / f"a{suffix}"
    nib.save(getattr(nib, kind)(data, AFFINE), path)
    (volume,) = read_nifti(path).volumes
    assert volume.voxels.shape == volume.geometry.shape == (7, 6, 5)
    assert volume.voxels.dtype == np.int16
    assert volume.geometry.spacing_mm == pytest.approx((3.0, 0.9, 0.8))
    ras = np.diag([-1, -1, 1, 1]) @ np.array(volume.geometry.affine_lps)
    back = np.linalg.inv(AFFINE) @ ras
    for k, j, i in np.ndindex(7, 6, 5):
        x, y, z = np.rint((back @ (i, j, k, 1))[:3]).astype(int)
        assert volume.voxels[k, j, i] == data[x, y, z]
    # as pictures are hung: columns to the patient's left, rows to the back, slices to the head
    assert np.array(volume.geometry.affine_lps)[:3, :3].diagonal() == pytest.approx((0.8, 0.9, 3.0))


def test_four_dimensions_scaling_and_nan(tmp_path: Path) -> None:
    path = tmp_path / "b.nii.gz"
    data = values((4, 4, 3, 2), "float32") / 7
    data[0, 0, 0, 0] = np.nan
    nib.save(nib.Nifti1Image(data, np.eye(4)), path)
    found = read_nifti(path)
    assert [v.label for v in found.volumes] == ["time point 1", "time point 2"]
    assert [f.code.value for f in found.volumes[0].findings] == ["contradictory_tags"]
    assert np.isfinite(found.volumes[0].voxels).all()
    assert found.volumes[1].voxels.dtype == np.float32


def test_what_was_filled_is_told(tmp_path: Path) -> None:
    data = np.abs(values((20, 24, 3), "int16"))
    data[:4] = -32768
    nib.save(nib.Nifti1Image(data, np.eye(4)), tmp_path / "e.nii")
    (volume,) = read_nifti(tmp_path / "e.nii").volumes
    assert volume.voxels.min() == 0
    assert volume.voxels.max() == data.max()
    assert [finding.detail[-6:] for finding in volume.findings] == ["-32768"]


def test_one_slice(tmp_path: Path) -> None:
    path = tmp_path / "c.nii"
    nib.save(nib.Nifti1Image(values((8, 9), "int16"), np.eye(4)), path)
    (volume,) = read_nifti(path).volumes
    assert volume.voxels.shape == (1, 9, 8)


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    path = tmp_path / "d.nii"
    for raw in (b"", b"not nifti" * 100, gzip.compress(b"x" * 1000)):
        path.write_bytes(raw)
        with pytest.raises(InputError):
            read_nifti(path)
    with pytest.raises(InputError):
        read_nifti(tmp_path / "absent.nii")
    nib.save(nib.Nifti1Image(values((5, 6, 7), "int16"), AFFINE), path)
    with pytest.raises(TooLarge):
        read_nifti(path, max_bytes=100)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(UnreadablePixels):
        read_nifti(path)


def test_mutated_headers_raise_only_our_errors(tmp_path: Path) -> None:
    path = tmp_path / "e.nii"
    nib.save(nib.Nifti1Image(values((5, 6, 7), "int16"), AFFINE), path)
    whole = path.read_bytes()
    rng = np.random.default_rng(5)
    for _ in range(300):
        raw = bytearray(whole)
        for at in rng.integers(0, 352, 6):
            raw[at] = int(rng.integers(0, 256))
        path.write_bytes(raw)
        try:
            read_nifti(path, max_bytes=1 << 24)
        except QagateError:
            continue
