from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from qagate.errors import ModelCorrupt
from qagate.score import eye
from qagate.score.eye import Eye, coloured, shown


@pytest.fixture(scope="module")
def untrained() -> Eye:
    torch.manual_seed(0)
    return Eye().eval()


def test_there_are_two_numbers_for_each_channel_heard() -> None:
    assert eye.LENGTH == 2 * (16 + 24 + 40 + 112 + 320) == 1024


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 3, 2), (2, 33, 70), (1, 224, 224)])
def test_any_size_of_picture(untrained: Eye, shape: tuple[int, int, int]) -> None:
    seen = untrained.look(coloured(one, "MR") for one in np.random.default_rng(0).gamma(2.0, 0.2, shape))
    assert seen.shape == (eye.LENGTH,)
    assert np.isfinite(seen).all()


def test_of_a_huge_picture_the_middle_is_looked_at(untrained: Eye, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eye, "LARGEST", 40)
    picture = torch.rand(3, 61, 30, generator=torch.Generator().manual_seed(3))
    assert untrained.look([picture]) == pytest.approx(untrained.look([picture[:, 10:50]]))  # (61 - 40) // 2 = 10


def test_of_several_slices_the_mean_is_told(untrained: Eye) -> None:
    pictures = torch.rand(3, 3, 64, 48, generator=torch.Generator().manual_seed(1))
    one_by_one = np.mean([untrained.look([one]) for one in pictures], 0)
    assert untrained.look(pictures) == pytest.approx(one_by_one, abs=1e-5)


@pytest.mark.parametrize(
    ("hu", "wide", "soft"),
    [(-1000, 0.0, 0.0), (-160, 0.42, 0.0), (40, 0.52, 0.5), (240, 0.62, 1.0), (1500, 1.0, 1.0)],
)
def test_colours_of_ct_are_two_windows(hu: float, wide: float, soft: float) -> None:
    # wide: (hu + 1000) / 2000; soft: (hu + 160) / 400; both cut at 0 and 1
    assert coloured(np.full((1, 1), hu), "CT").flatten().tolist() == pytest.approx([wide, soft, soft])


def test_mr_is_grey() -> None:
    assert coloured(np.array([[-0.5, 0.6, 1.2, 3.0]]), "MR")[:, 0].tolist() == [pytest.approx([0, 0.5, 1, 1])] * 3


def test_a_picture_in_colours_is_shown_in_them() -> None:
    picture = np.array([[[255, 0, 51]]], np.uint8)
    assert shown(picture).flatten().tolist() == pytest.approx([1.0, 0.0, 0.2])


@pytest.mark.parametrize(
    ("size", "around"),
    [(5, (1, 1)), (6, (0, 1)), (7, (1, 1)), (1, (1, 1))],  # (ceil(size / 2) - 1) * 2 + 3 - size zeros in all
)
def test_zeros_around_a_picture_lie_as_the_network_was_trained(size: int, around: tuple[int, int]) -> None:
    layer = torch.nn.Conv2d(1, 1, 3, 2)
    found = eye._padded(torch.ones(1, 1, size, 4), layer)
    before, after = around
    assert found[0, 0, :, 1].tolist() == [0] * before + [1] * size + [0] * after
    assert layer(found).shape[2] == -(-size // 2)


def test_it_comes_back_from_disk(untrained: Eye, tmp_path: Path) -> None:
    digest = untrained.save(tmp_path)
    again = Eye.load(tmp_path, {"eye": {"sha256": digest}})
    assert again is not None
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    seen = untrained.look(picture)
    assert again.look(picture) == pytest.approx(seen, abs=0.01 * float(np.abs(seen).max()))  # float16 on disk
    assert Eye.load(tmp_path, {}) is None


@pytest.mark.parametrize("table", [{"sha256": "0" * 64}, {}])
def test_another_file_than_the_sheet_means_is_refused(untrained: Eye, tmp_path: Path, table: dict[str, str]) -> None:
    untrained.save(tmp_path)
    with pytest.raises(ModelCorrupt, match=r"eye\.safetensors"):
        Eye.load(tmp_path, {"eye": table})


def test_a_file_of_another_network_is_refused(tmp_path: Path) -> None:
    import safetensors.torch

    from qagate.score.digest import sha256

    safetensors.torch.save_file({"stem.weight": torch.zeros(3)}, str(tmp_path / eye.FILE))
    with pytest.raises(ModelCorrupt, match="whole eye"):
        Eye.load(tmp_path, {"eye": {"sha256": sha256(tmp_path / eye.FILE)}})
