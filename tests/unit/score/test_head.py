from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qagate.errors import ModelCorrupt
from qagate.score import head
from qagate.score.head import ARRAYS, FILE, Described, Head, HeadRecipe, forest, kernel, standardised

RECIPE = HeadRecipe(2, 1, 2.0, 0.5, 0.0, 4.0, 0.4, 10)
NOTHING = Described(np.zeros(2), np.zeros(1), np.ones(5), np.ones(3), 0.5)
"""What a volume may look like to a head that was fitted before there was an assessor's part or an eye's."""


def _head() -> Head:
    arrays = {
        "centre": np.zeros(3, np.float32),
        "scale": np.ones(3, np.float32),
        "kernel_weights": np.array([[[1.0, 0.0], [0.0, 1.0]]], np.float32),
        "kernel_lengths": np.ones((1, 2), np.float32),
        "support": np.zeros((1, 3), np.float32),
        "dual": np.array([[1.5]], np.float32),
        # one tree: feature 2 <= 0 goes to node 1 (value -0.25), else to node 2 (value 0.25)
        "tree_feature": np.array([2, -1, -1], np.int32),
        "tree_threshold": np.zeros(3, np.float32),
        "tree_left": np.array([1, 0, 0], np.int32),
        "tree_value": np.array([0.0, -0.25, 0.25], np.float32),
        "tree_root": np.zeros(1, np.int32),
    }
    return Head(RECIPE, arrays)


def test_prediction_by_hand() -> None:
    # support 0: the linear part is 0; the smooth part is exp(-0.5 * 0) = 1, times dual 1.5 → 1.5
    # features 0 → the tree says -0.25; 1.5 - 0.25 = 1.25; label 2 + 0.5 * 1.25 = 2.625
    assert _head().predict(np.zeros((1, 3)))[0] == pytest.approx(2.625)
    score, (low, high) = _head().score(NOTHING)
    assert score == pytest.approx(65.625)  # 2.625 of 0..4
    assert (low, high) == pytest.approx((55.625, 75.625))  # ± 0.4 of 4


def test_labels_where_low_is_good() -> None:
    head = Head(HeadRecipe(2, 1, 2.0, 0.5, 4.0, 0.0, 0.4, 10), _head().arrays)
    score, (low, high) = head.score(NOTHING)
    assert score == pytest.approx(100 - 65.625)
    assert low < score < high


def test_it_comes_back_from_disk(tmp_path: Path) -> None:
    sheet = 'schema = "x"\nname = "n"\nversion = "1.2"\n\n[calibration]\na = 1\n'
    _head().save(tmp_path, sheet, {"srcc": 0.5, "n": 10})
    text = (tmp_path / "bundle.toml").read_text()
    about = tomllib.loads(text)
    assert about["version"].startswith("1.2+")
    assert about["calibration"] == {"a": 1}
    assert about["head"]["figures"] == {"srcc": 0.5, "n": 10}
    again = Head.load(tmp_path, about)
    assert again is not None
    assert again.recipe == RECIPE
    assert all(np.array_equal(again.arrays[name], _head().arrays[name]) for name in ARRAYS)
    _head().save(tmp_path, text, {"srcc": 0.6, "n": 11})  # on top of a head: replaced, not added
    assert tomllib.loads((tmp_path / "bundle.toml").read_text())["head"]["figures"]["n"] == 11
    assert Head.load(tmp_path, {}) is None


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    _head().save(tmp_path, 'version = "1"\n', {})
    about = tomllib.loads((tmp_path / "bundle.toml").read_text())
    path = tmp_path / FILE
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelCorrupt, match="SHA-256"):
        Head.load(tmp_path, about)
    path.unlink()
    with pytest.raises(ModelCorrupt, match="head"):
        Head.load(tmp_path, about)


def test_odd_values_cannot_rule() -> None:
    found = standardised(np.array([[1e9, -1e9, 0.3]]), np.zeros(3, np.float32), np.ones(3, np.float32))
    assert found[0] == pytest.approx([3.0, -3.0, 0.299], abs=1e-3)


def test_kernel_is_symmetric_and_positive() -> None:
    x = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    k = kernel(x, x, (2, 1), _head().arrays["kernel_weights"][0], _head().arrays["kernel_lengths"][0])
    assert np.allclose(k, k.T)
    assert np.linalg.eigvalsh(k).min() > -1e-9


def test_no_trees_say_nothing() -> None:
    nothing = np.zeros(0, np.int32)
    said = forest(
        np.zeros((2, 3), np.float32), nothing, nothing.astype(np.float32), nothing, nothing.astype(np.float32), nothing
    )
    assert said.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("at_once", [1, 7, 1 << 20])
def test_a_forest_says_what_walking_down_each_tree_says(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(head, "_STEPS_AT_ONCE", at_once)
    rng = np.random.default_rng(5)
    feature, threshold, left, value, root = [], [], [], [], []
    for _ in range(6):
        root.append(len(feature))
        feature += [0, 1, -1, 2, -1, -1, -1]
        threshold += [*rng.normal(size=2), 0.0, rng.normal(), 0.0, 0.0, 0.0]
        left += [root[-1] + 1, root[-1] + 3, 0, root[-1] + 5, 0, 0, 0]
        value += list(rng.uniform(size=7))
    x = rng.normal(size=(9, 3)).astype(np.float32)
    walked = []
    for item in x:
        ends = []
        for first in root:
            node = first
            while feature[node] >= 0:
                node = left[node] + int(item[feature[node]] > threshold[node])
            ends.append(value[node])
        walked.append(np.mean(ends))
    arrays = (np.array(feature), np.array(threshold), np.array(left), np.array(value), np.array(root))
    assert forest(x, *arrays) == pytest.approx(walked)
    assert forest(x[:0], *arrays).shape == (0,)


def test_a_head_of_other_features_is_refused() -> None:
    with pytest.raises(ModelCorrupt, match=r"\(2, 1, 0, 0\) features .* finds \(2, 4, 0, 0\): fine-tune again"):
        _head().score(Described(np.zeros(2), np.zeros(4), np.zeros(0), np.zeros(0), 0.5))


@pytest.mark.parametrize("known", [3, 4])  # parts of the kernels: heads from before there was an eye know three
def test_the_assessors_part_comes_after_the_hand_made_one_and_the_eyes_last(known: int) -> None:
    place, length = (4, 5) if known == 3 else (6, 7)  # the last feature, at which the tree looks
    arrays = {**_head().arrays, "centre": np.zeros(length, np.float32), "scale": np.ones(length, np.float32)}
    arrays["kernel_weights"] = np.zeros((1, known, 2), np.float32)
    arrays["kernel_lengths"], arrays["support"] = np.ones((1, known), np.float32), np.zeros((1, length), np.float32)
    arrays["tree_feature"] = np.array([place, -1, -1], np.int32)
    made = Head(replace(RECIPE, assessor_features=2, eye_features=2 if known == 4 else 0), arrays)
    last = [np.array([0.0, v]) for v in (-1.0, 1.0)]
    seen = [(v, np.ones(2)) if known == 3 else (np.ones(2), v) for v in last]
    low, high = (made.score(Described(np.zeros(2), np.zeros(1), *one, 0.5))[0] for one in seen)
    assert (low, high) == pytest.approx((100 * (2 - 0.125) / 4, 100 * (2 + 0.125) / 4))


def test_ends_of_the_scale_that_are_the_same_are_refused() -> None:
    with pytest.raises(ModelCorrupt, match="must differ, got 3"):
        Head(replace(RECIPE, worst=3.0, best=3.0), _head().arrays)
