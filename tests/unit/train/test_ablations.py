from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from qagate.domain.prompt import Prompt
from qagate.errors import InputError
from qagate.train import ablations, baselines, fit, sampling
from qagate.train.baselines import resized
from qagate.train.degrade import REGISTRY
from tests.unit.train.test_sampling import packed

QUICK = {name: REGISTRY[name] for name in ("blur", "mr_noise")}


@pytest.fixture
def workshop(monkeypatch: pytest.MonkeyPatch) -> ablations.Workshop:
    """One MR volume in each part, two cheap artefacts, a tiny network."""
    for module in (fit, ablations, sampling):
        monkeypatch.setattr(module, "REGISTRY", QUICK)
    monkeypatch.setattr(
        ablations, "volumes", lambda path, parts: [replace(packed(f"{parts[0]}{i}", "MR", seed=i)) for i in range(3)]
    )
    plan_of = ablations.plan_of
    monkeypatch.setattr(ablations, "plan_of", lambda *given: replace(plan_of(*given), size="tiny"))
    monkeypatch.setattr(resized, "SIDE", 32)
    return ablations.Workshop(Path("none"), ablations.Budget(steps=2, groups=1, made=5, learned=12, t1=4, t2=4, t3=4))


def test_what_a_variant_changes() -> None:
    assert ablations.plan_of("no 2D", 3, 2).planar is False
    assert ablations.plan_of("no prompt", 3, 2).architecture.prompt == "none"
    without = ablations.plan_of("without noise", 3, 2)
    assert set(REGISTRY) - set(without.artefacts) == {"ct_noise", "mr_noise"}
    with pytest.raises(InputError, match="got no luck"):
        ablations.variants(["no luck"])


def test_variants_are_trained_once_and_compared(
    workshop: ablations.Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sklearn")
    for name in [n for n in baselines.BASELINES if n not in ("mean", "47 features + ridge")]:
        monkeypatch.delitem(baselines.BASELINES, name)
    network = next(iter(ablations.NETWORKS))
    told: list[str] = []
    names = ["reference", "no ranking loss", network, "without noise"]
    said = {name: workshop.ask(name, tmp_path, told.append) for name in names}
    assert len(told) == 8
    again = {name: workshop.ask(name, tmp_path, told.append) for name in names}
    assert again == said
    assert len(told) == 8
    found = ablations.document(workshop, said, resamples=3)
    rows = found["tests"]["T1"]["rows"]
    assert set(rows) == {"reference", "no ranking loss", network}
    assert "reference_leads_by_srcc" in rows["no ranking loss"]
    assert set(found["tests"]["T2"]["each"]) == {"noise"}
    assert set(found["tests"]["T2"]["rows"]) == {"model", *baselines.BASELINES}
    assert "no prompt" in found["not_run"]
    json.dumps(found)
    other = ablations.Workshop(Path("none"), replace(workshop.budget, steps=3))
    with pytest.raises(InputError, match="same budget"):
        other.ask("reference", tmp_path, told.append)


def test_groups_with_what_is_left_out_are_not_shown(workshop: ablations.Workshop) -> None:
    plan = ablations.plan_of("without noise", 1, 1)
    noisy = [group for group in workshop.made if "mr_noise" in group.artefacts]
    assert noisy
    with pytest.raises(InputError, match="left to train with"):
        ablations.train(workshop.fitted, noisy, plan)


def test_seven_slices_and_one_word() -> None:
    assert resized.places(13) == [0, 2, 4, 6, 8, 10, 12]  # step 13 // 6 = 2 around 6
    assert resized.places(1) == [0] * 7
    words = {
        resized.word(Prompt(modality=modality, regions=regions))
        for modality in ("CT", "MR")
        for regions in ((), ("head",), ("chest",))
    }
    assert len(words) == 6
    assert max(words) < resized.WORDS


def test_slices_of_any_size_become_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = resized.pictures(torch.zeros(3, 50, 70), Prompt(modality="CT"))
    assert shown.shape == (3, 2, 224, 224)
    source = sampling.slab(packed("a", "MR"), np.random.default_rng(0))
    monkeypatch.setattr(resized, "SIDE", 32)
    for mediqa in (False, True):
        score = resized.predict(resized.Resized(mediqa).eval(), sampling.degraded(source, {}, 0))
        assert 0 <= score <= 100
