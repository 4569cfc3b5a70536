from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import special

from qagate.domain.prompt import Prompt
from qagate.errors import ModelCorrupt
from qagate.score import bundle, tiles
from qagate.score.assessor import BOOSTED, FILE, NAMING, OUTPUTS, SHARES, TREES, Assessor, standardised
from qagate.score.calibration import Calibration
from qagate.score.network import SIZES, Network
from qagate.score.scorer import Scorer
from qagate.score.vocabulary import Seen

from .bundles import ct, volume


def made(
    members: int = 3 + NAMING, quality: float = 0.0, tree: float = 0.5, boosted: float | None = None
) -> dict[str, np.ndarray]:
    """Arrays of a modality that say one thing of every tile: a logit of the quality, and trees of one leaf."""
    zeros = {
        "weight_0": np.zeros((members, tiles.LENGTH, 4)), "bias_0": np.zeros((members, 1, 4)),
        "weight_1": np.zeros((members, 4, 3)), "bias_1": np.zeros((members, 1, 3)),
        "weight_2": np.zeros((members, 3, OUTPUTS)), "bias_2": np.zeros((members, 1, OUTPUTS)),
    }  # fmt: skip
    zeros["bias_2"][:, :, 0] = quality
    found: dict[str, Any] = {name: array.astype(np.float32) for name, array in zeros.items()}
    found |= {"centre": np.zeros(tiles.LENGTH, np.float32), "scale": np.ones(tiles.LENGTH, np.float32)}
    found |= {
        "tree_feature": np.array([-1], np.int32), "tree_threshold": np.zeros(1, np.float32),
        "tree_left": np.zeros(1, np.int32), "tree_value": np.array([tree], np.float32),
        "tree_root": np.zeros(1, np.int32),
    }  # fmt: skip
    found |= {name.replace("tree", "boosted"): found[name] for name in TREES}
    found["boosted_value"] = np.array([tree if boosted is None else boosted], np.float32)
    return found


def test_each_judge_has_its_share() -> None:
    assessor = Assessor({"CT": made(quality=1.0, tree=0.2, boosted=0.9), "MR": made()})
    one = float(special.expit(1.0))  # 0.731
    mixed = SHARES[0] * one + SHARES[1] * 0.2 + SHARES[2] * 0.9
    said = assessor.judge(np.zeros((3, tiles.LENGTH)), "CT")
    assert sum(SHARES) == pytest.approx(1.0)
    assert said.score == pytest.approx([mixed] * 3)
    # spread: the error exp(-1.5) and how far perceptrons are from what is said
    assert said.spread == pytest.approx([np.hypot(np.exp(-1.5), one - mixed)] * 3)
    assert said.attributes.shape == (3, 18)
    assert said.attributes == pytest.approx(0.5)
    # shares may be in any unit: (0.731 + 0.9) / 2
    other = assessor.judge(np.zeros((1, tiles.LENGTH)), "CT", (2.0, 0.0, 2.0))
    assert other.score == pytest.approx([(one + 0.9) / 2])


def test_shares_of_its_own_are_kept(tmp_path: Path) -> None:
    assessor = Assessor({"CT": made(quality=1.0, tree=0.2, boosted=0.9), "MR": made()})
    assessor.weighed({"CT": (0.0, 0.5, 0.5), "MR": (1.0, 0.0, 0.0)}).save(tmp_path)
    kept = Assessor.load_from(tmp_path)
    assert kept is not None
    # values of the forest are kept with 11 bits
    assert kept.judge(np.zeros((1, tiles.LENGTH)), "CT").score == pytest.approx([(0.2 + 0.9) / 2], abs=1e-4)
    assert tuple(kept.shares("MR")) == (1.0, 0.0, 0.0)
    assert tuple(assessor.shares("MR")) == SHARES


def test_an_assessor_of_before_boosted_trees_judges_as_it_did() -> None:
    """195 numbers, of a tile's every other slice and its marks; perceptrons and forest have one half each."""
    arrays = {name: array for name, array in made(quality=1.0, tree=0.2).items() if name not in BOOSTED}
    arrays |= {"centre": np.zeros(tiles.SHORT, np.float32), "scale": np.ones(tiles.SHORT, np.float32)}
    arrays["weight_0"] = arrays["weight_0"][:, : tiles.SHORT]
    old = Assessor({"CT": arrays, "MR": arrays})
    tile = np.random.default_rng(0).normal(0, 50, (4, 64, 64)).astype(np.float32)
    described = old.describe(tile, "CT")
    assert described.shape == (tiles.SHORT,) == (195,)
    assert old.judge(described[None], "CT").score == pytest.approx([(float(special.expit(1.0)) + 0.2) / 2])
    new = Assessor({"CT": made(), "MR": made()})
    assert new.describe(tile, "CT").shape == (tiles.LENGTH,)


