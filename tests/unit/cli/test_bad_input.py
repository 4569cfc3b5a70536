"""Bad input gets one clear line and exit code 2, stops nothing else, and never a traceback."""

from __future__ import annotations

import gzip
import json
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from qagate.score import bundle
from qagate.settings import load


def qagate(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command as a person does."""
    done = subprocess.run(
        [sys.executable, "-m", "qagate", *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr + done.stdout, done.stderr
    return done


def nifti(path: Path, voxels: np.ndarray) -> Path:
    """Write a small NIfTI-1 file: float32, 1 mm."""
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, *voxels.shape[::-1], 1, 1, 1, 1)
    struct.pack_into("<hh", header, 70, 16, 32)
    struct.pack_into("<8f", header, 76, 1, 1, 1, 1, 1, 1, 1, 1)
    struct.pack_into("<f", header, 108, 352)
    header[344:348] = b"n+1\0"
    path.write_bytes(gzip.compress(bytes(header) + voxels.astype("<f4").tobytes()))
    return path


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """One CT slice that can be scored, to see that it still is."""
    return Path(shutil.copy(str(get_testdata_file("CT_small.dcm", download=False)), tmp_path / "good.dcm"))


@pytest.mark.slow
def test_each_bad_file_is_named_and_the_good_one_is_scored(tmp_path: Path, good: Path) -> None:
    (tmp_path / "text.txt").write_text("hello")
    (tmp_path / "empty.dcm").write_bytes(b"")
    (tmp_path / "truncated.dcm").write_bytes(good.read_bytes()[:600])
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    shutil.copy(str(get_testdata_file("SC_rgb_rle.dcm", download=False)), tmp_path / "colour.dcm")
    done = qagate("score", "--json", *sorted(tmp_path.iterdir()), tmp_path / "nowhere", cwd=tmp_path)
    assert done.returncode == 2
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert any(line["source"]["path"].endswith("good.dcm") and line["score"] is not None for line in lines)
    for name in ("text.txt", "empty.dcm", "broken.png", "colour.dcm", "nowhere"):
        assert sum(name in line for line in done.stderr.splitlines()) == 1, done.stderr


@pytest.mark.parametrize("command", ["score", "explain", "process"])
def test_a_folder_without_a_file_is_said(tmp_path: Path, command: str) -> None:
    """Nothing was said, and two of them ended as if all was well."""
    (tmp_path / "empty").mkdir()
    more = [tmp_path / "out"] if command == "process" else []
    done = qagate(command, tmp_path / "empty", *more, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no file to" in done.stderr


def test_a_stray_file_does_not_keep_the_others_from_being_explained(tmp_path: Path, good: Path) -> None:
    (tmp_path / "text.txt").write_text("hello")
    done = qagate("explain", tmp_path, cwd=tmp_path)
    assert done.returncode == 2
    assert "text.txt" in done.stderr
    assert "CT" in done.stdout


@pytest.mark.slow
def test_a_nifti_with_nan_a_picture_and_a_series_without_positions_are_scored(tmp_path: Path, good: Path) -> None:
    good.unlink()
    y, x = np.mgrid[:96, :96]
    body = ((x - 48) ** 2 + (y - 48) ** 2 < 40**2) * 400 + np.random.default_rng(0).normal(0, 20, (12, 96, 96))
    body[3, 10:20, 10:20] = np.nan
    nifti(tmp_path / "brain.nii.gz", body)
    Image.fromarray(np.nan_to_num(body[5] / 2).clip(0, 255).astype(np.uint8)).save(tmp_path / "one.png")
    base = pydicom.dcmread(str(get_testdata_file("MR_small.dcm", download=False)))
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "SliceLocation"):
        base.pop(keyword, None)
    for number in range(5):
        base.SOPInstanceUID = base.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}"
        base.InstanceNumber = number
        base.save_as(tmp_path / f"{number}.dcm")
    done = qagate("score", "--json", "--modality", "MR", "--organ", "brain", tmp_path, cwd=tmp_path)
    found = {Path(line["source"]["path"]).name: line for line in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 0, done.stderr
    assert found["brain.nii.gz"]["score"] is not None or found["brain.nii.gz"]["findings"]
    assert found["one.png"]["prompt"]["organ"] == "brain"
    series = found[tmp_path.name]
    assert series["geometry"]["shape"] == [5, 64, 64]
    assert "no_position" in {f["code"] for f in series["findings"]}


@pytest.mark.slow
def test_models_that_cannot_be_used(tmp_path: Path, good: Path) -> None:
    missing = qagate("score", good, "--model", tmp_path / "nothing", cwd=tmp_path)
    assert (missing.returncode, len(missing.stderr.splitlines())) == (2, 1)
    assert "nothing" in missing.stderr
    broken = Path(shutil.copytree(bundle.find(), tmp_path / "broken"))
    weights = broken / "weights.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(bytes(data))
    corrupt = qagate("score", good, "--model", broken, cwd=tmp_path)
    assert (corrupt.returncode, len(corrupt.stderr.splitlines())) == (2, 1)
    assert "SHA-256" in corrupt.stderr


def test_settings_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "qagate.toml").write_text("[node]\nprt = 104\n")
    for command in (["status"], ["check"], ["serve"], ["receive"]):
        done = qagate(*command, cwd=tmp_path)
        assert (done.returncode, done.stderr.count("node.prt: there is no such setting")) == (2, 1), done.stderr


def test_init_writes_a_file_that_loads_and_leaves_another_alone(tmp_path: Path) -> None:
    assert qagate("init", cwd=tmp_path).returncode == 0
    load(tmp_path / "qagate.toml", {})
    again = qagate("init", cwd=tmp_path)
    assert again.returncode == 2
    assert "is there already" in again.stderr


def test_a_word_that_is_no_organ(tmp_path: Path, good: Path) -> None:
    done = qagate("score", good, "--organ", "elbowgrease", cwd=tmp_path)
    assert done.returncode == 2
    assert "got 'elbowgrease'" in done.stderr


def test_explain_a_file(tmp_path: Path, good: Path) -> None:
    done = qagate("explain", good, cwd=tmp_path)
    assert done.returncode == 0
    assert "CT" in done.stdout
