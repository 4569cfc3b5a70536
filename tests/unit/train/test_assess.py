from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from qagate.errors import InputError
from qagate.score import tiles
from qagate.score.assessor import Assessor
from qagate.train import __main__ as commands
from qagate.train import assess, boost, pack, perceptron

from .volumes import folder


def table(count: int = 200, seed: int = 0) -> assess.Table:
    """Made-up features: quality follows from the first two of them, attribute 3 from the third and its copies."""
    draws = np.random.default_rng(seed)
    features = draws.normal(0, 1, (count, tiles.LENGTH)).astype(np.float32)
    features[:, 3:12] = features[:, [2]]
    attributes = np.zeros((count, 18), np.float32)
    attributes[:, 3] = features[:, 2] > 0
    quality = 1 / (1 + np.exp(-1.5 * (features[:, 0] + features[:, 1])))
    subject = np.array([f"s{i % 10}" for i in range(count)])
    modality = np.array(["CT", "MR"])[np.arange(count) // 2 % 2]  # two looks at each sample
    artefacts = np.array(["", "blur", "blur+jpeg"])[np.arange(count) // 2 % 3]
    return assess.Table(
        features, attributes, quality.astype(np.float32), subject, modality, artefacts, np.arange(count) // 2
    )


RECIPE = assess.Recipe((0.7, 0.7, 4.0, 4.0), 10, 2, boost.Recipe(40, 0.1))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perceptron, "EPOCHS", 30)
    monkeypatch.setattr(assess, "Recipe", lambda: RECIPE)


@pytest.mark.usefixtures("quick")
def test_it_learns_what_there_is_to_learn() -> None:
    fitted = assess.fit(table(600))
    new = table(200, seed=1)
    for modality in ("CT", "MR"):
        of = new.modality == modality
        said = fitted.judge(new.features[of], modality)
        assert np.corrcoef(said.score, new.quality[of])[0, 1] > 0.6
        there = new.attributes[of, 3] > 0
        assert said.attributes[there, 3].mean() > said.attributes[~there, 3].mean() + 0.02


@pytest.mark.usefixtures("quick")
def test_one_seed_is_one_result() -> None:
    first, second = assess.fit(table(100), seed=4), assess.fit(table(100), seed=4)
    for name, array in first.arrays["CT"].items():
        assert np.array_equal(array, second.arrays["CT"][name])


def test_both_modalities_are_needed() -> None:
    both = table(100)
    with pytest.raises(InputError, match="got 0"):
        assess.fit(both.some(both.modality == "CT"))


def test_a_sharper_kernel_lifts_edges_and_keeps_means() -> None:
    slab = np.zeros((2, 40, 40), np.float32)
    slab[:, :, 20:] = 100.0
    # an unsharp mask of a at a step of 100 overshoots by at most a / 2 x 100: 5 for the mildest, 25 for the strongest
    for amount, most in ((0.0, 5.0), (1.0, 25.0)):
        found = assess.sharper(slab, amount, 0.5)
        assert found.dtype == np.float32
        assert 0.5 * most < found.max() - 100 < most
        assert float(found.mean()) == pytest.approx(50.0, abs=1.0)


def test_what_was_exported_through_a_window_is_read_in_the_usual_one() -> None:
    slab = np.full((1, 64, 64), -1000.0, np.float32)  # air around a ramp of soft tissue
    slab[:, 16:48, 16:48] = np.linspace(-50.0, 130.0, 32)
    # centre 40, width 400: the usual window itself; 256 greys are steps of 1.57 HU
    found = assess.exported(slab, 1.0, 0.5, 0.5)
    assert np.abs(found - slab)[:, 16:48, 16:48].max() < 0.8
    assert found[0, 2, 2] < -900  # black was taken for air
    # twice as wide and 40 lower would be half the contrast; from air to bone (1600 HU) it is a quarter
    wide = assess.exported(slab, 0.0, 0.5, 0.5)
    assert np.ptp(wide[0, 20, 16:48]) == pytest.approx(180.0 / 4, abs=2.0)


@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_another_look_is_seldom_the_same_and_always_a_picture(modality: str) -> None:
    slab = np.random.default_rng(0).uniform(0.1, 0.9, (3, 48, 48)).astype(np.float32)
    slab = slab * 200 if modality == "CT" else slab
    generator, random, same = torch.Generator().manual_seed(0), np.random.default_rng(0), 0
    for _ in range(40):
        found = assess.another(slab, modality, generator, random)
        assert found.shape == slab.shape
        assert found.dtype == np.float32
        assert np.isfinite(found).all()
        same += np.array_equal(found, slab)
    assert same < 12  # neither sharpened nor in a guise: 0.3 x 0.3 of 40 are 4, fewer in CT


@pytest.mark.usefixtures("quick")
def test_the_command_writes_an_assessor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(assess, "LEAST", 2)
    monkeypatch.setattr(assess, "BLOCK", 6)
    pack.write(folder(tmp_path, 10), tmp_path / "x.qpk")
    line = ["assess", str(tmp_path / "x.qpk"), str(tmp_path / "out"), "--twice", "6", "--samples", "10"]
    assert commands.main(line) == 0
    assert "10 samples" in capsys.readouterr().out
    kept = sorted((tmp_path / "out" / "looks").iterdir())
    assert [path.name for path in kept] == ["0.npz", "1.npz"]  # two looks at each of 6 samples, one at each of 4
    assert [len(assess.Table.load(path).sample) for path in kept] == [12, 4]
    first = (tmp_path / "out" / "assessor.safetensors").read_bytes()
    monkeypatch.setattr(assess, "tabled", None)  # nothing is described again
    assert commands.main(line) == 0
    assert (tmp_path / "out" / "assessor.safetensors").read_bytes() == first
    assert commands.main([*line[:-1], "9"]) == 2
    assert "must hold 3 samples, got 4" in capsys.readouterr().err
    kept[0].write_bytes(b"no table")
    assert commands.main(line) == 2
    assert "remove it to make it again" in capsys.readouterr().err
    assert Assessor.load_from(tmp_path / "out") is not None


def test_several_workers_find_the_same(tmp_path: Path) -> None:
    pack.write(folder(tmp_path, 10), tmp_path / "x.qpk")
    (one,) = assess.looks(tmp_path / "x.qpk", tmp_path / "one", 3, 0)
    (two,) = assess.looks(tmp_path / "x.qpk", tmp_path / "two", 3, 0, workers=2)
    assert np.array_equal(one.features, two.features)
    assert np.array_equal(one.quality, two.quality)


def test_parts_of_a_table() -> None:
    made = table(600)
    assert set(made.without(frozenset({"jpeg"})).artefacts) == {"", "blur"}
    assert set(made.without(frozenset({"blur"})).artefacts) == {""}
    plain = made.plain()
    assert plain.sample.tolist() == list(range(300))
    assert np.array_equal(plain.features, made.features[::2])  # of the two looks at each, the first
