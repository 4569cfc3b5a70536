from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pydicom
import pytest

from qagate.assemble.series import read_series
from qagate.demo import samples as module
from qagate.demo.sample import Sample, Way
from qagate.demo.samples import folder_samples, read_brain, samples
from qagate.errors import InputError
from qagate.prompt.infer import infer
from qagate.prompt.rules import load_rules


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Sample]:
    found = samples(tmp_path_factory.mktemp("scans"), size=32, slices=24)
    return {sample.name: sample for sample in found}


def test_every_way_of_sending_is_there(made: dict[str, Sample]) -> None:
    assert {sample.send for sample in made.values()} == set(Way)
    assert all(path.is_file() for sample in made.values() for path in sample.paths)


def test_uids_are_the_files_own(made: dict[str, Sample]) -> None:
    for sample in made.values():
        for path in (sample.paths[0], sample.paths[-1]):
            head = pydicom.dcmread(path, specific_tags=["SeriesInstanceUID"], stop_before_pixels=True)
            assert head.SeriesInstanceUID == sample.series_instance_uid
    uids = [sample.series_instance_uid for sample in made.values()]
    assert len(set(uids)) == len(uids)


@pytest.mark.parametrize(
    ("name", "slices"),
    [("ct-abdomen", 24), ("ct-noise", 12), ("ct-motion", 8), ("ct-missing", 7), ("ct-late", 12), ("ct-localizer", 1)],
)
def test_slices(made: dict[str, Sample], name: str, slices: int) -> None:
    assert len(made[name].paths) == slices


@pytest.mark.parametrize("name", ["ct-abdomen", "ct-missing", "mr-brain"])
def test_they_pass_for_patients(made: dict[str, Sample], name: str) -> None:
    # the rules know a phantom by its words: none may stand in the tags, or nothing would be scored
    if name not in made:
        pytest.skip("needs nilearn")
    volumes = read_series(made[name].paths).volumes
    prompt = infer(volumes[0].tags, load_rules())
    assert len(volumes) == 1
    assert prompt.exclusions == ()
    assert prompt.regions == (("head",) if name == "mr-brain" else ("abdomen",))
    assert len(volumes[0].geometry.missing_positions) == (1 if name == "ct-missing" else 0)


def test_low_dose_is_noisier(made: dict[str, Sample]) -> None:
    def grain(sample: Sample) -> float:
        pixels = pydicom.dcmread(sample.paths[len(sample.paths) // 2]).pixel_array.astype(float)
        return float(np.abs(np.diff(pixels[10:22, 6:14], axis=1)).mean())

    assert grain(made["ct-noise"]) > 1.5 * grain(made["ct-abdomen"])


@pytest.mark.skipif(find_spec("nilearn") is None, reason="needs nilearn")
def test_brain_lies_the_right_way_round(made: dict[str, Sample]) -> None:
    spec = find_spec("nilearn")
    assert spec is not None
    assert spec.origin is not None
    brain = read_brain(Path(spec.origin).parent / "datasets" / "data" / module._MNI)
    assert brain.shape == (189, 233, 197)
    # lowest slices: brain stem and cerebellum lie behind, so the lower half (posterior rows) holds more
    low = brain[15].astype(float)
    assert low[117:].sum() > 3 * low[:117].sum()
    assert len(made["mr-brain"].paths) == 94  # pairs of 189


def test_without_nilearn_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    missing: list[str] = []
    found = samples(tmp_path, size=32, slices=12, missing=missing)
    assert not [sample for sample in found if sample.name.startswith("mr-")]
    assert missing == ["MR brain left out: the package nilearn is not installed (pip install nilearn)"]


def test_folder_is_split_by_series(made: dict[str, Sample], tmp_path: Path) -> None:
    for name in ("ct-localizer", "ct-missing"):
        for path in made[name].paths:
            (tmp_path / f"{name}-{path.name}").write_bytes(path.read_bytes())
    (tmp_path / "empty.dcm").touch()
    (tmp_path / "text.txt").write_text("no image")
    assert sorted(len(sample.paths) for sample in folder_samples(tmp_path)) == [1, 7]


def test_absent_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder at"):
        folder_samples(tmp_path / "absent")
