from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from qagate.domain.prompt import Prompt
from qagate.train import controls, sampling
from qagate.train.pack import Packed


def packed(name: str, modality: str, slices: int = 6, seed: int = 0) -> Packed:
    """A disc with texture, as CT (HU) or MR (brightest 1)."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:128, :120]
    disc = np.hypot(rows - 64, columns - 60) < 50
    texture = ndimage.gaussian_filter(random.normal(size=(slices, 128, 120)), (0.5, 2, 2))
    texture /= np.abs(texture).max()
    voxels = np.where(disc, 50 + 200 * texture, -1000) if modality == "CT" else disc * (0.5 + 0.5 * texture)
    return Packed(
        name, f"subject {name}", "benchmark", modality, "knee", "made up", Prompt(modality=modality, organ="knee"),
        (3.0, 0.8, 0.8), voxels.astype(np.float32),
    )  # fmt: skip


@pytest.fixture(scope="module")
def contents() -> list[Packed]:
    return [packed("a", "CT"), packed("b", "MR"), packed("c", "MR", seed=1), packed("d", "CT", slices=1)]


@pytest.mark.parametrize("independent", [False, True])
def test_same_seed_same_samples(contents: list[Packed], independent: bool) -> None:
    if not independent:  # projections of CT take long
        contents = contents[1:3]
    first, again = (list(sampling.samples(contents, 6, 3, independent=independent)) for _ in "ab")
    assert [(s.quality, s.artefacts) for s in first] == [(s.quality, s.artefacts) for s in again]
    assert all(np.array_equal(a.volume.voxels, b.volume.voxels) for a, b in zip(first, again, strict=True))
    assert {s.modality for s in first} == ({"CT", "MR"} if independent else {"MR"})
    assert all(0 <= s.quality <= 100 for s in first)
    assert all(s.volume.voxels.dtype == np.int16 for s in first)


def test_an_untouched_slab_is_of_full_quality(contents: list[Packed]) -> None:
    source = sampling.slab(contents[1], np.random.default_rng(0))
    assert sampling.degraded(source, {}, 0).quality == pytest.approx(100.0)
    assert sampling.degraded(source, {"blur": 0.9}, 0).quality < 80


def test_left_out_and_only(contents: list[Packed]) -> None:
    made = list(sampling.samples(contents[1:3], 12, 4, only=frozenset({"mr_noise"})))
    assert len(made) == 12
    assert {name for s in made for name in s.artefacts} == {"mr_noise"}
    made = list(sampling.samples(contents[1:3], 12, 4, without=frozenset({"blur", "mr_noise"})))
    assert not {"blur", "mr_noise"} & {name for s in made for name in s.artefacts}


def test_local_samples_know_which_slices_are_worse(contents: list[Packed]) -> None:
    made = list(sampling.local_samples(contents, 4, 5))
    assert made
    for sample in made:
        assert sample.affected is not None
        assert sample.distances[~sample.affected].max(initial=0) <= sample.distances[sample.affected].max()


@pytest.mark.parametrize("name", controls.UNMOVED)
def test_changes_keep_the_shape_and_are_mild(contents: list[Packed], name: str) -> None:
    for content in contents[:2]:
        sample = sampling.degraded(sampling.slab(content, np.random.default_rng(0)), {}, 0)
        changed, prompt = controls.UNMOVED[name](sample)
        assert changed.voxels.shape == sample.volume.voxels.shape
        assert prompt == sample.prompt
        assert changed.voxels.mean() == pytest.approx(sample.volume.voxels.mean(), rel=0.4, abs=30)


@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_a_sharper_kernel_mends_blur_and_lifts_noise_by_the_label(modality: str) -> None:
    source = sampling.slabs([packed("a", modality)], 1, np.random.default_rng(0))[0]
    noise = "ct_noise" if modality == "CT" else "mr_noise"
    blurred, noisy = (sampling.degraded(source, {name: 0.5}, 3) for name in ("blur", noise))
    assert controls.better_by_label(source, blurred) > 0.5
    assert controls.better_by_label(source, noisy) < -0.5
