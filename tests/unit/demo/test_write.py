from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pydicom
import pytest

from qagate.demo.write import uid, write_series
from qagate.errors import InputError

WHEN = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
RAMP = np.arange(5 * 8 * 6).reshape(5, 8, 6) - 100


class TestCt:
    def test_voxels_and_geometry_come_back(self, tmp_path: Path) -> None:
        paths = write_series(RAMP, (2.5, 0.7, 0.9), tmp_path, modality="CT", description="d", when=WHEN)
        read = [pydicom.dcmread(path) for path in paths]
        voxels = np.stack([d.pixel_array.astype(int) * int(d.RescaleSlope) + int(d.RescaleIntercept) for d in read])
        np.testing.assert_array_equal(voxels, RAMP)
        z = [float(d.ImagePositionPatient[2]) for d in read]
        assert np.diff(z) == pytest.approx([2.5] * 4)
        assert [float(v) for v in read[0].PixelSpacing] == [0.7, 0.9]
        assert [float(v) for v in read[0].ImagePositionPatient[:2]] == pytest.approx([-2.7, -2.8])  # 6*.9/2, 8*.7/2
        assert [d.InstanceNumber for d in read] == [5, 4, 3, 2, 1]  # from the head downwards
        assert len({d.SOPInstanceUID for d in read}) == 5
        assert {d.SeriesInstanceUID for d in read} == {uid("series", "0", "1", 2)}
        assert read[0].PatientName == "Demo^Patient"
        assert read[0].AcquisitionDateTime == "20260304050607.000000+0000"

    def test_same_seed_gives_the_same_bytes(self, tmp_path: Path) -> None:
        first, again, other = (
            write_series(RAMP, (1, 1, 1), tmp_path / name, modality="CT", description="d", seed=seed, when=WHEN)[0]
            for name, seed in (("a", "x"), ("b", "x"), ("c", "y"))
        )
        assert first.read_bytes() == again.read_bytes()
        assert pydicom.dcmread(first).StudyInstanceUID != pydicom.dcmread(other).StudyInstanceUID

    def test_dropped_slice_leaves_a_gap(self, tmp_path: Path) -> None:
        paths = write_series(RAMP, (3, 1, 1), tmp_path, modality="CT", description="d", drop={2})
        z = [float(pydicom.dcmread(path).ImagePositionPatient[2]) for path in paths]
        assert np.diff(z) == pytest.approx([3, 6, 3])


def test_mr_has_its_own_tags(tmp_path: Path) -> None:
    path = write_series(np.abs(RAMP), (1, 1, 1), tmp_path, modality="MR", description="T1", tags={"EchoTime": 90})[0]
    read = pydicom.dcmread(path)
    assert read.SOPClassUID == pydicom.uid.MRImageStorage
    assert (read.EchoTime, read.MagneticFieldStrength, "KVP" in read) == (90, 3, False)


@pytest.mark.parametrize(("modality", "shape"), [("US", (1, 2, 2)), ("CT", (2, 2))])
def test_what_is_no_series_is_refused(tmp_path: Path, modality: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="got"):
        write_series(np.zeros(shape), (1, 1, 1), tmp_path, modality=modality, description="d")


def test_uid_is_valid_and_stable() -> None:
    made = pydicom.uid.UID(uid("a", 1))
    assert made.is_valid
    assert made == uid("a", 1)
    assert made != uid("a", 2)
