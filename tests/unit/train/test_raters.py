from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qagate.errors import InputError
from qagate.train import metrics, raters
from qagate.train.pictures import read_image, read_index
from tests.unit.train.test_sampling import packed


@pytest.fixture(scope="module")
def contents() -> dict[str, raters.Content]:
    made = [packed("a", "CT"), packed("b", "MR")]
    return {m: raters.contents(made, m, 1)[0] for m in ("CT", "MR")}


def test_dose_noise_has_its_size_and_no_mean(contents: dict[str, raters.Content]) -> None:
    content = contents["CT"]
    noise = raters.dose_noise(content, 20.0, np.random.default_rng(0))
    body = content.voxels > -300
    assert noise[body].std() == pytest.approx(20.0, rel=1e-3)
    assert abs(noise.mean()) < 1.0  # the ramp has no power at frequency 0


def test_many_views_change_little_and_few_much(contents: dict[str, raters.Content]) -> None:
    grey = contents["CT"].grey
    away = [np.abs(raters.few_views(grey, views) - grey).mean() for views in (2000, 100, 30)]
    assert away[0] < 1e-3  # more spokes than pixels on the rim: everything is measured
    assert away[0] < away[1] < away[2]


def test_no_movement_leaves_a_picture_alone(contents: dict[str, raters.Content]) -> None:
    grey = contents["MR"].grey
    assert np.allclose(raters.shaken(grey, 0.0, 0.0, 3, np.random.default_rng(0)), grey, atol=1e-4)


def test_opinions_fall_saturate_and_keep_to_the_scale() -> None:
    recipe = raters.RECIPES["CT dose and views"]
    rater = np.zeros((5, 2))
    random = np.random.default_rng(0)
    said = [raters.opinion(loss, recipe, 0.0, rater, random) for loss in (0.0, 0.3, 0.6, 3.0, 9.0)]
    assert said[0] >= 3.6
    assert said[-1] <= 0.4
    assert said == sorted(said, reverse=True)
    low_is_good = raters.RECIPES["CT, 60 pictures, low is good"]
    assert raters.opinion(0.0, low_is_good, 0.0, rater, random) < raters.opinion(5.0, low_is_good, 0.0, rater, random)


@pytest.mark.parametrize("name", raters.RECIPES)
def test_sets_can_be_read_back(name: str, tmp_path: Path) -> None:
    recipe = raters.RECIPES[name]
    made = [packed(str(i), recipe.modality, slices=1, seed=i) for i in range(2)]
    index = raters.write(name, made, tmp_path, share=0.05)
    rows, problems = read_index(index)
    assert not problems
    assert len({row.group for row in rows}) == 2
    labels = [row.score for row in rows]
    assert min(labels) >= min(recipe.best, recipe.worst)
    assert max(labels) <= max(recipe.best, recipe.worst)
    voxels, *_ = read_image(rows[0].path)
    assert voxels.ndim == 3
    again = raters.write(name, made, tmp_path / "again", share=0.05)
    assert again.read_text() == index.read_text()


def test_worse_pictures_get_worse_labels() -> None:
    content = raters.contents([packed("a", "CT")], "CT", 1)[0]
    random = np.random.default_rng(1)
    spoilt = [raters.mostly_noise(content, random) for _ in range(12)]
    sd = [float(np.std(s.picture[content.voxels > -300])) for s in spoilt]
    assert metrics.srcc(sd, [s.loss for s in spoilt]) > 0.7


def test_a_pack_without_the_modality_is_refused() -> None:
    with pytest.raises(InputError, match="MR volumes"):
        raters.contents([packed("a", "CT")], "MR", 3)
