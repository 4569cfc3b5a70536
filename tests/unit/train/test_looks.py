from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from qagate.train import looks, pack, sampling

from .test_assess import table
from .test_sampling import packed
from .volumes import folder


def test_a_sharper_kernel_lifts_edges_and_keeps_means() -> None:
    slab = np.zeros((2, 40, 40), np.float32)
    slab[:, :, 20:] = 100.0
    # an unsharp mask of a at a step of 100 overshoots by at most a / 2 x 100: 5 for the mildest, 25 for the strongest
    for amount, most in ((0.0, 5.0), (1.0, 25.0)):
        found = looks.sharper(slab, amount, 0.5)
        assert found.dtype == np.float32
        assert 0.5 * most < found.max() - 100 < most
        assert float(found.mean()) == pytest.approx(50.0, abs=1.0)


def test_what_was_exported_through_a_window_is_read_in_the_usual_one() -> None:
    slab = np.full((1, 64, 64), -1000.0, np.float32)  # air around a ramp of soft tissue
    slab[:, 16:48, 16:48] = np.linspace(-50.0, 130.0, 32)
    # centre 40, width 400: the usual window itself; 256 greys are steps of 1.57 HU
    found = looks.exported(slab, 1.0, 0.5, 0.5)
    assert np.abs(found - slab)[:, 16:48, 16:48].max() < 0.8
    assert found[0, 2, 2] < -900  # black was taken for air
    # twice as wide and 40 lower would be half the contrast; from air to bone (1600 HU) it is a quarter
    wide = looks.exported(slab, 0.0, 0.5, 0.5)
    assert np.ptp(wide[0, 20, 16:48]) == pytest.approx(180.0 / 4, abs=2.0)


@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_another_look_is_seldom_the_same_and_always_a_picture(modality: str) -> None:
    slab = np.random.default_rng(0).uniform(0.1, 0.9, (3, 48, 48)).astype(np.float32)
    slab = slab * 200 if modality == "CT" else slab
    generator, random, same = torch.Generator().manual_seed(0), np.random.default_rng(0), 0
    for _ in range(40):
        found = looks.another(slab, modality, generator, random)
        assert found.shape == slab.shape
        assert found.dtype == np.float32
        assert np.isfinite(found).all()
        same += np.array_equal(found, slab)
    assert same < 12  # neither sharpened nor in a guise: 0.3 x 0.3 of 40 are 4, fewer in CT


def test_several_workers_find_the_same(tmp_path: Path) -> None:
    pack.write(folder(tmp_path, 10), tmp_path / "x.qpk")
    (one,) = looks.looks(tmp_path / "x.qpk", tmp_path / "one", looks.Drawn(3))
    (two,) = looks.looks(tmp_path / "x.qpk", tmp_path / "two", looks.Drawn(3), workers=2)
    assert np.array_equal(one.features, two.features)
    assert np.array_equal(one.quality, two.quality)


def test_parts_of_a_table() -> None:
    made = table(600)
    assert set(made.without(frozenset({"jpeg"})).artefacts) == {"", "blur"}
    assert set(made.without(frozenset({"blur"})).artefacts) == {""}
    plain = made.plain()
    assert plain.sample.tolist() == list(range(300))
    assert np.array_equal(plain.features, made.features[::2])  # of the two looks at each, the first
    assert made.named() is made
    made.attributes[:4] = np.nan  # two looks at each of two samples with nameless faults
    assert made.named().sample.tolist() == made.sample[4:].tolist()


@pytest.mark.parametrize(
    ("drawn", "blocks"),
    [
        (looks.Drawn(3), [(0, 3, True, False)]),
        (looks.Drawn(500, 7, 250), [(7, 250, True, False), (8, 250, False, False)]),
        # every other block of nameless samples is looked at twice; 650000 + 7 is the first seed
        (
            looks.Drawn(1, 7, 0, 600),
            [(7, 1, False, False), (650_007, 250, True, True), (650_008, 250, False, True), (650_009, 100, True, True)],
        ),
    ],
)
def test_blocks_of_samples(drawn: looks.Drawn, blocks: list[tuple[int, int, bool, bool]]) -> None:
    assert drawn.blocks() == blocks


def test_a_nameless_fault_is_not_to_be_named() -> None:
    contents = [packed(f"{i}", "MR", seed=i) for i in range(2)]
    made = looks.tabled(sampling.samples(contents, 12, 3, nameless=True), 0, again=False)
    faulty = made.artefacts != ""
    assert 0 < faulty.sum() < 12  # one in ten is untouched
    assert np.isnan(made.attributes[faulty]).all()
    assert (made.attributes[~faulty] == 0).all()
    assert (made.quality[~faulty] == 1).all()
    assert (made.quality[faulty] < 1).all()
