"""Every volume of the development data lies where other tools put it.

Two witnesses, each with its own reading of the standard. dcm2niix converts a whole folder: the voxels that it puts at a
place in the patient must be those that we put there (its RAS turned into LPS; it also turns axes round, which does not
matter here). SimpleITK reads single objects: each slice must lie where its own header puts it. Where one of them
cannot say, or says something else on purpose, the tables say why.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from qagate.assemble.child import Decoders
from qagate.assemble.folder import find_series
from qagate.assemble.series import read_series
from qagate.domain.volume import SeriesVolumes, Volume
from tests.unit.assemble.expected_series import FOLDERS

Array = npt.NDArray[Any]
RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
NEAR = 2e-3
"""Voxels of ours and of theirs may lie apart by this share of a voxel; positions are written with 4 to 7 digits."""

# (folder, end of the series' UID) → why dcm2niix says nothing to compare with, or something else.
NOT_WITH_DCM2NIIX = {
    # its images are sheared back upright, with the spacing of the first step; the slices are looked at one by one below
    ("ct_head_ge_tilt_varspacing", "14813892"): "gantry tilt: resampled to upright slices",
    ("edge_pydicom_ctmr", "03340146"): "lossy JPEG 2000: this build converts nothing",
    # 40 images without weighting and 12 with it, which it cuts into two stacks of 26 by order of Instance Number
    ("mr_dti_canon", "34.10001"): "an incomplete diffusion series, cut in the middle",
    ("mr_enh_color_fa_xa30", "15.0.0.0"): "colour: three values for each voxel; its place is compared below",
    ("mr_frag_jpegll", "00000296"): "frames in several fragments: it converts nothing",
    ("mr_sc_rgb_in_mr", "59515224"): "colour: three values for each voxel; its place is compared below",
}
# Where slices are missing, it numbers the rest without a hole (and writes a second, interpolated image, *_Eq_1):
# by number of the slice its voxels are ours, and the places of ours are looked at below.


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    with Decoders() as held:
        yield held


def series_of(development_data: Path, name: str, decoders: Decoders) -> Iterator[tuple[str, list[Path], SeriesVolumes]]:
    found = find_series([development_data / "dicom" / "series" / name])
    for (_, files), expected in zip(found, FOLDERS[name], strict=True):
        yield expected.uid, files, read_series(files, decoders=decoders)


@pytest.mark.skipif(shutil.which("dcm2niix") is None, reason="dcm2niix is not installed")
@pytest.mark.parametrize("name", sorted(name for name in FOLDERS if any(one.volumes for one in FOLDERS[name])))
def test_voxels_lie_where_dcm2niix_puts_them(
    development_data: Path, tmp_path: Path, decoders: Decoders, name: str
) -> None:
    folder = development_data / "dicom" / "series" / name
    subprocess.run(["dcm2niix", "-b", "n", "-z", "n", "-o", tmp_path, folder], check=False, capture_output=True)
    images = [image for path in sorted(tmp_path.glob("*.nii")) if (image := nifti(path)) is not None]
    for uid, _, series in series_of(development_data, name, decoders):
        agreed = [any(same_places(volume, *image) for image in images) for volume in series.volumes]
        if (name, uid) in NOT_WITH_DCM2NIIX:
            assert not any(agreed), "they agree now: take it out of the table"
        else:
            assert all(agreed), (name, uid, agreed)


def nifti(path: Path) -> tuple[Array, Array] | None:
    """Return (4 x 4 matrix to LPS mm, voxels with four axes); None for colour."""
    import nibabel

    image = nibabel.load(path)
    voxels = np.asarray(image.dataobj)
    if voxels.dtype.names:
        return None
    voxels = voxels[:, :, None] if voxels.ndim == 2 else voxels
    return RAS_TO_LPS @ image.affine, voxels.reshape(*voxels.shape[:3], -1).astype(np.float64)


def same_places(ours: Volume, affine: Array, theirs: Array) -> bool:
    """Return whether every voxel of ours lies on a voxel of theirs and has its value, at one of their time points."""
    slices, rows, columns = ours.voxels.shape
    between = np.linalg.inv(affine) @ np.array(ours.geometry.affine_lps)
    k, j, i = np.meshgrid(np.arange(slices), np.arange(rows), np.arange(columns), indexing="ij")
    at = np.stack([i, j, k]).reshape(3, -1)
    exact = between[:3, :3] @ at + between[:3, 3:]
    index = np.rint(exact).astype(int)
    if np.abs(exact - index).max() > NEAR * 10 or (index < 0).any() or (theirs.shape[:3] <= index.T).any():
        return False
    found = theirs[index[0], index[1], index[2]]  # (voxels, time points)
    if ours.tags.get("Modality") == "CT":
        found = np.maximum(found, -1024)  # we keep nothing below air
    return bool((found == ours.voxels.reshape(-1, 1)).all(axis=0).any())


# (folder, end of the series' UID) → why slices are not compared one by one with what SimpleITK reads.
NOT_WITH_SIMPLEITK = {
    ("mr_mosaic_siemens", "66.0.0.0"): "it knows no mosaic; dcm2niix does, see above",
}
IRREGULAR = {
    # A matrix has one step: it is that of the first ten slices, 4.00 mm; the eleventh lies 1.08 mm on, so 3.08 mm off.
    ("ct_head_ge_tilt_varspacing", "14813892"): 3.1,
}


@pytest.mark.parametrize("name", sorted(name for name in FOLDERS if any(one.volumes for one in FOLDERS[name])))
def test_slices_lie_where_simpleitk_puts_them(development_data: Path, decoders: Decoders, name: str) -> None:
    pytest.importorskip("SimpleITK")
    for uid, files, series in series_of(development_data, name, decoders):
        if (name, uid) in NOT_WITH_SIMPLEITK:
            continue
        places = {found[0]: found[1] for file in files if (found := corner_of(file)) is not None}
        compared = 0
        for volume in series.volumes:
            missing = volume.geometry.missing_positions
            gap_free = [i for i in range(len(volume.slices) + len(missing)) if i not in missing]
            affine = np.array(volume.geometry.affine_lps)
            for slot, one in zip(gap_free, volume.slices, strict=True):
                if one.sop_instance_uid not in places or not volume.geometry.known:
                    continue
                step, theirs = places[one.sop_instance_uid]
                if one.frame_number is not None:
                    theirs = theirs @ moved(one.frame_number - 1 if len(volume.slices) > 1 else 0)
                ours = affine @ moved(slot)
                away = np.linalg.norm(ours[:3, 3] - theirs[:3, 3])
                assert away < IRREGULAR.get((name, uid), 0.02), (name, uid, slot, away)
                np.testing.assert_allclose(ours[:3, :2], theirs[:3, :2], atol=2e-4)
                compared += 1
                assert step > 0
        assert compared == sum(len(v.slices) for v in series.volumes if v.geometry.known)


def moved(slices: float) -> Array:
    """Return the matrix that goes some slices on."""
    matrix = np.eye(4)
    matrix[2, 3] = slices
    return matrix


def corner_of(file: Path) -> tuple[str, tuple[float, Array]] | None:
    """Return SOP Instance UID, slice spacing and matrix to LPS mm of one object; None when SimpleITK cannot read it."""
    import SimpleITK

    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(file))
    reader.SetImageIO("GDCMImageIO")
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        return None
    spacing = np.array(reader.GetSpacing())[:3]
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(reader.GetDirection()).reshape(len(reader.GetSize()), -1)[:3, :3] * spacing
    matrix[:3, 3] = reader.GetOrigin()[:3]
    return reader.GetMetaData("0008|0018").strip("\x00 "), (float(spacing[2]), matrix)
