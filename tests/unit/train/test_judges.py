from __future__ import annotations

from pathlib import Path

import pytest

from qagate.domain.prompt import Prompt
from qagate.score import bundle
from qagate.score.assessor import Assessor
from qagate.score.calibration import Calibration
from qagate.score.network import SIZES, Network
from qagate.score.scorer import Scorer
from qagate.score.vocabulary import Seen
from qagate.train import judges
from qagate.train.heard import MODEL, hear
from qagate.train.sampling import samples
from tests.unit.score.bundles import ct, tiny, volume
from tests.unit.score.test_assessor import made
from tests.unit.score.test_practised import sure
from tests.unit.train.test_sampling import packed


@pytest.fixture
def scorer(tmp_path: Path) -> Scorer:
    """An assessor that calls everything bad (0), a practised eye that calls everything good (1)."""
    calibration = Calibration(assessor_share={"CT": 0.6, "MR": 0.6}, practised_share={"CT": 0.3, "MR": 0.3})
    bad = made(quality=-9.0, tree=0.0)
    about = {"about": {"licence": "x"}}
    both = Assessor({"CT": bad, "MR": bad}), None, sure(9.0)
    bundle.save(tmp_path, Network(SIZES["tiny"]), calibration, Seen.everything(), "x", "1.0", about, *both)
    return Scorer.load(tmp_path, "cpu", 1)


def test_each_judge_alone_and_the_others_without_it(scorer: Scorer) -> None:
    found = judges.variants(scorer.hear(volume(ct(4)), Prompt(modality="CT")), scorer)
    network = found["network alone"]
    assert found["assessor alone"] == pytest.approx(0, abs=0.1)
    assert found["practised eye alone"] == pytest.approx(100, abs=0.1)
    assert found["no assessor"] == pytest.approx((0.1 * network + 0.3 * 100) / 0.4, abs=0.2)
    assert found["no practised eye"] == pytest.approx(0.1 * network / 0.7, abs=0.2)


def test_the_model_leads_are_told_for_every_test(scorer: Scorer) -> None:
    test = hear(samples([packed("a", "MR"), packed("b", "MR", seed=1)], 6, 3), scorer, {})
    found = judges.measure({"T1": test}, scorer, 10)
    assert isinstance(found, dict)
    assert found["T1"]["n"] == 6
    assert list(found["T1"]["rows"]) == [
        MODEL, "network alone", "assessor alone", "practised eye alone", "no assessor", "no practised eye",
    ]  # fmt: skip
    assert "model_leads_by_srcc" in found["T1"]["rows"]["no assessor"]


def test_a_network_alone_has_nobody_beside_it(tmp_path: Path) -> None:
    found = judges.measure({}, Scorer.load(tiny(tmp_path), "cpu", 1), 10)
    assert isinstance(found, str)
    assert found.startswith("not run")
