from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from qagate.domain.assessment import ModelIdentity
from qagate.score.bundle import Bundle
from qagate.score.calibration import Calibration
from qagate.score.network import SIZES, Network
from qagate.score.scorer import Scorer
from qagate.score.vocabulary import Seen
from qagate.train import ablations, assess, baselines, boost, card, looks, parts, perceptron, sampling, unseen
from qagate.train.degrade import REGISTRY
from qagate.train.heard import compare_families
from tests.unit.score.test_assessor import made
from tests.unit.train.test_sampling import packed

QUICK = {name: REGISTRY[name] for name in ("blur", "mr_noise")}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "SMALL", assess.Recipe((0.7, 0.7), 3, 2, boost.Recipe(5, 0.1)))
    monkeypatch.setattr(perceptron, "EPOCHS", 4)
    monkeypatch.setattr(assess, "LEAST", 2)
    monkeypatch.setattr(assess, "MODALITIES", ("MR",))
    for module in (ablations, sampling):
        monkeypatch.setattr(module, "REGISTRY", QUICK)
    for name in [n for n in baselines.BASELINES if n not in ("mean", "47 features + ridge")]:
        monkeypatch.delitem(baselines.BASELINES, name)
    fit = assess.fit

    def both(*given: object) -> object:  # a fit of MR alone stands for CT too
        monkeypatch.setattr(assess, "Assessor", lambda arrays: parts.Assessor({"CT": arrays["MR"], **arrays}))
        return fit(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(assess, "fit", both)


@pytest.fixture
def scorer() -> Scorer:
    identity = ModelIdentity("x", "1", "0" * 64)
    assessor = parts.Assessor({"CT": made(quality=1.0), "MR": made(quality=1.0)})
    network, calibration = Network(SIZES["tiny"]).eval(), Calibration(assessor_share={"CT": 0.5, "MR": 0.5})
    model = Bundle(parts.Path(), identity, SIZES["tiny"], calibration, Seen.everything(), {}, network, assessor)
    return Scorer(model, torch.device("cpu"))


@pytest.mark.usefixtures("quick")
def test_every_part_and_every_family_has_its_figures(scorer: Scorer) -> None:
    pytest.importorskip("sklearn")
    contents = [packed(f"{i}", "MR", seed=i) for i in range(3)]
    table = looks.tabled(sampling.samples(contents, 14, 1), 0)
    test = parts.gather(list(sampling.samples(contents, 6, 3)), scorer)
    assert test.network.shape == test.promptless.shape == (6,)
    told: list[str] = []
    pool = ThreadPoolExecutor(1)
    said = parts.ablated(table, {"T1": test, "T3": test}, scorer, 0, told.append, pool)
    assert set(said["T1"]) >= {"shipped", "no prompt", "no boosted trees", parts.SAME, *parts.GROUPS}
    # expit(1) and trees of 0.5, in halves with the network
    shares = (0.34 * 0.731 + 0.66 * 0.5, 0.5)
    assert said["T1"]["shipped"] == pytest.approx(50 * (test.network + shares[0]), abs=0.1)
    assert said["T1"]["no perceptrons"] == pytest.approx(50 * (test.network + shares[1]), abs=0.1)
    assert "no nameless faults" not in said["T1"]  # as all of them have names
    found = parts.document(said, {"T1": test, "T3": test}, 3)
    assert "shipped_leads_by_srcc" in found["T1"]["rows"]["no prompt"]
    assert f"{card.AGAIN}_leads_by_srcc" in found["T3"]["rows"]["no marks"]
    json.dumps(found)


@pytest.mark.usefixtures("quick")
def test_a_family_that_was_never_seen_has_its_figures() -> None:
    pytest.importorskip("sklearn")
    contents = [packed(f"{i}", "MR", seed=i) for i in range(3)]
    named = looks.tabled(sampling.samples(contents, 14, 1), 0)
    nameless = looks.tabled(sampling.samples(contents, 8, 5, nameless=True), 0, 1)
    learned = list(sampling.samples(contents, 10, 2))
    told: list[str] = []
    pool = ThreadPoolExecutor(1)
    table = looks.joined([named, nameless])
    families = unseen.left_out(table, contents, learned, 4, 0, told.append, pool, ("noise",))
    assert {name for s in families["noise"].samples for name in s.artefacts} == {"mr_noise"}
    assert set(families["noise"].predicted) == {"model", unseen.NAMED, parts.SAME, *baselines.BASELINES}
    assert not np.array_equal(families["noise"].predicted["model"], families["noise"].predicted[unseen.NAMED])
    assert told == ["without noise"]
    found = compare_families(families, 3)
    assert set(found["each"]) == {"noise"}
    assert "model_leads_by_srcc" in found["rows"][unseen.NAMED]
    json.dumps(found)


def test_hidden_columns_are_not_looked_at() -> None:
    assert (card.SAME, card.SHIPPED, card.AGAIN) == (parts.SAME, parts.SHIPPED, parts.REFERENCE)
    columns = [set(hidden) for hidden in parts.GROUPS.values()]
    assert sum(map(len, columns)) == parts.tiles.LENGTH == len(set.union(*columns))
    assessor = parts.Assessor({"CT": made(), "MR": made()})
    arrays = dict(assessor.arrays["MR"])
    arrays["weight_0"] = np.ones_like(arrays["weight_0"])
    arrays["weight_1"], arrays["weight_2"] = np.ones_like(arrays["weight_1"]), np.ones_like(arrays["weight_2"])
    assessor = parts.Assessor({"CT": arrays, "MR": arrays})
    described = np.zeros((2, parts.tiles.LENGTH), np.float32)
    described[1, parts.GROUPS["no marks"]] = 0.001

    class Sample:
        modality = "MR"

    test = parts.Test([Sample(), Sample()], np.zeros(2), np.zeros(2), None, described)  # type: ignore[list-item]
    seen, hidden = parts.judged(assessor, test), parts.judged(assessor, test, parts.GROUPS["no marks"])
    assert seen[0] != seen[1]
    assert hidden[0] == hidden[1] == seen[0]
