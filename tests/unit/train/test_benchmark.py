from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qagate.domain.assessment import ATTRIBUTES, Estimate, ModelIdentity
from qagate.domain.prompt import Prompt
from qagate.domain.volume import Volume
from qagate.errors import InputError
from qagate.train import ablations, baselines, benchmark
from qagate.train.baselines import iqm
from qagate.train.claims import claims
from qagate.train.table import table
from qagate.train.usable import calibration, risk_coverage
from tests.unit.train.test_sampling import packed


class Contrast:
    """A stand-in for a scorer."""

    identity = ModelIdentity("contrast", "1", "0" * 64)

    def score(self, volume: Volume, prompt: Prompt) -> Estimate:
        value = float(np.clip(20 * np.log1p(volume.voxels.std() / 50), 0, 100))
        slices = np.full(len(volume.voxels), value, np.float32) + np.arange(len(volume.voxels), dtype=np.float32)
        return Estimate(
            value, (value - 20, value + 20), dict.fromkeys(ATTRIBUTES, 0.1), slices, None, 0.1, True, self.identity
        )


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [
        replace(packed(f"{part}{i}", "MR", seed=i), part=part)
        for part in ("fit", "select", "benchmark")
        for i in range(4)
    ]
    monkeypatch.setattr(benchmark, "volumes", lambda path: iter(made))


def test_everything_is_measured_or_says_not_run(parts: None, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn")
    for name in ("MRIQC-style IQMs", "BRISQUE + SVR", "metadata only"):  # trees take long: one of them will do
        monkeypatch.delitem(baselines.BASELINES, name)
    sizes = benchmark.Sizes(fit=10, t0=4, t1=8, t3=6, controls=1, local=2, resamples=10)
    found = benchmark.benchmark(Path("none"), Contrast(), sizes)
    tests = found["tests"]
    assert {"T0", "T1", "T2", "T3", "T4", "T5", "T6", "T7"} <= set(tests)
    assert set(tests["T1"]["rows"]) == {"model", *baselines.BASELINES}
    assert tests["T4"].startswith("not run")
    assert tests["T5"].startswith("not run")
    assert tests["T2"].startswith("not run")
    assert found["ablations"].startswith("not run")
    assert found["judges"].startswith("not run")
    assert tests["T6"]["unmoved"]["identity re-save"]["largest"] == pytest.approx(0, abs=1e-3)
    sharper = [name for name in tests["T6"]["unmoved"] if name.startswith("sharper kernel")]
    assert sharper == ["sharper kernel", "sharper kernel, noisy or blurred, less the label's move"]
    assert tests["T6"]["unmoved"][sharper[1]]["itself"]["largest"] > 0
    assert 0 <= tests["T7"]["interval T1"]["coverage"] <= 1
    json.dumps(found)
    text = table(found)
    for word in ("### T1", "ExtraTrees", "not run", "slice AUC", "labels shuffled"):
        assert word in text


def test_what_was_not_measured_is_not_claimed() -> None:
    answers = claims({"T1": {"rows": {}}, "T2": "not run: why", "T3": None})
    assert set(answers["lower ends above 0.7476 SRCC and 0.7153 PLCC"].values()) == {"not run"}


def test_a_part_without_subjects_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "volumes", lambda path: iter([replace(packed("a", "CT"), part="fit")]))
    with pytest.raises(InputError, match="select, benchmark"):
        benchmark.benchmark(Path("none"), Contrast(), benchmark.QUICK)


def test_claims_need_the_lower_end() -> None:
    def row(low: float, lead: float) -> dict[str, object]:
        ends = {"value": 0.9, "low": low, "high": 0.95, "groups": 9}
        trees = {"model_leads_by_srcc": {"value": 0.1, "low": lead, "high": 0.2, "groups": 9}}
        return {"rows": {"model": {"srcc": ends, "plcc": ends}, "47 features + ExtraTrees": trees}}

    said = claims({"T1": row(0.8, 0.01), "T2": row(0.73, 0.01), "T3": row(0.8, -0.01)})
    above, ahead = said.values()
    assert above == {"T1": True, "T2": False, "T3": True}  # 0.73 < 0.7476
    assert ahead == {"T1": True, "T2": True, "T3": False}


def test_iqms_with_known_answers() -> None:
    random = np.random.default_rng(0)
    x = np.zeros((1, 200, 200))
    x[:, 50:150, 50:150] = 0.5
    x[:, 50:150, 100:150] = 0.8
    x = x + random.normal(0, 0.02, x.shape)
    found = dict(zip(iqm.NAMES[1:], iqm.metrics(x), strict=True))
    assert found["dietrich_snr"] == pytest.approx(0.655 * 0.65 / 0.02, rel=0.05)  # mean of 0.5 and 0.8 is 0.65
    assert found["cjv"] == pytest.approx(0.04 / 0.3, rel=0.1)  # (0.02 + 0.02) / (0.8 - 0.5)
    assert found["foreground"] == pytest.approx(0.25, abs=0.01)  # 100² of 200²


def test_keeping_the_surest_and_what_scores_are_worth() -> None:
    width, error = np.array([3.0, 1.0, 2.0, 4.0]), np.array([6.0, 2.0, 4.0, 8.0])
    kept = risk_coverage(width, error)
    assert kept[-1] == [1.0, 5.0]  # (6 + 2 + 4 + 8) / 4
    assert kept[4] == [0.5, 3.0]  # the two narrowest: (2 + 4) / 2
    said = calibration(np.array([10.0, 90.0, 20.0, 80.0]), np.array([0.0, 100.0, 40.0, 60.0]), parts=2)
    assert said == [[15.0, 20.0, 2.0], [85.0, 80.0, 2.0]]


def test_every_artefact_is_in_one_family() -> None:
    listed = [name for family in ablations.FAMILIES for name in ablations.family(family)]
    assert sorted(listed) == sorted(ablations.REGISTRY)
    assert sorted(a for attributes in ablations.FAMILIES.values() for a in attributes) == sorted(ATTRIBUTES)
