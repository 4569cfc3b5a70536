from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from qagate.errors import InputError
from qagate.score.eye import STAGES, STEM, Block, Eye
from qagate.train import eye


@pytest.fixture(scope="module")
def published() -> dict[str, Tensor]:
    """Weights by chance under the published names."""
    torch.manual_seed(0)
    found: dict[str, Tensor] = {}

    def norm(name: str, channels: int) -> None:
        for part in ("weight", "running_var"):
            found[f"{name}.{part}"] = 0.5 + torch.rand(channels)
        for part in ("bias", "running_mean"):
            found[f"{name}.{part}"] = torch.randn(channels)

    found["_conv_stem.weight"] = torch.randn(STEM, 3, 3, 3)
    norm("_bn0", STEM)
    before, number = STEM, 0
    for expansion, kernel, _, channels, count in STAGES:
        for _ in range(count):
            name, wide = f"_blocks.{number}", before * expansion
            if expansion > 1:
                found[f"{name}._expand_conv.weight"] = torch.randn(wide, before, 1, 1)
                norm(f"{name}._bn0", wide)
            found[f"{name}._depthwise_conv.weight"] = torch.randn(wide, 1, kernel, kernel)
            norm(f"{name}._bn1", wide)
            found[f"{name}._project_conv.weight"] = torch.randn(channels, wide, 1, 1)
            norm(f"{name}._bn2", channels)
            before, number = channels, number + 1
    found["_conv_head.weight"] = torch.randn(4, before, 1, 1)  # published, not kept
    return found


def test_a_block_does_what_its_convolutions_and_norms_did_one_after_the_other(published: dict[str, Tensor]) -> None:
    number = 2  # the second block of its stage: 24 channels to 24, kept as a residual
    made = Eye()
    made.load_state_dict(dict(eye.folded(published, list(made.state_dict()))))
    block = made.blocks[number]
    assert isinstance(block, Block)
    assert block.residual

    def normed(x: Tensor, name: str) -> Tensor:
        w = {part: published[f"_blocks.{number}.{name}.{part}"] for part in ("weight", "bias")}
        mean, var = (published[f"_blocks.{number}.{name}.running_{part}"] for part in ("mean", "var"))
        return F.batch_norm(x, mean, var, w["weight"], w["bias"], eps=eye.EPSILON)

    def weight(name: str) -> Tensor:
        return published[f"_blocks.{number}.{name}.weight"]

    x = torch.randn(1, 24, 9, 7)
    wide = F.relu6(normed(F.conv2d(x, weight("_expand_conv")), "_bn0"))
    wide = F.relu6(normed(F.conv2d(wide, weight("_depthwise_conv"), padding=1, groups=144), "_bn1"))
    wanted = x + normed(F.conv2d(wide, weight("_project_conv")), "_bn2")
    with torch.no_grad():
        assert torch.allclose(block(x), wanted, rtol=1e-3, atol=1e-3)


def test_a_file_is_read(published: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save(published, tmp_path / "w.pth")
    stem = eye.read(tmp_path / "w.pth").stem
    gain = published["_bn0.weight"] / torch.sqrt(published["_bn0.running_var"] + 1e-3)
    assert torch.allclose(stem.weight, published["_conv_stem.weight"] * gain.reshape(-1, 1, 1, 1))


@pytest.mark.parametrize("content", [None, b"", b"no weights", {"fc": torch.zeros(1)}, torch.zeros(1)])
def test_another_file_is_told(content: object, tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(InputError, match="EfficientNet-Lite0, got"):
        eye.read(path)
