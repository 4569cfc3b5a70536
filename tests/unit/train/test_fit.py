from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from qagate.errors import InputError, ModelCorrupt
from qagate.score import bundle
from qagate.train import __main__ as commands
from qagate.train import calibrate, checkpoint, fit, pack, sampling
from qagate.train.degrade import REGISTRY
from qagate.train.variety import enlarged

from .volumes import folder

QUICK = {name: REGISTRY[name] for name in ("blur", "mr_noise", "jpeg")}
PLAN = fit.Plan(size="tiny", steps=3, groups=1, fresh=1, pool=2, select_groups=2, measure_groups=2, save_minutes=60.0)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few and cheap artefacts: what they do is tested elsewhere."""
    monkeypatch.setattr(fit, "REGISTRY", QUICK)
    monkeypatch.setattr(calibrate, "REGISTRY", QUICK)
    monkeypatch.setattr(sampling, "REGISTRY", QUICK)


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("volumes")
    pack.write(folder(place, 10), place / "x.qpk")
    return place / "x.qpk"


def test_the_loss_falls(packed: Path) -> None:
    plan = fit.Plan(size="tiny", steps=15, groups=1, seed=3, nuisance=False, rate=0.02, measure_groups=2)
    fitted = list(pack.volumes(packed, ("fit",)))
    run = fit.start(plan, len(fitted))
    fit.measure(run, fitted, plan)
    groups = next(fit.feed(fitted, plan, 0))
    told = []
    for _ in range(15):
        told.append(fit.step(run, groups, fitted, plan)["loss"])
    assert np.mean(told[-3:]) < 0.95 * np.mean(told[:3])


def test_a_resumed_run_is_the_same(packed: Path, tmp_path: Path) -> None:
    torch.use_deterministic_algorithms(True)
    try:
        whole = fit.fit(packed, tmp_path / "whole", PLAN)
        # a run that ends at step 2 has another rate of learning, so it is stopped by hand
        fitted = enlarged(list(pack.volumes(packed, ("fit",))))
        run = fit.start(PLAN, len(fitted))
        fit.measure(run, fitted, PLAN)
        source = fit.feed(fitted, PLAN, 0)
        for _ in range(2):
            fit.step(run, next(source), fitted, PLAN)
        checkpoint.save(run, tmp_path / "halves" / "last", asdict(PLAN))
        resumed = fit.fit(packed, tmp_path / "halves", PLAN, resume=True)
    finally:
        torch.use_deterministic_algorithms(False)
    assert resumed == whole
    first = bundle.load_tensors(tmp_path / "whole" / "last" / "state.safetensors")
    second = bundle.load_tensors(tmp_path / "halves" / "last" / "state.safetensors")
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_export_writes_a_bundle_that_loads(packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit.fit(packed, tmp_path / "fit", PLAN)
    capsys.readouterr()
    out = tmp_path / "made-1.2.3"
    arguments = [
        str(packed),
        str(tmp_path / "fit"),
        str(out),
        "--version",
        "1.2.3",
        "--checkpoint",
        "last",
        "--groups",
        "4",
        "--samples",
        "24",
    ]
    assert commands.main(["export", *arguments]) == 0
    told = json.loads(capsys.readouterr().out)
    loaded = bundle.load(out)
    assert loaded.identity.version == "1.2.3"
    assert loaded.identity.sha256 == told["sha256"]
    assert "modality:CT" in loaded.seen.words
    assert "echo_time_ms" not in loaded.seen.values
    assert loaded.calibration.knots_to[0] == 0.0
    assert list(loaded.calibration.knots_to) == sorted(loaded.calibration.knots_to)
    assert loaded.about["training"]["steps"] == PLAN.steps
    parts = json.loads((out / "parts.json").read_text())
    assert any("knee" in name for name in parts["benchmark"])
    assert not any("knee" in name for name in parts["fit"])


def test_a_run_can_begin_with_a_checkpoint_or_a_bundle(packed: Path, tmp_path: Path) -> None:
    fit.fit(packed, tmp_path / "fit", PLAN)
    options = ["--version", "1.0.0", "--checkpoint", "last", "--groups", "4", "--samples", "24"]
    made = tmp_path / "made-1.0.0"
    assert commands.main(["export", str(packed), str(tmp_path / "fit"), str(made), *options]) == 0
    begun = bundle.load(made).network.state_dict()
    for folder_ in (tmp_path / "fit" / "last", made):
        run = fit.start(PLAN, 1)
        run.step = 7
        fit._begin_with(run, folder_)
        assert run.step == 0
        for network in (run.network, run.ema):
            assert all(torch.equal(network.state_dict()[name], value) for name, value in begun.items())
    with pytest.raises(InputError, match="same size"):
        fit._begin_with(fit.start(replace(PLAN, size="small"), 1), made)


def test_the_map_rises_whatever_is_said() -> None:
    draws = np.random.default_rng(0)
    said = draws.uniform(0.2, 0.9, 200)
    for target in (said, 1 - said, np.full(200, 0.5)):
        before, after = calibrate.monotone(said, target)
        assert before == sorted(before)
        assert after == sorted(after)
        assert (before[0], after[0], before[-1], after[-1]) == (0.0, 0.0, 1.0, 100.0)


def test_artefacts_can_be_left_out() -> None:
    assert set(fit.Plan(without="blur, jpeg").artefacts) == {"mr_noise"}
    assert fit.Plan().artefacts == QUICK
    for wrong in ("fog", "blur,fog", "blur,jpeg,mr_noise"):
        with pytest.raises(InputError, match=f"got {wrong}"):
            _ = fit.Plan(without=wrong).artefacts


def test_a_missing_or_broken_checkpoint_is_said(tmp_path: Path) -> None:
    run = fit.start(PLAN, 1)
    with pytest.raises(InputError, match="checkpoint"):
        checkpoint.restore(run, tmp_path)
    checkpoint.save(run, tmp_path, asdict(PLAN))
    (tmp_path / "state.safetensors").write_bytes(b"broken")
    with pytest.raises(ModelCorrupt):
        checkpoint.restore(run, tmp_path)


def test_an_unknown_command_lists_the_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["guess"]) == 2
    assert "got guess" in capsys.readouterr().err
    assert commands.main(["--help"]) == 0
    assert commands.main(["fit", "/nowhere.qpk", "/tmp/x-never"]) == 2
