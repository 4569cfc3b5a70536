from __future__ import annotations

import os

import numpy as np
import pytest

from qagate.assemble.nifti import read_nifti
from qagate.assemble.series import read_series
from qagate.work import volumes
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
