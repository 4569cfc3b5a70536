from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qagate.cli.labelled import read
from qagate.errors import InputError
from qagate.train.pictures import pictures, read_index, read_volume
from tests.unit.assemble.made import ct_slice, mr_slice


def test_a_dicom_file_is_a_picture_in_hu(tmp_path: Path) -> None:
    stored = np.arange(400, dtype=np.uint16).reshape(20, 20)
    ct_slice(stored).save_as(tmp_path / "one.dcm", enforce_file_format=True)
    found = read_volume(tmp_path / "one.dcm", read)
    assert np.array_equal(found.voxels[0], stored.astype(int) - 1024)  # rescale intercept
    assert found.geometry.spacing_mm[1:] == (0.7, 0.7)
    assert found.geometry.known


def test_what_is_not_known_of_a_dicom_file_stays_so(tmp_path: Path) -> None:
    stored = np.arange(400, dtype=np.uint16).reshape(20, 20)
    one = ct_slice(stored)
    del one.ImagePositionPatient, one.ImageOrientationPatient, one.PixelSpacing
    one.save_as(tmp_path / "one.dcm", enforce_file_format=True)
    assert not read_volume(tmp_path / "one.dcm", read).geometry.known


def test_slices_that_could_not_be_read_are_not_judged(tmp_path: Path) -> None:
    stored = np.arange(400, dtype=np.uint16).reshape(20, 20)
    for number in range(3):
        one = ct_slice(stored, (0.0, 0.0, 2.0 * number), number)
        if number == 1:
            one.PixelData = one.PixelData[:7]
        one.save_as(tmp_path / f"{number}.dcm", enforce_file_format=True)
    (tmp_path / "notes.txt").write_text("what was scanned")
    found = read_volume(tmp_path, read)
    assert found.valid is not None
    assert found.valid.tolist() == [True, False, True]


def test_a_row_that_says_no_modality_has_that_of_the_file(tmp_path: Path) -> None:
    phase = (np.arange(400, dtype=np.int16).reshape(20, 20) - 200) * 20  # below -200, as air in CT
    mr_slice(phase).save_as(tmp_path / "one.dcm", enforce_file_format=True)
    (tmp_path / "labels.csv").write_text("path,score,modality\none.dcm,1,\none.dcm,1,CT\n")
    rows, problems = read_index(tmp_path / "labels.csv")
    assert [p.prompt.modality for p in pictures(rows, problems, read)] == ["MR", "CT"]


def test_of_several_volumes_the_largest_is_read_and_that_is_said(tmp_path: Path) -> None:
    stored = np.arange(400, dtype=np.uint16).reshape(20, 20)
    (tmp_path / "series").mkdir()
    for number, echo in enumerate((10, 20, 20)):
        one = mr_slice(stored, (0.0, 0.0, 3.0 * number), number, EchoTime=echo, SeriesInstanceUID=f"1.2.{echo}")
        one.save_as(tmp_path / "series" / f"{number}.dcm", enforce_file_format=True)
    (tmp_path / "labels.csv").write_text("path,score\nseries,1\n")
    rows, problems = read_index(tmp_path / "labels.csv")
    (found,) = pictures(rows, problems, read)
    assert len(found.volume.voxels) == 2
    assert problems == [f"line 2: {tmp_path / 'series'}: 2 volumes are there, of which the largest was read"]


def test_what_is_no_dicom_is_said_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "one.dcm").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"one\.dcm"):
        read_volume(tmp_path / "one.dcm", read)
