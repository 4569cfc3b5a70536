from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from qagate.domain.prompt import Prompt
from qagate.domain.volume import Volume
from qagate.errors import InputError
from qagate.score.scorer import Scorer
from qagate.train import finetune, forest, metrics, trial


@pytest.fixture(autouse=True)
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forest, "TREES", 30)


class Means:
    """A stand-in for a network: grey value and its spread, and one feature of chance."""

    def features(self, volume: Volume, prompt: Prompt) -> np.ndarray:
        v = volume.voxels
        return np.array([v.mean(), np.random.default_rng(int(v.sum())).normal(), -v.std(), 0.0])


@pytest.fixture
def index(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    lines = ["path,score,modality,group"]
    for content in range(8):
        base = ndimage.gaussian_filter(random.random((64, 64)), 2)
        base = (base - base.min()) / np.ptp(base)
        for item in range(6):
            noise = random.uniform(0, 0.3)
            picture = np.clip(base + random.normal(0, noise, base.shape), 0, 1)
            Image.fromarray((255 * picture).astype(np.uint8)).save(tmp_path / f"{content}_{item}.png")
            lines.append(f"{content}_{item}.png,{4 - 10 * noise + random.normal(0, 0.2):.2f},CT,c{content}")
    (tmp_path / "labels.csv").write_text("\n".join([*lines, "absent.png,1,CT,c9"]))
    return tmp_path / "labels.csv"


def test_it_learns_what_raters_saw(index: Path) -> None:
    data = finetune.describe(index, Means())
    assert data.features.shape == (48, 4 + 112)
    assert len(data.problems) == 1
    predicted = finetune.cross_validate(data, folds=4)
    assert metrics.srcc(predicted, data.labels) > 0.9
    found = finetune.document(data, predicted)
    assert {"srcc", "plcc", "krocc", "rmse", "rmse_sd", "n"} <= set(found)
    assert found["n"] == 48
    # 90 % of honest errors lie within the half width
    head = finetune.fit_head(data)
    assert np.mean(np.abs(predicted - data.labels) <= head.recipe.half_width) == pytest.approx(0.9, abs=0.12)


def test_shuffled_labels_teach_nothing(index: Path) -> None:
    data = finetune.describe(index, Means())
    shuffled = np.random.default_rng(1).permutation(data.labels)
    blind = finetune.Labelled(data.network, data.handmade, shuffled, data.groups, data.names)
    assert abs(metrics.srcc(finetune.cross_validate(blind, folds=4), shuffled)) < 0.45  # about 3 / sqrt(48)


def test_folds_keep_groups_whole_and_are_of_like_size() -> None:
    groups = np.repeat(np.arange(9), [1, 2, 3, 4, 5, 6, 7, 8, 9])
    folds = finetune.folds_of(groups, 3)
    assert all(len(set(folds[groups == g])) == 1 for g in range(9))
    assert np.ptp(np.bincount(folds)) <= 5
    assert finetune.folds_of(np.arange(3), 10).max() == 2


def test_one_group_and_equal_scores_are_refused(index: Path) -> None:
    text = index.read_text()
    index.write_text("\n".join(["path,score,group", *(f"{n}_{i}.png,{i},all" for n in range(2) for i in range(6))]))
    data = finetune.describe(index, Means())
    with pytest.raises(InputError, match="at least two groups"):
        finetune.cross_validate(data)
    index.write_text("\n".join(["path,score", *(f"{n}_{i}.png,2" for n in range(2) for i in range(6))]))
    with pytest.raises(InputError, match="differ, got 2"):
        finetune.describe(index, Means())
    index.write_text("\n".join(text.splitlines()[:5]))
    with pytest.raises(InputError, match="at least 10"):
        finetune.describe(index, Means())


def test_the_last_line_of_json_holds_six_figures(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = index.read_text().splitlines()
    turned = [lines[0], *(",".join([a, str(-float(b)), c, d]) for a, b, c, d in (x.split(",") for x in lines[1:]))]
    index.write_text("\n".join([*turned, "0_0.png,four,CT,c0", "0_1.png,1,PET,c0"]))
    monkeypatch.setattr(Scorer, "load", lambda model: Means())
    asked = ["--index", str(index), "--out", str(tmp_path / "out"), "--folds", "3", "--json"]
    assert finetune.main(asked) == 0
    printed = capsys.readouterr()
    found = json.loads(printed.out.splitlines()[-1])
    assert list(found) == ["srcc", "plcc", "krocc", "rmse", "rmse_sd", "n"]
    assert found["n"] == 48
    for words in ("line 50: ", "line 51: score must be a finite number, got 'four'", "line 52: modality must be CT"):
        assert words in printed.err
    assert "low labels seem to mean good pictures" in printed.err
    whole = json.loads((tmp_path / "out" / finetune.SHEET).read_text())
    assert {name: whole[name] for name in found} == found
    assert len(whole["problems"]) == 3


def test_a_trial_sets_fine_tuning_beside_trees(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn")
    monkeypatch.setattr(trial, "COUNT", 20)
    data = finetune.describe(index, Means())
    found = trial.compare(data, folds=2, resamples=20)
    assert set(found["rows"]) == {trial.HEAD, trial.TREES, trial.MORE_TREES, trial.ZERO_SHOT}
    assert found["rows"][trial.HEAD]["srcc"]["value"] > 0.8
    lead = found["leads_extra_trees_by_srcc"]
    of = found["rows"]
    assert lead["value"] == pytest.approx(of[trial.HEAD]["srcc"]["value"] - of[trial.TREES]["srcc"]["value"])
    assert trial.line("a set", found).startswith("| a set | 48 in 8 |")
