from __future__ import annotations

import tracemalloc
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from qagate.domain.prompt import Acquisition, Prompt
from qagate.errors import ModelMissing, ScoringError
from qagate.score import scorer
from qagate.score.assessor import Opinion
from qagate.score.eye import Eye
from qagate.score.heard import Looked
from qagate.score.patches import spots
from qagate.score.scorer import Scorer
from qagate.score.vocabulary import ATTRIBUTES_OF

from .bundles import ct, tiny, volume

CHEST = Prompt(modality="CT", regions=("chest",), organ="lung")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    return Scorer.load(tiny(tmp_path_factory.mktemp("models")), device="cpu", threads=1)


@pytest.mark.parametrize("slices", [1, 2, 4, 5, 9])
def test_a_volume_of_any_depth_gets_all_it_should(small: Scorer, slices: int) -> None:
    found = small.score(volume(ct(slices)), CHEST)
    assert 0 <= found.interval[0] <= found.score <= found.interval[1] <= 100
    assert found.slice_scores.shape == (slices,)
    assert np.isfinite(found.slice_scores).all()
    assert found.heatmap is not None
    assert found.heatmap.shape == (slices, 8, 9)
    assert 0 <= found.heatmap.min() <= found.heatmap.max() <= 1
    assert set(found.attributes) == set(ATTRIBUTES_OF["CT"])
    assert found.in_domain
    assert found.model.name == "tiny"


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 5, 300), (1, 17, 17), (3, 96, 96), (1, 700, 130)])
def test_any_size_of_picture(small: Scorer, shape: tuple[int, int, int]) -> None:
    voxels = np.random.default_rng(1).gamma(2.0, 50.0, shape).astype(np.float32)
    found = small.score(volume(voxels), Prompt(modality="MR"))
    assert np.isfinite(found.score)
    assert found.heatmap is not None
    assert found.heatmap.shape == (shape[0], -(-shape[1] // 16), -(-shape[2] // 16))


def test_the_same_twice(small: Scorer) -> None:
    first, second = small.score(volume(ct(6)), CHEST), small.score(volume(ct(6)), CHEST)
    assert first.score == second.score
    assert np.array_equal(first.slice_scores, second.slice_scores)
    assert first.attributes == second.attributes


@pytest.mark.parametrize("workers", [2, 3, 8])
def test_slabs_side_by_side_say_the_same_as_one_after_the_other(small: Scorer, workers: int) -> None:
    together = Scorer(small.model, small.device, workers=workers)
    for prompt, voxels in ((CHEST, ct(14)), (Prompt(modality="MR"), np.abs(ct(10)))):
        alone, found = small.score(volume(voxels), prompt), together.score(volume(voxels), prompt)
        assert found.score == pytest.approx(alone.score, abs=0.01)
        assert found.interval == pytest.approx(alone.interval, abs=0.01)
        assert found.slice_scores == pytest.approx(alone.slice_scores, abs=0.01)
        assert found.attributes == pytest.approx(alone.attributes, abs=1e-4)
        assert found.heatmap == pytest.approx(alone.heatmap, abs=1e-4)


def test_threads_that_begin_later_still_have_all_of_torch(small: Scorer) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        Scorer(small.model, small.device, workers=2).score(volume(ct(16)), CHEST)
        with ThreadPoolExecutor(1) as later:
            assert later.submit(torch.get_num_threads).result() == 3
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_a_fault_in_one_slab_ends_the_volume(small: Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(slab: np.ndarray, modality: str) -> float:
        if float(ct(16)[8, 0, 0]) in slab[:, 0, 0]:  # one slab of the four, whichever way the stack is read
            raise ScoringError("a fault")
        return 0.0

    monkeypatch.setattr(scorer.familiar, "strangeness", broken)
    with pytest.raises(ScoringError, match="a fault"):
        Scorer(small.model, small.device, workers=2).score(volume(ct(16)), CHEST)


def test_unknown_words_do_no_harm(small: Scorer) -> None:
    odd = Prompt("US", ("moon",), "tail", "X", "x", "x", None, Acquisition(kvp=float("nan"), echo_time_ms=-1.0))
    assert np.isfinite(small.score(volume(ct()), odd).score)
    assert np.isfinite(small.score(volume(ct()), Prompt()).score)


def test_a_silent_prompt_is_taken_for_ct_when_there_is_air(small: Scorer) -> None:
    assert set(small.score(volume(ct()), Prompt()).attributes) == set(ATTRIBUTES_OF["CT"])
    assert set(small.score(volume(np.abs(ct())), Prompt()).attributes) == set(ATTRIBUTES_OF["MR"])


def test_a_silent_prompt_is_taken_by_a_slice_that_can_be_seen(small: Scorer) -> None:
    voxels = ct(3).astype(np.float32)
    voxels[1] = np.nan
    assert small.hear(volume(voxels), Prompt()).modality == "CT"


def test_invalid_slices_are_not_scored_and_do_not_count(small: Scorer) -> None:
    voxels = ct(6).astype(np.float32)
    spoilt = voxels.copy()
    spoilt[2] = 3e4
    valid = np.array([True, True, False, True, True, True])
    found = small.score(volume(spoilt, valid), CHEST)
    assert np.isnan(found.slice_scores).tolist() == [False, False, True, False, False, False]
    spoilt[2] = -3e4
    assert small.score(volume(spoilt, valid), CHEST).score == found.score


def test_empty_slices_around_the_body_are_not_scored_and_do_not_count(small: Scorer) -> None:
    voxels = np.abs(ct(8))
    empty = np.zeros_like(voxels)
    alone = small.score(volume(voxels), Prompt(modality="MR"))
    padded = small.score(volume(np.concatenate([empty, voxels, empty])), Prompt(modality="MR"))
    assert np.isfinite(padded.slice_scores).tolist() == [False] * 8 + [True] * 8 + [False] * 8
    assert padded.score == pytest.approx(alone.score, abs=2.0)  # the grey scale is not quite the same


def test_nan_and_infinity(small: Scorer) -> None:
    voxels = ct(5).astype(np.float32)
    voxels[1, 40:60, 40:60] = np.nan
    voxels[2, 0, 0] = np.inf
    voxels[3] = np.nan
    found = small.score(volume(voxels), CHEST)
    assert np.isfinite(found.score)
    assert np.isnan(found.slice_scores).tolist() == [False, False, False, True, False]


@pytest.mark.parametrize("voxels", [np.zeros((3, 64, 64), np.int16), np.full((2, 64, 64), np.nan, np.float32)])
def test_nothing_is_out_of_domain(small: Scorer, voxels: np.ndarray) -> None:
    found = small.score(volume(voxels), CHEST)
    assert not found.in_domain
    assert found.out_of_domain > 0.5


def test_uniform_noise_is_out_of_domain(small: Scorer) -> None:
    noise = np.random.default_rng(0).uniform(0, 255, (3, 128, 128)).astype(np.float32)
    assert not small.score(volume(noise), Prompt(modality="MR")).in_domain


@pytest.mark.parametrize("shape", [(0, 5, 5), (5, 5)])
def test_what_is_no_stack_of_slices_is_refused(small: Scorer, shape: tuple[int, ...]) -> None:
    with pytest.raises(ScoringError, match=r"got \("):
        small.score(volume(np.zeros(shape, np.int16)), CHEST)


def test_many_slices_take_no_more_memory_than_few(small: Scorer) -> None:
    def peak(slices: int) -> int:
        picture = volume(np.broadcast_to(ct(1), (slices, 128, 144)))
        tracemalloc.start()
        found = small.score(picture, CHEST)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert np.isfinite(found.slice_scores).all()
        return used

    # beside 300 x (72 + 1) x 4 = 88 kB of results: the sample for the grey scale, 2 M voxels, three times
    assert peak(300) < peak(8) + 24_000_000


def test_large_volumes_are_looked_at_less_densely(small: Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
    voxels = ct(8, 512, 512)
    looked: list[int] = []
    look = small.looker.network.look

    def counted(pictures: object, condition: object) -> object:
        looked.append(len(pictures))  # type: ignore[arg-type]
        return look(pictures, condition)  # type: ignore[arg-type]

    monkeypatch.setattr(small.looker.network, "look", counted)
    monkeypatch.setattr(scorer, "BUDGET", 40)  # 40 // 8 slices = 5 patches a slab
    small.score(volume(voxels), CHEST)
    assert sum(looked) == 2 * 5


def test_of_a_windowed_picture_the_assessor_alone_is_shown_what_it_was_before(
    small: Scorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, np.ndarray] = {}
    look, tiles = small.looker.look, Scorer._tiles

    def looked(slab: np.ndarray, *rest: object) -> object:
        seen["network"] = slab
        return look(slab, *rest)  # type: ignore[arg-type]

    def tiled(self: Scorer, slab: np.ndarray, *rest: object) -> object:
        seen["assessor"] = slab
        return tiles(self, slab, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(small.looker, "look", looked)
    monkeypatch.setattr(Scorer, "_tiles", tiled)
    grey = np.clip((ct(1).astype(np.float32) + 160) / 400, 0, 1)
    assert small.score(volume(grey), CHEST).in_domain
    assert (seen["network"][0, 0, 0], seen["assessor"][0, 0, 0]) == (-160, -1000)  # black, and the air that it was


def test_a_description_has_one_length(small: Scorer) -> None:
    for voxels, prompt in ((ct(), CHEST), (ct(1), Prompt())):
        found = small.describe(volume(voxels), prompt)
        assert [len(part) for part in found.parts] == [128 + 20, 112, 0, 0]
        assert 0 <= found.score <= 1


@pytest.fixture
def seeing(small: Scorer) -> Scorer:
    torch.manual_seed(0)
    return Scorer(replace(small.model, eye=Eye().eval()), small.device)


def test_the_eye_looks_at_eight_slices_of_a_volume(seeing: Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[int] = []
    look = Eye.look

    def looked(self: Eye, pictures: Iterable[torch.Tensor]) -> np.ndarray:
        pictures = list(pictures)
        shown.append(len(pictures))
        assert all(0 <= one.min() <= one.max() <= 1 for one in pictures)
        return look(self, pictures)

    monkeypatch.setattr(Eye, "look", looked)
    for depth in (1, 3, 20):
        assert seeing.describe(volume(ct(depth)), CHEST).eye.shape == (1024,)
    assert shown == [1, 3, 8]


def test_the_eye_alone_sees_colours(seeing: Scorer) -> None:
    grey = np.clip(ct(1) / 4 + 60, 0, 255).astype(np.float32)
    red = np.stack([grey, 0 * grey, 0 * grey], -1).astype(np.uint8)
    plain, coloured = (replace(volume(grey), colour=colour) for colour in (None, red))
    first, second = (seeing.describe(one, Prompt(modality="CT")) for one in (plain, coloured))
    assert np.abs(first.eye - second.eye).max() > 0.01
    assert (first.score, first.handmade.tolist()) == (second.score, second.handmade.tolist())


def test_the_opinion_of_an_assessor_is_summed_up_over_slabs(small: Scorer) -> None:
    heard = small.hear(volume(ct(8)), CHEST)
    attributes = np.linspace(0, 1, 36).reshape(2, 18)
    first = Opinion(np.array([0.2, 0.6]), np.array([0.1, 0.1]), attributes)
    heard.tiles[:] = [Looked(np.array([[1.0, 2.0], [3.0, 4.0]], np.float32), first, None), None]
    found = heard.assessor_summary()
    assert found[:3] == pytest.approx([0.4, 0.2, 0.1])  # mean, worst tile, spread
    assert found[3:21] == pytest.approx(attributes.mean(0))
    assert found[21:] == pytest.approx([2.0, 3.0])


def test_a_missing_bundle_or_device_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing):
        Scorer.load(tmp_path)
    with pytest.raises(ScoringError, match="got cuda:7"):
        Scorer.load(tiny(tmp_path), device="cuda:7")


def test_spots_cover_the_body() -> None:
    inside = np.zeros((32, 32), bool)
    inside[4:27, 3:30] = True
    found = spots(inside, (512, 512), inside.astype(float))
    covered = np.zeros_like(inside)
    for row, column in found:
        assert row % 16 == column % 16 == 0
        assert row + 96 <= 512
        covered[row // 16 : row // 16 + 6, column // 16 : column // 16 + 6] = True
    assert covered[inside].all()


def test_spots_are_never_none() -> None:
    assert spots(np.zeros((1, 1), bool), (96, 96), np.zeros((1, 1))) == [(0, 0)]


@pytest.mark.parametrize("slices", [2, 7, 9])
def test_a_stack_stored_the_other_way_round_is_the_same(small: Scorer, slices: int) -> None:
    voxels = ct(slices, noise=20.0) + (5 * np.arange(slices, dtype=np.int16) % 17)[:, None, None]
    first, turned = small.score(volume(voxels), CHEST), small.score(volume(voxels[::-1].copy()), CHEST)
    assert first.score == turned.score
    assert np.array_equal(first.slice_scores, turned.slice_scores[::-1])
    assert first.heatmap is not None
    assert turned.heatmap is not None
    assert np.array_equal(first.heatmap, turned.heatmap[::-1])