def test_an_assessor_of_before_marks_of_the_stack_sees_what_it_saw() -> None:
    """350 numbers: the first of those of now."""
    arrays = made()
    arrays |= {"centre": np.zeros(tiles.MEDIUM, np.float32), "scale": np.ones(tiles.MEDIUM, np.float32)}
    arrays["weight_0"] = arrays["weight_0"][:, : tiles.MEDIUM]
    tile = np.random.default_rng(0).normal(0, 50, (4, 64, 64)).astype(np.float32)
    described = Assessor({"CT": arrays, "MR": arrays}).describe(tile, "MR")
    assert described.shape == (tiles.MEDIUM,) == (350,)
    assert described == pytest.approx(tiles.describe(tile, "MR")[:350])


def test_a_layer_is_what_torch_makes_of_it() -> None:
    import torch

    draws = np.random.default_rng(0)
    arrays = {
        k: (draws.normal(0, 0.2, v.shape).astype(np.float32) if k.startswith(("weight", "bias")) else v)
        for k, v in made().items()
    }
    x = draws.normal(0, 1, (5, tiles.LENGTH)).astype(np.float32)
    expected = []
    for member in range(3):
        y = torch.from_numpy(standardised(x, arrays["centre"], arrays["scale"]))
        for layer in (0, 1, 2):
            y = y @ torch.from_numpy(arrays[f"weight_{layer}"][member]) + torch.from_numpy(
                arrays[f"bias_{layer}"][member]
            )
            y = torch.nn.functional.gelu(y) if layer < 2 else y
        expected.append(y[:, 0].sigmoid().numpy())
    said = Assessor({"CT": arrays, "MR": made()}).judge(x, "CT")
    assert said.score == pytest.approx(SHARES[0] * np.mean(expected, 0) + (1 - SHARES[0]) * 0.5, abs=1e-5)


def test_an_assessor_comes_back_as_it_was(tmp_path: Path) -> None:
    digest = Assessor({"CT": made(quality=1.0), "MR": made(quality=-1.0)}).save(tmp_path)
    loaded = Assessor.load(tmp_path, {"assessor": {"sha256": digest}})
    assert loaded is not None
    nothing = np.zeros((1, tiles.LENGTH))
    assert loaded.judge(nothing, "CT").score > loaded.judge(nothing, "MR").score
    assert Assessor.load(tmp_path, {}) is None
    with pytest.raises(ModelCorrupt, match=r"got "):
        Assessor.load(tmp_path, {"assessor": {"sha256": "0"}})
    (tmp_path / FILE).unlink()
    with pytest.raises(ModelCorrupt, match=r"got "):
        Assessor.load(tmp_path, {"assessor": {"sha256": digest}})


def test_an_assessor_must_be_whole() -> None:
    with pytest.raises(ModelCorrupt, match=f"{tiles.LENGTH} features"):
        Assessor({"CT": made()})


def test_the_score_is_a_mixture(tmp_path: Path) -> None:
    """The same network with an assessor that calls everything good, and one that calls everything bad."""
    scores = {}
    for name, quality in (("good", 8.0), ("bad", -8.0)):
        one = made(quality=quality, tree=float(quality > 0))
        (tmp_path / name).mkdir()
        bundle.save(
            tmp_path / name, Network(SIZES["tiny"]),
            Calibration(assessor_share={"CT": 1.0, "MR": 1.0}, grade_share=0.5),
            Seen.everything(), name, "1.0", {"about": {"licence": "x"}}, Assessor({"CT": one, "MR": one}),
        )  # fmt: skip
        found = Scorer.load(tmp_path / name, "cpu", 1).score(volume(ct(9)), Prompt(modality="CT"))
        scores[name] = found.score
        assert np.isfinite(found.slice_scores).all()
        # slices follow the assessor's opinion of the slab
        assert float(found.slice_scores.mean()) == pytest.approx(found.score, abs=5)
    assert scores["good"] > 99
    assert scores["bad"] < 1
