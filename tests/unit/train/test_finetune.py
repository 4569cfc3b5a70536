from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from qagate.domain.prompt import Prompt
from qagate.domain.volume import Volume
from qagate.errors import InputError, ScoringError
from qagate.score import bundle, handcrafted, head
from qagate.score.head import Described
from qagate.score.scorer import Scorer
from qagate.train import described, finetune, members, metrics, trial

from ..score.bundles import tiny


@pytest.fixture(autouse=True)
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "TREES", 20)
    monkeypatch.setattr(members, "HONEST_TREES", 15)


class Means:
    """A stand-in for a scorer: grey value and its spread, one feature of chance, and an assessor of two numbers."""

    def describe(self, volume: Volume, prompt: Prompt) -> Described:
        v = volume.voxels
        seen = np.array([v.mean(), np.random.default_rng(int(v.sum())).normal(), -v.std(), 0.0])
        made = handcrafted.features(v, prompt.modality, more=True)
        return Described(seen, made, np.array([v.std(), v.max()]), v[0, 0], float(-np.abs(np.diff(v)).mean()))


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
    data = described.describe(index, Means())
    assert data.features.shape == (48, 4 + 112 + 2 + 64)
    assert len(data.problems) == 1
    predicted = finetune.cross_validate(data, folds=4)
    assert metrics.srcc(predicted, data.labels) > 0.9
    found = finetune.document(data, predicted)
    assert {"srcc", "plcc", "krocc", "rmse", "rmse_sd", "n"} <= set(found)
    assert found["n"] == 48
    # 90 % of honest errors lie within the half width
    head = members.fit_head(data)
    assert np.mean(np.abs(predicted - data.labels) <= head.recipe.half_width) == pytest.approx(0.9, abs=0.12)


def test_shuffled_labels_teach_nothing(index: Path) -> None:
    data = described.describe(index, Means())
    shuffled = np.random.default_rng(1).permutation(data.labels)
    blind = replace(data, labels=shuffled)
    assert abs(metrics.srcc(finetune.cross_validate(blind, folds=4), shuffled)) < 0.45  # about 3 / sqrt(48)


def test_one_group_and_equal_scores_are_refused(index: Path) -> None:
    text = index.read_text()
    index.write_text("\n".join(["path,score,group", *(f"{n}_{i}.png,{i},all" for n in range(2) for i in range(6))]))
    data = described.describe(index, Means())
    with pytest.raises(InputError, match="at least two groups"):
        finetune.cross_validate(data)
    index.write_text("\n".join(["path,score", *(f"{n}_{i}.png,2" for n in range(2) for i in range(6))]))
    with pytest.raises(InputError, match="differ, got 2"):
        described.describe(index, Means())
    index.write_text("\n".join(text.splitlines()[:5]))
    with pytest.raises(InputError, match="at least 10"):
        described.describe(index, Means())


def test_a_fold_may_leave_labels_that_are_all_the_same() -> None:
    """One folder of good pictures and one of bad ones: they have no scale of their own, of which nothing is asked."""
    parts = [np.random.default_rng(n).normal(size=(24, n)).astype(np.float32) for n in (4, 6, 5, 3)]
    labels, groups = np.repeat([1.0, 3.0], 12), np.repeat([0, 1], 12)
    data = described.Labelled(*parts, np.zeros(24), labels, groups, tuple("a" * 24), ())
    assert finetune.cross_validate(data).tolist() == [3.0] * 12 + [1.0] * 12


