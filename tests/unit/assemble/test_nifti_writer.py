from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest

from qagate.assemble.nifti import read_nifti
from qagate.assemble.nifti_writer import header, write_nifti

# columns run to the patient's left (+x in LPS, -x in RAS), rows to the back (+y, -y), slices to the head (+z, +z)
AFFINE = ((0.5, 0.0, 0.0, -10.0), (0.0, 0.6, 0.0, -20.0), (0.0, 0.0, 3.0, 30.0), (0.0, 0.0, 0.0, 1.0))
SPACING = (3.0, 0.6, 0.5)


def test_header_turns_patient_axes_to_ras():
    raw = header((7, 9, 11), np.int16, SPACING, AFFINE)
    assert len(raw) == 352
    assert struct.unpack_from("<8h", raw, 40) == (3, 11, 9, 7, 1, 1, 1, 1)
    assert struct.unpack_from("<12f", raw, 280) == pytest.approx((-0.5, 0, 0, 10, 0, -0.6, 0, 20, 0, 0, 3, 30))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_read_back(tmp_path, dtype):
    voxels = (np.arange(7 * 9 * 11) % 200).reshape(7, 9, 11).astype(dtype)
    write_nifti(tmp_path / "v.nii.gz", voxels, SPACING, AFFINE)
    back = read_nifti(tmp_path / "v.nii.gz").volumes[0]
    np.testing.assert_array_equal(back.voxels, voxels)
    np.testing.assert_allclose(back.geometry.affine_lps, AFFINE, atol=1e-5)
    assert [path.name for path in tmp_path.iterdir()] == ["v.nii.gz"]  # nothing half-written is left


def test_what_is_no_number_becomes_one(tmp_path):
    write_nifti(tmp_path / "v.nii.gz", np.full((2, 8, 8), np.nan, np.float64), SPACING, AFFINE)
    raw = gzip.decompress((tmp_path / "v.nii.gz").read_bytes())
    assert np.isfinite(np.frombuffer(raw[352:], "<f4")).all()
