from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from qagate.domain.assessment import Estimate, ModelIdentity
from qagate.domain.prompt import Prompt
from qagate.domain.volume import Volume
from qagate.errors import InputError, ScoringError
from qagate.train import evaluate


class Sharpness:
    """A stand-in for a scorer: the more gradient, the better."""

    identity = ModelIdentity("sharpness", "1", "0" * 64)

    def score(self, volume: Volume, prompt: Prompt) -> Estimate:
        if volume.voxels.shape[1] < 20:
            raise ScoringError("voxels must be more, got few")
        value = float(np.abs(np.diff(volume.voxels, axis=2)).mean())
        nothing = np.zeros(1, np.float32)
        return Estimate(value, (0.0, 100.0), {}, nothing, None, 0.9, False, self.identity)


@pytest.fixture
def index(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    lines = ["path,score,modality,group"]
    for content in range(6):
        base = ndimage.gaussian_filter(random.random((48, 48)), 1)
        for level, label in enumerate((4, 3, 2, 1)):
            picture = ndimage.gaussian_filter(base, 0.7 * level)
            picture = (255 * (picture - base.min()) / np.ptp(base)).astype(np.uint8)
            Image.fromarray(picture).save(tmp_path / f"{content}_{level}.png")
            lines.append(f"{content}_{level}.png,{label},CT,c{content}")
    Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save(tmp_path / "small.png")
    lines.append("small.png,1,CT,c9")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    return tmp_path / "labels.csv"


def test_a_good_scorer_agrees_and_a_refused_image_is_said(index: Path) -> None:
    found = evaluate.evaluate(index, Sharpness(), resamples=200)
    assert found.figures.n == 24
    assert found.figures.srcc > 0.9
    assert found.figures.srcc_within == pytest.approx(1.0)
    assert found.problems == ("line 26: voxels must be more, got few",)
    assert found.note == "Scores rise with the labels."
    plain = json.loads(json.dumps(found.document()))
    assert {"srcc", "plcc", "krocc", "rmse", "rmse_sd", "n", "intervals"} <= set(plain)
    assert 0.9 < plain["intervals"]["srcc"][0] < plain["intervals"]["srcc"][1] <= 1.0
    assert "95 %" in evaluate.table(found)


def test_labels_that_run_the_other_way_are_noticed(index: Path) -> None:
    lines = index.read_text().splitlines()
    turned = [lines[0]] + [",".join([a, str(5 - int(b)), c, d]) for a, b, c, d in (x.split(",") for x in lines[1:])]
    index.write_text("\n".join(turned))
    found = evaluate.evaluate(index, Sharpness(), resamples=100)
    assert found.figures.srcc < -0.9
    assert "other way round" in found.note


def test_labels_that_are_all_the_same_are_refused(index: Path) -> None:
    lines = index.read_text().splitlines()
    index.write_text(
        "\n".join([lines[0], *(",".join([a, "2", c, d]) for a, _, c, d in (x.split(",") for x in lines[1:]))])
    )
    with pytest.raises(InputError, match="differ, got 2 everywhere"):  # RMSE / SD would be infinite, which JSON has not
        evaluate.evaluate(index, Sharpness(), resamples=10)


def test_too_few_rows_are_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("path,score\nabsent.png,1\n")
    with pytest.raises(InputError, match="got 0\n  line 2"):
        evaluate.evaluate(tmp_path / "labels.csv", Sharpness())


def test_every_figure_is_explained(index: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "own-scores.md").read_text(encoding="utf-8")
    said = evaluate.evaluate(index, Sharpness(), resamples=20).document()
    assert [name for name in said if f"`{name}`" not in page and name != "schema"] == []
