from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch

from qagate.errors import ModelCorrupt, ModelMissing
from qagate.score import bundle
from qagate.score.calibration import Calibration
from qagate.score.digest import sha256
from qagate.score.network import SIZES

from .bundles import tiny


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    folder = tiny(tmp_path)
    loaded = bundle.load(folder)
    assert loaded.identity.name == "tiny"
    assert loaded.identity.sha256 == hashlib.sha256((folder / bundle.SHEET).read_bytes()).hexdigest()
    assert loaded.architecture == SIZES["tiny"]
    assert loaded.calibration == Calibration()
    assert loaded.about["about"]["licence"] == "x"


def test_another_calibration_of_the_same_weights_is_another_model(tmp_path: Path) -> None:
    folder = tiny(tmp_path)
    before = bundle.load(folder).identity
    sheet = folder / bundle.SHEET
    sheet.write_text(sheet.read_text().replace("temperature = 1.0", "temperature = 1.5"))
    after = bundle.load(folder).identity
    assert (after.name, after.version) == (before.name, before.version)
    assert after.sha256 != before.sha256


def test_a_changed_weight_is_noticed_and_both_digests_are_named(tmp_path: Path) -> None:
    folder = tiny(tmp_path)
    wanted = sha256(folder / bundle.WEIGHTS)
    content = bytearray((folder / bundle.WEIGHTS).read_bytes())
    content[-1] ^= 1
    (folder / bundle.WEIGHTS).write_bytes(bytes(content))
    with pytest.raises(ModelCorrupt) as caught:
        bundle.load(folder)
    assert wanted in str(caught.value)
    assert hashlib.sha256(bytes(content)).hexdigest() in str(caught.value)


def test_a_missing_folder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=r"name the folder .* got no such path"):
        bundle.load(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('schema = "qagate.bundle/1"', 'schema = "else/9"'),
        ("[calibration]", "[calibrated]"),
        ("temperature = 1.0", "temperature = 0.0"),
        ("condition = 16", 'condition = "many"'),
        ("condition = 16", "condition = 32"),
        ('name = "tiny"', "name = "),
    ],
)
def test_a_sheet_that_is_not_whole_is_refused(tmp_path: Path, old: str, new: str) -> None:
    folder = tiny(tmp_path)
    sheet = folder / bundle.SHEET
    text = sheet.read_text()
    assert old in text
    sheet.write_text(text.replace(old, new))
    with pytest.raises(ModelCorrupt):
        bundle.load(folder)


def test_a_file_that_is_no_safetensors_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"not tensors")
    with pytest.raises(ModelCorrupt):
        bundle.load_tensors(path)


def test_the_shipped_bundle_loads_and_is_the_newest() -> None:
    loaded = bundle.load()
    assert loaded.identity.name == "qagate-iqa"
    assert loaded.folder == bundle.find()
    assert all(bool(torch.isfinite(p).all()) for p in loaded.network.parameters())
