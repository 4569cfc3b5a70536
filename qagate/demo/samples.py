"""What the demo's scanner sends: real images that installed packages carry, phantoms, and faulty ones made of them."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.data import get_testdata_file
from pydicom.errors import InvalidDicomError

from qagate.demo import faults, phantom
from qagate.demo.sample import Expect, Sample, Way
from qagate.demo.write import uid, write_series
from qagate.errors import InputError

LATE_SLICES = 5
_MNI = "mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"

_PACKAGED = (
    # (file in pydicom's wheel, name, description, expectation, what to expect)
    ("CT_small.dcm", "pydicom-ct", "CT, one slice of 128 x 128", "scored, or no score: one slice", Expect.ANY),
    ("MR_small.dcm", "pydicom-mr", "MR, one slice of 64 x 64", "no score: derived, or too small", Expect.ANY),
    ("J2K_pixelrep_mismatch.dcm", "pydicom-j2k", "CT head, JPEG 2000, wrong sign", "scored or no score", Expect.ANY),
    ("examples_overlay.dcm", "pydicom-mpr", "MR abdomen, reformatted and marked", "no score: derived", Expect.ANY),
    ("examples_rgb_color.dcm", "ultrasound", "colour ultrasound", "excluded: not CT or MR", Expect.EXCLUDED),
    ("SC_rgb_small_odd.dcm", "colour-capture", "colour secondary capture", "excluded: not CT or MR", Expect.EXCLUDED),
    ("test-SR.dcm", "report", "structured report of another system", "excluded: not an image", Expect.EXCLUDED),
)  # fmt: skip


def samples(
    folder: Path,
    *,
    seed: str = "0",
    size: int = 512,
    slices: int = 60,
    when: datetime | None = None,
    missing: list[str] | None = None,
) -> list[Sample]:
    """Write the samples under folder and return them, quickest answers first.

    seed names all objects: another seed makes other UIDs for the same pictures, so that a second demo is not taken for
    a repeat of the first. size and slices are those of the largest series (60 x 512 x 512: about 120 MB in all).
    when: the acquisition time, now when absent. missing: gets one sentence for each sample that had to be left out.
    """
    shape = (slices, size, size)
    scan = phantom.abdomen(shape, seed=1, dose=0)
    spacing = scan.spacing_mm

    def ct(name: str, voxels: npt.NDArray[np.int16], series: int, title: str, **more: Any) -> tuple[Path, ...]:
        more = {"protocol": "Abdomen venous", "study": "1"} | more
        return tuple(
            write_series(voxels, spacing, folder / name, modality="CT", description=title, seed=seed, series=series,
                         when=when, **more)
        )  # fmt: skip

    good = phantom.add_noise(scan.voxels, spacing, dose=1.0, seed=2)
    third, half = good[slices // 3 : 2 * slices // 3], good[: slices // 2]
    found: list[Sample] = []

    def add(name: str, description: str, paths: tuple[Path, ...], **more: Any) -> None:
        found.append(Sample(name, description, paths, series_instance_uid=_series_uid(paths[0]), **more))

    add("ct-late", f"CT abdomen · phantom, {len(half)} slices, the last {LATE_SLICES} late",
        ct("ct-late", half, 6, "Abd venous late", study="3"),
        send=Way.LATE, late=min(LATE_SLICES, len(half) - 1),
        expectation="judged twice: without and with the late images")  # fmt: skip
    add("ct-abdomen", f"CT abdomen · phantom, {slices} slices", ct("ct-abdomen", good, 2, "Abd venous"))
    low = phantom.add_noise(scan.voxels[slices // 4 : 3 * slices // 4], spacing, dose=0.02, seed=3)
    add("ct-noise", f"CT abdomen · phantom, {len(low)} slices, a fiftieth of the dose",
        ct("ct-noise", low, 3, "Abd venous low dose", tags={"Exposure": 2, "XRayTubeCurrent": 5, "CTDIvol": 0.16}),
        expectation="flagged for noise")  # fmt: skip
    breath = faults.ct_motion(third, range(len(third) // 4, 3 * len(third) // 4), shift_pixels=size / 40)
    add("ct-motion", f"CT abdomen · phantom, {len(third)} slices, breathing in the middle",
        ct("ct-motion", breath, 4, "Abd venous moved"), expectation="flagged for motion")  # fmt: skip
    gap = len(third) // 2
    add("ct-missing", f"CT abdomen · phantom, {len(third) - 1} slices, one missing",
        ct("ct-missing", third, 5, "Abd venous gap", study="2", drop={gap}),
        expectation="flagged for a missing slice")  # fmt: skip
    add("ct-aborted", f"CT abdomen · phantom, association aborted after {(len(third) + 1) // 2} of {len(third)} slices",
        ct("ct-aborted", third, 7, "Abd venous broken off", study="4"),
        send=Way.ABORTED, expectation="judged on what came")  # fmt: skip
    add("ct-duplicate", f"CT abdomen · phantom, {len(third)} slices, sent twice",
        ct("ct-duplicate", third, 8, "Abd venous twice", study="5"),
        send=Way.DUPLICATE, expectation="judged once")  # fmt: skip
    add("ct-localizer", "CT localiser, 1 image", _localizer(scan, folder, seed, when),
        expectation="unscored: localizer", expect=Expect.ANY)  # fmt: skip
    found += _brains(folder, seed, when, missing)
    found += _packaged(missing)
    return found


def _localizer(
    scan: phantom.Phantom, folder: Path, seed: str, when: datetime | None
) -> tuple[Path, ...]:  # one coronal projection, as the scanner takes it before the scan
    shadow = scan.voxels.astype(np.float32).mean(1)[::-1]  # (slices, rows, columns) → (slices, columns)
    picture = np.repeat(shadow, max(1, scan.voxels.shape[1] // len(shadow)), 0)
    tags = {
        "ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"],
        "ImageOrientationPatient": [1, 0, 0, 0, 0, -1],
        "ScanOptions": "SCOUT MODE",
        "ConvolutionKernel": "T20s",
    }
    paths = write_series(
        picture[None].astype(np.int16), (1.0, scan.spacing_mm[2], scan.spacing_mm[2]), folder / "ct-localizer",
        modality="CT", description="Topogram", protocol="Abdomen venous", seed=seed, study="1", series=1, when=when,
        tags=tags,
    )  # fmt: skip
    return tuple(paths)


def _brains(folder: Path, seed: str, when: datetime | None, missing: list[str] | None) -> list[Sample]:
    """Return the MNI152 T1 brain that nilearn carries: as it is, with motion, and with noise."""
    spec = find_spec("nilearn")
    path = Path(spec.origin).parent / "datasets" / "data" / _MNI if spec and spec.origin else None
    if path is None or not path.is_file():
        if missing is not None:
            missing.append("MR brain left out: the package nilearn is not installed (pip install nilearn)")
        return []
    voxels = read_brain(path)
    pairs = (voxels[0:-1:2].astype(np.float32) + voxels[1::2]) / 2  # slices of 2 mm, as a clinical scan has
    scale = 12.0  # 8-bit source; a scanner uses more of its 12 bits
    still = faults.mr_noise(pairs * scale, sigma=22, seed=4)
    part = slice(len(still) // 4, 3 * len(still) // 4)
    made: list[tuple[str, str, npt.NDArray[np.int16], str, int]] = [
        ("mr-brain", "MNI152", still, "accepted", 2),
        ("mr-motion", "MNI152, nodding", faults.mr_motion(still[part], seed=5), "flagged for motion", 3),
        ("mr-noise", "MNI152, noisy", faults.mr_noise(pairs[part] * scale, sigma=330, seed=6), "flagged for noise", 4),
    ]
    found = []
    for name, what, array, expectation, series in made:
        paths = write_series(
            array, (2.0, 1.0, 1.0), folder / name, modality="MR", description="T1 MPRAGE tra", body_part="BRAIN",
            protocol="T1_MPRAGE_tra", seed=seed, study="6", series=series, when=when,
        )  # fmt: skip
        text = f"MR brain · {what}, {len(array)} slices"
        found.append(
            Sample(name, text, tuple(paths), expectation=expectation, ae_title="DEMOMR1",
                   series_instance_uid=uid("series", seed, "6", series))
        )  # fmt: skip
    return found


def read_brain(path: Path) -> npt.NDArray[np.uint8]:
    """Return the MNI152 file as (slices, rows, columns): slices to the head, rows to the back, columns to the left.

    Reads only what this file is (NIfTI-1, uint8, diagonal affine). Raises InputError when it is something else.
    Source: nifti1.h of the NIfTI Data Format Working Group.
    """
    raw = gzip.decompress(path.read_bytes())
    dims = np.frombuffer(raw, "<i2", 4, 40)
    if dims[0] != 3 or np.frombuffer(raw, "<i2", 1, 70)[0] != 2:
        raise InputError(f"{path.name} must be a volume of bytes, got {dims[0]} dimensions")
    offset = int(np.frombuffer(raw, "<f4", 1, 108)[0])
    columns, rows, slices = (int(n) for n in dims[1:])
    volume = np.frombuffer(raw, np.uint8, columns * rows * slices, offset).reshape(slices, rows, columns)
    return np.ascontiguousarray(volume[:, ::-1, ::-1])  # NIfTI counts to the right and to the front


def _packaged(missing: list[str] | None) -> list[Sample]:
    found = []
    for file, name, description, expectation, expect in _PACKAGED:
        path = get_testdata_file(file, download=False)
        if not isinstance(path, str):
            if missing is not None:
                missing.append(f"{description} left out: pydicom does not carry {file}")
            continue
        where = Path(path)
        found.append(
            Sample(name, description, (where,), expectation=expectation, expect=expect,
                   series_instance_uid=_series_uid(where), ae_title="DEMOMISC")
        )  # fmt: skip
    return found


def _series_uid(path: Path) -> str:
    return str(pydicom.dcmread(path, specific_tags=["SeriesInstanceUID"], stop_before_pixels=True).SeriesInstanceUID)


def folder_samples(folder: Path, progress: Callable[[Path], None] | None = None) -> list[Sample]:
    """Return the DICOM files under a folder, one sample for each series, in the order of their names.

    Files that are not DICOM are passed over. Raises InputError when the folder is absent or holds no DICOM file.
    """
    if not folder.is_dir():
        raise InputError(f"no folder at {folder}")
    series: dict[str, list[tuple[Path, str]]] = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        if progress:
            progress(path)
        try:
            head = pydicom.dcmread(
                path, specific_tags=["SeriesInstanceUID", "Modality", "SOPInstanceUID"], stop_before_pixels=True
            )
        except (InvalidDicomError, OSError, EOFError, ValueError):
            continue
        series_uid = str(head.get("SeriesInstanceUID", ""))
        if series_uid and head.get("SOPInstanceUID"):
            series.setdefault(series_uid, []).append((path, str(head.get("Modality", ""))))
    if not series:
        raise InputError(f"{folder} holds no DICOM file with a SeriesInstanceUID")
    return [
        Sample(
            f"series-{number}", f"{files[0][1] or 'DICOM'} · {files[0][0].parent.name}, {len(files)} objects",
            tuple(path for path, _ in files), expectation="an answer", expect=Expect.ANY,
            series_instance_uid=series_uid,
        )
        for number, (series_uid, files) in enumerate(series.items(), 1)
    ]  # fmt: skip