@pytest.mark.parametrize(
    ("asked", "got"),
    [
        (["--folds", "1"], "got 1"),
        (["--worst", "nan"], "--worst must be a number, got nan"),
        (["--worst", "3", "--best", "3"], "got 3 for both"),
        (["--index", "alike.csv"], "must have scores that differ, got 2"),
        (["--index", "one.csv"], "at least two groups"),
        (["--index", "few.csv"], "at least 10 usable rows, got 1\n  line 3"),
        (["--out", "labels.csv"], "--out must be a folder that can be made"),
        (["--out", "labels.csv/out"], "--out must be a folder that can be made"),
    ],
)
def test_what_would_stop_it_at_the_end_stops_it_before_a_picture_is_read(
    index: Path, monkeypatch: pytest.MonkeyPatch, asked: list[str], got: str
) -> None:
    monkeypatch.chdir(index.parent)
    lines = index.read_text().splitlines()
    for name, score, group in (("alike", "2", None), ("one", None, "c")):
        rows = [line.split(",") for line in lines[1:]]
        text = [",".join([a, score or b, c, group or d]) for a, b, c, d in rows]
        Path(f"{name}.csv").write_text("\n".join([lines[0], *text]))
    Path("few.csv").write_text("\n".join([*lines[:2], "0_1.png,high,CT,c0"]))
    monkeypatch.setattr(Scorer, "load", lambda model, **how: pytest.fail("the model was loaded"))
    with pytest.raises(InputError) as told:
        finetune.main(["--index", "labels.csv", "--out", "out", *asked])
    assert got in str(told.value)


def test_the_last_line_of_json_holds_six_figures(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = index.read_text().splitlines()
    turned = [lines[0], *(",".join([a, str(-float(b)), c, d]) for a, b, c, d in (x.split(",") for x in lines[1:]))]
    index.write_text("\n".join([*turned, "0_0.png,four,CT,c0", "0_1.png,1,PET,c0"]))
    monkeypatch.setattr(Scorer, "load", lambda model, **how: Means())
    asked = ["--index", str(index), "--out", str(tmp_path / "out"), "--folds", "3", "--json", "--workers", "1"]
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
    data = described.describe(index, Means())
    found = trial.compare(data, folds=2, resamples=20)
    assert set(found["rows"]) == {trial.HEAD, trial.TREES, trial.MORE_TREES, trial.ZERO_SHOT}
    assert found["rows"][trial.HEAD]["srcc"]["value"] > 0.8
    lead = found["leads_extra_trees_by_srcc"]
    of = found["rows"]
    assert lead["value"] == pytest.approx(of[trial.HEAD]["srcc"]["value"] - of[trial.TREES]["srcc"]["value"])
    assert trial.line("a set", found).startswith("| a set | 48 in 8 |")


def test_processes_side_by_side_find_the_same(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny(tmp_path)
    few = index.parent / "few.csv"
    few.write_text("\n".join([*index.read_text().splitlines()[:12], "absent.png,1,CT,c9"]))
    alone = described.describe(few, Scorer.load(model, device="cpu", threads=1))
    monkeypatch.setattr(described, "MANY", 10)
    together = described.describe(few, Means(), model=model, workers=2)
    assert np.allclose(together.features, alone.features, atol=1e-5)
    assert together.names == alone.names
    assert together.problems == alone.problems
    assert len(alone.problems) == 1


def test_a_process_that_ends_is_told(index: Path, tmp_path: Path) -> None:
    with pytest.raises(ScoringError, match="--workers must be fewer, got 2"):
        described.describe(index, Means(), model=tmp_path / "nothing", workers=2)


def test_a_tuned_bundle_has_every_file_of_the_one_it_stands_on(index: Path, tmp_path: Path) -> None:
    model = tiny(tmp_path)
    for name in bundle.FILES:
        (model / name).touch()
    data = described.describe(index, Means())
    finetune.write_bundle(model, tmp_path / "tuned", members.fit_head(data), {})
    names = {path.name for path in (tmp_path / "tuned").iterdir()}
    assert names == {*bundle.FILES, bundle.SHEET, head.FILE}


def test_rows_without_groups_are_told_that_figures_may_be_too_good(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = index.read_text().splitlines()[:14]
    lines.append(lines[1])  # a second rater of the first picture shares its group, and says nothing of the others
    index.write_text("\n".join(line.rsplit(",", 1)[0] for line in lines))
    monkeypatch.setattr(Scorer, "load", lambda model, **how: Means())
    assert finetune.main(["--index", str(index), "--out", str(tmp_path / "out"), "--folds", "2"]) == 0
    assert "no two pictures share a group" in capsys.readouterr().err
