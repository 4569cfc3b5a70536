from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from qagate.domain.prompt import Prompt
from qagate.errors import ModelCorrupt
from qagate.score import bundle, tiles
from qagate.score.assessor import Assessor
from qagate.score.calibration import Calibration
from qagate.score.network import SIZES, Network
from qagate.score.practised import COLOURS, FILE, Practised, picture
from qagate.score.scorer import Scorer
from qagate.score.vocabulary import Seen

from .bundles import ct, volume
from .test_assessor import made


@pytest.fixture(scope="module")
def untrained() -> Practised:
    torch.manual_seed(0)
    return Practised().eval()


def sure(quality: float) -> Practised:
    """Return an eye that calls everything so good, as a logit, whatever it sees."""
    found = Practised().eval()
    for head in found.heads.values():
        torch.nn.init.zeros_(head[-1].weight)  # type: ignore[index]
        head[-1].bias.data[0] = quality  # type: ignore[index]
    return found


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 32, 40), (2, 33, 32), (4, 64, 64)])
@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_every_tile_is_judged(untrained: Practised, shape: tuple[int, int, int], modality: str) -> None:
    random = np.random.default_rng(0)
    said = untrained.judge([random.normal(0.5, 0.3, shape) for _ in range(3)], modality)
    assert said.score.shape == said.spread.shape == (3,)
    assert said.attributes.shape == (3, 18)
    for part in (said.score, said.spread, said.attributes):
        assert np.isfinite(part).all()
        assert 0 <= part.min() <= part.max() <= 1


def test_tiles_do_not_know_each_other(untrained: Practised) -> None:
    cut = list(np.random.default_rng(1).normal(50, 100, (3, 2, 48, 48)))
    together = untrained.judge(cut, "CT").score
    assert together == pytest.approx([untrained.judge([one], "CT").score[0] for one in cut], abs=1e-5)


def test_colours_of_a_picture() -> None:
    """0 HU beside 100 HU: colours of the eye, then darkness (0 + 1100) / 500 > 1, then 100 / 400 + 0.5."""
    found = picture(np.array([0.0, 100.0]).reshape(2, 1, 1), "CT", 0)
    assert found.flatten().tolist() == pytest.approx([0.5, 0.4, 0.4, 1.0, 0.75])
    dark = picture(np.array([[[-900.0]]]), "CT", 0)
    assert dark.flatten().tolist() == pytest.approx([0.05, 0.0, 0.0, 0.4, 0.5])  # (-900 + 1100) / 500; no neighbour
    mr = picture(np.array([0.1, 0.3]).reshape(2, 1, 1), "MR", 1)
    assert mr.shape == (COLOURS, 1, 1)
    assert mr[3:].flatten().tolist() == pytest.approx([1.0, 0.3])  # 0.3 / 0.25 > 1; 0.1 - 0.3 + 0.5


@pytest.mark.parametrize("slices", [1, 2, 3, 4])
def test_a_tile_read_backwards_is_judged_alike(untrained: Practised, slices: int) -> None:
    tile = np.random.default_rng(2).normal(50, 100, (slices, 40, 40))
    there, back = untrained.judge([tile], "CT"), untrained.judge([tile[::-1]], "CT")
    assert there.score == pytest.approx(back.score, abs=1e-6)


def test_it_comes_back_as_it_was(untrained: Practised, tmp_path: Path) -> None:
    digest = untrained.save(tmp_path)
    loaded = Practised.load(tmp_path, {"practised": {"sha256": digest}})
    assert loaded is not None
    tile = np.random.default_rng(3).normal(50, 100, (2, 40, 40))
    # float16 keeps three digits of a weight
    assert loaded.judge([tile], "CT").score == pytest.approx(untrained.judge([tile], "CT").score, abs=2e-3)
    assert Practised.load(tmp_path, {}) is None
    with pytest.raises(ModelCorrupt, match=r"got "):
        Practised.load(tmp_path, {"practised": {"sha256": "0"}})
    (tmp_path / FILE).write_bytes(b"no weights")
    with pytest.raises(ModelCorrupt, match="must be a whole practised eye, got"):
        Practised.load_from(tmp_path)
    (tmp_path / FILE).unlink()
    assert Practised.load_from(tmp_path) is None
    with pytest.raises(ModelCorrupt, match=r"got "):
        Practised.load(tmp_path, {"practised": {"sha256": digest}})


def test_it_has_its_share_of_the_score_and_the_grades(tmp_path: Path) -> None:
    """The assessor calls everything bad, the practised eye everything good; network 0, assessor .5, eye .5."""
    calibration = Calibration(
        assessor_share={"CT": 0.5, "MR": 0.5}, practised_share={"CT": 0.5, "MR": 0.5}, practised_grade_share=1.0
    )
    bad = made(quality=-8.0, tree=0.0)
    about = {"about": {"licence": "x"}}
    judges = Assessor({"CT": bad, "MR": bad}), None, sure(8.0)
    bundle.save(tmp_path, Network(SIZES["tiny"]), calibration, Seen.everything(), "x", "1.0", about, *judges)
    scorer = Scorer.load(tmp_path, "cpu", 1)
    heard = scorer.hear(volume(ct(9)), Prompt(modality="CT"))
    found = scorer.score(volume(ct(9)), Prompt(modality="CT"))
    assert found.score == pytest.approx(50, abs=1)
    assert {path.name for path in tmp_path.iterdir()} <= {bundle.SHEET, *bundle.FILES}
    assert float(found.slice_scores.mean()) == pytest.approx(found.score, abs=5)
    seen = [looked.practised.attributes.mean(0) for looked in heard.tiles if looked and looked.practised]
    assert heard.grades(0.0, 1.0).max() <= max(map(np.max, seen)) + 1e-9
    assert all(looked.described.shape[1] == tiles.LENGTH for looked in heard.tiles if looked)
