from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from qagate.domain.assessment import ATTRIBUTES
from qagate.errors import InputError
from qagate.score.eye import Eye
from qagate.score.practised import COLOURS, Practised, picture
from qagate.train import pack, practise, sampling
from qagate.train.degrade import REGISTRY
from qagate.train.practise import Lesson, Look
from tests.unit.train.test_sampling import packed

from .volumes import folder


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(practise, "WAITING", 6)
    monkeypatch.setattr(practise, "BLOCK", 6)
    monkeypatch.setattr(practise, "AHEAD", 1)
    monkeypatch.setattr(practise, "TOLD_EVERY", 1)


def lesson(modality: str, quality: float = 0.5, side: int = 40) -> Lesson:
    slab = np.random.default_rng(round(100 * quality)).uniform(0.1, 0.9, (2, side, side + 3))
    truth = np.zeros(1 + len(ATTRIBUTES), np.float32)
    truth[0] = quality
    return Lesson((slab * 200 if modality == "CT" else slab).astype(np.float16), modality, truth)


def test_what_is_kept_of_a_sample_is_its_truth() -> None:
    for sample in sampling.samples([packed("a", "MR")], 6, 4):
        kept = practise.lesson(sample)
        assert kept.slab.ndim == 3
        assert kept.truth[0] == pytest.approx(sample.quality / 100, abs=1e-6)
        named = {ATTRIBUTES[i - 1] for i in np.flatnonzero(kept.truth[1:]) + 1}
        assert named == {REGISTRY[name].attribute for name, strength in sample.artefacts.items() if strength > 0}


@pytest.mark.parametrize(("side", "looked"), [(32, 32), (63, 32), (64, 64), (127, 96), (500, 224)])
def test_few_sizes_are_looked_at(side: int, looked: int) -> None:
    assert lesson("MR", side=side).side == looked


def test_a_practised_eye_begins_by_seeing_what_the_eye_sees() -> None:
    torch.manual_seed(0)
    eye = Eye().eval()
    begun = practise.begun(eye)
    seen = picture(np.random.default_rng(0).normal(50, 100, (2, 64, 64)), "CT", 0)[None]
    with torch.inference_mode():
        assert begun.eye.eval()(seen) == pytest.approx(eye(seen[:, :3]), abs=1e-5)
    with pytest.raises(InputError, match="got none"):
        practise.begun(None)


def test_looks_are_alike_in_lots_and_each_sample_is_shown_so_often(quick: None) -> None:
    drawn = [lesson("CT" if i % 2 else "MR", i / 100, side=40 if i % 3 else 70) for i in range(40)]
    lots = []
    try:
        for lot in practise.shown(iter(drawn), 0):
            lots.append(lot)
    except RuntimeError:  # samples have come to an end
        pass
    assert [lot[0].modality for lot in lots[:4]] == ["CT", "MR", "CT", "MR"]
    for lot in lots:
        assert 1 <= len(lot) <= practise.ALIKE
        assert len({(one.modality, one.pixels.shape) for one in lot}) == 1
        assert lot[0].pixels.shape[0] == COLOURS
    shown = [round(100 * float(one.truth[0])) for lot in lots for one in lot]
    assert max(map(shown.count, shown)) <= practise.SHOWN


def learned(steps: int, seed: int = 0) -> tuple[Practised, list[list[Look]]]:
    """Good samples are smooth, bad ones rough: as plain a lesson as there is."""
    random = np.random.default_rng(seed)

    def lots() -> list[Look]:
        found = []
        for quality in (0.1, 0.9, 0.1, 0.9):
            slab = 0.5 + (1 - quality) * random.normal(0, 0.3, (1, 32, 32))
            truth = np.zeros(1 + len(ATTRIBUTES), np.float32)
            truth[0] = quality
            found.append(Look(picture(slab, "MR", 0), "MR", torch.from_numpy(truth)))
        return found

    torch.manual_seed(seed)
    network = practise.begun(Eye())
    held = [lots() for _ in range(2)]
    practise.fit(network, iter([lots() for _ in range(2 * practise.TURNS * steps)]), steps, Path())
    return network, held


def test_it_learns_what_there_is_to_learn(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(practise, "WARM", 3)
    monkeypatch.setattr(practise, "TOLD_EVERY", 12)
    network, held = learned(12)
    assert "step 12 of 12" in capsys.readouterr().out
    looks = [one for lot in held for one in lot]
    with torch.inference_mode():
        said = network.eval()(torch.stack([one.pixels for one in looks]), "MR")[:, 0].sigmoid()
    good = torch.tensor([bool(one.truth[0] > 0.5) for one in looks])
    assert said[good].min() > said[~good].max()


def test_who_ranks_wrongly_pays_more() -> None:
    """Of two looks, 0.1 and 0.9, and a network that says 0.5 of both, or 0.9 and 0.1, or what is true."""
    truth = [torch.zeros(1 + len(ATTRIBUTES)) for _ in "ab"]
    truth[0][0], truth[1][0] = 0.1, 0.9
    lot = [Look(torch.zeros(COLOURS, 32, 32), "CT", one) for one in truth]

    class Saying(Practised):
        def __init__(self, first: float, second: float) -> None:
            super().__init__()
            self.said = torch.zeros(2, 2 + len(ATTRIBUTES))
            self.said[:, 0] = torch.tensor([first, second]).logit()

        def forward(self, pictures: torch.Tensor, modality: str) -> torch.Tensor:
            return self.said

    said = [practise.loss(Saying(*scores), [lot]) for scores in ((0.9, 0.1), (0.5, 0.5), (0.1, 0.9))]
    costs, errors = [float(cost) for cost, _ in said], [error for _, error in said]
    assert costs[0] > costs[1] > costs[2]
    assert errors == pytest.approx([0.64, 0.16, 0.0], abs=1e-6)


def test_half_way_between_two_eyes(tmp_path: Path) -> None:
    one, other = (practise.begun(Eye()) for _ in "ab")
    torch.nn.init.constant_(one.norm.bias, 0.25)
    torch.nn.init.constant_(other.norm.bias, 0.75)
    other.save(tmp_path)
    assert practise.between(one, tmp_path).norm.bias.detach() == pytest.approx(torch.full((1024,), 0.5))
    with pytest.raises(InputError, match="got "):
        practise.between(one, tmp_path / "nowhere")


def test_the_command_goes_on_from_what_lies_there(
    quick: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(practise, "_contents", lambda _: [packed("a", "CT"), packed("b", "MR"), packed("c", "MR")])
    monkeypatch.setattr(practise, "TURNS", 1)
    pack.write(folder(tmp_path, 10), tmp_path / "x.qpk")
    begun, asked = practise.begun, []
    monkeypatch.setattr(practise, "begun", lambda eye: asked.append(eye) or begun(eye))  # type: ignore[func-returns-value]
    line = [str(tmp_path / "x.qpk"), str(tmp_path / "out"), "--steps", "2", "--seed", "3"]
    assert practise.main(line) == 0
    assert "practised eye after 2 steps" in capsys.readouterr().out
    first = Practised.load_from(tmp_path / "out")
    assert first is not None
    assert practise.main([line[0], str(tmp_path / "again"), *line[2:]]) == 0
    again = Practised.load_from(tmp_path / "again")
    assert again is not None
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    asked.pop()
    assert practise.main(line) == 0
    second = Practised.load_from(tmp_path / "out")
    assert second is not None
    assert len(asked) == 1
    moved = [(a - b).abs().max() for a, b in zip(first.parameters(), second.parameters(), strict=True)]
    assert max(moved) > 0
