from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qagate.errors import InputError
from qagate.score import tiles
from qagate.score.assessor import Assessor
from qagate.train import __main__ as commands
from qagate.train import assess, boost, looks, pack, perceptron

from .volumes import folder


def table(count: int = 200, seed: int = 0) -> looks.Table:
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
    return looks.Table(
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


@pytest.mark.usefixtures("quick")
def test_the_command_writes_an_assessor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(assess, "LEAST", 2)
    monkeypatch.setattr(looks, "BLOCK", 6)
    pack.write(folder(tmp_path, 10), tmp_path / "x.qpk")
    line = ["assess", str(tmp_path / "x.qpk"), str(tmp_path / "out"), "--twice", "6", "--nameless", "7"]
    line += ["--samples", "10"]
    assert commands.main(line) == 0
    assert "17 samples" in capsys.readouterr().out
    kept = sorted((tmp_path / "out" / "looks").iterdir())
    # two looks at each of 6 samples, one at each of 4; of the nameless ones two at each of 6, one at the last
    assert [path.name for path in kept] == ["0.npz", "1.npz", "650000.npz", "650001.npz"]
    assert [len(looks.Table.load(path).sample) for path in kept] == [12, 4, 12, 1]
    first = (tmp_path / "out" / "assessor.safetensors").read_bytes()
    monkeypatch.setattr(looks, "tabled", None)  # nothing is described again
    assert commands.main(line) == 0
    assert (tmp_path / "out" / "assessor.safetensors").read_bytes() == first
    assert commands.main([*line[:-1], "9"]) == 2
    assert "must hold 3 samples, got 4" in capsys.readouterr().err
    kept[0].write_bytes(b"no table")
    assert commands.main(line) == 2
    assert "remove it to make it again" in capsys.readouterr().err
    assert Assessor.load_from(tmp_path / "out") is not None


@pytest.mark.usefixtures("quick")
def test_old_judges_stay_beside_new_ones() -> None:
    old, new = assess.fit(table(300), seed=1), assess.fit(table(300, seed=5), seed=2)
    both = assess.fit(table(300, seed=5), seed=2, before=old)
    described = table(80, seed=9).features
    for modality in ("CT", "MR"):
        one, other = old.arrays[modality], both.arrays[modality]
        assert np.array_equal(one["centre"], other["centre"])  # the old ones see what they learned from
        # 2 old scorers, 2 new ones, and the 2 old ones that name artefacts
        assert len(other["weight_0"]) == 6
        assert np.array_equal(other["bias_2"][[0, 1, 4, 5]], one["bias_2"])
        for place, kind in enumerate(("tree", "boosted")):
            assert len(other[f"{kind}_root"]) == ((10, 40) if modality == "CT" else (15, 80))[place]  # none new in CT
            alone = np.eye(3)[place + 1]
            said = both.judge(described, modality, alone).score
            assert np.corrcoef(said, old.judge(described, modality, alone).score)[0, 1] > 0.7
        named = both.judge(described, modality).attributes
        assert np.array_equal(named, old.judge(described, modality).attributes)
    assert not np.array_equal(new.arrays["CT"]["centre"], both.arrays["CT"]["centre"])


def test_beside_must_be_a_folder_with_an_assessor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["assess", str(tmp_path / "x.qpk"), str(tmp_path / "out"), "--beside", str(tmp_path)]
    assert commands.main(line) == 2
    assert "--beside must be a folder with an assessor" in capsys.readouterr().err
