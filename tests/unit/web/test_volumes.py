from __future__ import annotations

import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest

from qagate.assemble.nifti import read_nifti
from qagate.assemble.series import read_series
from qagate.web import volumes
from tests.unit.web.conftest import uid_of


def test_volume_is_the_series_in_its_place(site, tmp_path):
    answer = site.client.get(f"/api/v1/series/{uid_of('look')}/volume/0.nii.gz")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/gzip"
    path = tmp_path / "v.nii.gz"
    path.write_bytes(answer.content)
    back = read_nifti(path).volumes[0]
    was = read_series(sorted((site.settings.spool_dir / "look").iterdir())).volumes[0]
    np.testing.assert_array_equal(back.voxels, was.voxels)
    np.testing.assert_allclose(back.geometry.affine_lps, was.geometry.affine_lps, atol=1e-4)


def test_header_turns_patient_axes_to_ras():
    # columns run to the patient's left (+x in LPS, -x in RAS), rows to the back (+y, -y), slices to the head (+z, +z)
    affine = ((0.5, 0.0, 0.0, -10.0), (0.0, 0.6, 0.0, -20.0), (0.0, 0.0, 3.0, 30.0), (0.0, 0.0, 0.0, 1.0))
    raw = volumes.header((7, 9, 11), np.int16, (3.0, 0.6, 0.5), affine)
    assert len(raw) == 352
    assert struct.unpack_from("<8h", raw, 40) == (3, 11, 9, 7, 1, 1, 1, 1)
    assert struct.unpack_from("<12f", raw, 280) == pytest.approx((-0.5, 0, 0, 10, 0, -0.6, 0, 20, 0, 0, 3, 30))


def test_second_time_nothing_is_rebuilt(site, monkeypatch):
    first = volumes.volume_file(site.settings, site.database, uid_of("look"), 0)
    monkeypatch.setattr(volumes, "read_series", None)
    assert volumes.volume_file(site.settings, site.database, uid_of("look"), 0) == first


@pytest.mark.parametrize(("name", "index"), [("good", 0), ("open", 0), ("look", 5)])  # images gone; not judged; no such
def test_no_volume(site, name, index):
    assert volumes.volume_file(site.settings, site.database, uid_of(name), index) is None


def test_the_longest_unseen_goes_first(tmp_path):
    for age, name in enumerate(("a", "b", "c")):
        path = tmp_path / f"{name}.nii.gz"
        path.write_bytes(b"x" * 10)
        os.utime(path, (1000 - age, 1000 - age))
    volumes.trim(tmp_path, 20, keep=tmp_path / "a.nii.gz")
    assert sorted(p.name[0] for p in tmp_path.iterdir()) == ["a", "b"]
    volumes.trim(tmp_path, 0, keep=tmp_path / "a.nii.gz")  # what is being looked at stays
    assert [p.name[0] for p in tmp_path.iterdir()] == ["a"]


def test_float_voxels_without_numbers_become_numbers(tmp_path, site):
    from dataclasses import replace

    was = read_series(sorted((site.settings.spool_dir / "look").iterdir())).volumes[0]
    odd = was.voxels.astype(np.float32)
    odd[0, 0, 0] = np.nan
    volumes.write_nifti(tmp_path / "f.nii.gz", replace(was, voxels=odd))
    raw = gzip.decompress(Path(tmp_path / "f.nii.gz").read_bytes())
    assert np.isfinite(np.frombuffer(raw[352:], "<f4")).all()
