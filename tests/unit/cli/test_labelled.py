from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qagate.cli.labelled import read
from qagate.errors import InputError
from qagate.train.pictures import read_image
from tests.unit.assemble.made import ct_slice


def test_a_dicom_file_is_a_picture_in_hu(tmp_path: Path) -> None:
    stored = np.arange(400, dtype=np.uint16).reshape(20, 20)
    ct_slice(stored).save_as(tmp_path / "one.dcm", enforce_file_format=True)
    voxels, spacing, known = read_image(tmp_path / "one.dcm", read)
    assert np.array_equal(voxels[0], stored.astype(int) - 1024)  # rescale intercept
    assert spacing[1:] == (0.7, 0.7)
    assert known


def test_what_is_no_dicom_is_said_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "one.dcm").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"one\.dcm"):
        read_image(tmp_path / "one.dcm", read)
