"""Eye: what a network that learned to tell natural pictures apart notices in a picture, for heads (`score.head`).

Raters mind what such networks notice, whatever spoilt a picture (Zhang et al., CVPR 2018, arXiv 1801.03924): where a
site's labels are few, that is worth as much as features made by hand. The model's own score does not use it.

EfficientNet-Lite0 (Tan & Le, ICML 2019, arXiv 1905.11946; Lite: no squeeze-and-excitation, ReLU6), trained by others
on ImageNet and left as it is, without its last convolution and classifier. Batch norms lie within the convolutions,
weights are kept as float16 (`train.eye`). They lie in `eye.safetensors`; the table [eye] of bundle.toml has the digest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from qagate.errors import ModelCorrupt
from qagate.score.digest import listed, sha256

FILE = "eye.safetensors"
STEM = 32
STAGES = (
    (1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3), (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)  # fmt: skip
"""Expansion, kernel, stride of the first block, channels, blocks of each stage."""
HEARD = (0, 1, 2, 4, 6)
"""Stages whose features are kept: the last of each size, and the last of all."""
LENGTH = 2 * sum(STAGES[stage][3] for stage in HEARD)
WIDE_HU, SOFT_HU, MR_WHITE = (-1000.0, 1000.0), (-160.0, 240.0), 1.2
"""What black and white of a picture stand for: one colour of CT is the wide window, two are of soft tissue."""
MEAN, SPREAD = 0.498, 0.502
LARGEST = 1536
"""Of a picture with more pixels on a side the middle is looked at: memory grows with them, to some 0.9 GB here."""


class Block(nn.Module):
    """Inverted residual: widen, filter each channel, narrow. (n, c, h, w) → (n, c', h / stride, w / stride)."""

    def __init__(self, before: int, expansion: int, kernel: int, stride: int, channels: int) -> None:
        super().__init__()
        wide = before * expansion
        self.expand = nn.Conv2d(before, wide, 1) if expansion > 1 else None
        self.filter = nn.Conv2d(wide, wide, kernel, stride, groups=wide)
        self.narrow = nn.Conv2d(wide, channels, 1)
        self.residual = stride == 1 and before == channels

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        wide = x if self.expand is None else F.relu6(self.expand(x))
        found: Tensor = self.narrow(F.relu6(self.filter(_padded(wide, self.filter))))
        return x + found if self.residual else found


class Eye(nn.Module):
    """The network. colours: channels of a picture."""

    def __init__(self, colours: int = 3) -> None:
        super().__init__()
        self.stem = nn.Conv2d(colours, STEM, 3, 2)
        blocks, before, self.ends = [], STEM, set[int]()
        for stage, (expansion, kernel, stride, channels, count) in enumerate(STAGES):
            for number in range(count):
                blocks.append(Block(before, expansion, kernel, 1 if number else stride, channels))
                before = channels
            if stage in HEARD:
                self.ends.add(len(blocks) - 1)
        self.blocks = nn.ModuleList(blocks)

    @classmethod
    def load(cls, folder: Path, about: Mapping[str, Any]) -> Eye | None:
        """Return the eye of a bundle, None when its sheet has no table [eye]. Raises ModelCorrupt."""
        path = folder / FILE
        if not listed(path, about, "eye"):
            return None
        eye = cls()
        try:
            eye.load_state_dict({name: t.float() for name, t in safetensors.torch.load_file(str(path)).items()})
        except (OSError, RuntimeError, safetensors.SafetensorError) as error:
            raise ModelCorrupt(f"{path} must be a whole eye as its sheet says, got {error!r}") from error
        return eye.eval()

    def save(self, folder: Path) -> str:
        """Write the weights as float16 and return their SHA-256."""
        path = folder / FILE
        safetensors.torch.save_file({name: t.half().contiguous() for name, t in self.state_dict().items()}, str(path))
        return sha256(path)

    def look(self, pictures: Iterable[Tensor]) -> npt.NDArray[np.float32]:
        """Return (LENGTH,): of each stage heard the means of its channels over a picture, then their SD.

        pictures: of one size, (3, rows, columns) each, 0..1, see `coloured`; what is returned is the mean over them.
        """
        device = next(self.parameters()).device
        with torch.inference_mode():
            middles = (_middle(one)[None].to(device) for one in pictures)
            seen = torch.stack([self(one)[0] for one in middles])
        found: npt.NDArray[np.float32] = seen.mean(0).cpu().numpy()
        return found

    def forward(self, x: Tensor) -> Tensor:
        """Return what is noticed in pictures of one size: (n, colours, rows, columns) → (n, LENGTH)."""
        return torch.cat([*self._summaries(x)], 1)

    def _summaries(self, x: Tensor) -> Iterator[Tensor]:
        x = F.relu6(self.stem(_padded((x - MEAN) / SPREAD, self.stem)))
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number in self.ends:
                places = x.flatten(2)  # (n, c, h w)
                yield places.mean(2)
                yield places.std(2, correction=0)


def coloured(slice_: npt.NDArray[np.floating[Any]], modality: str) -> Tensor:
    """Return a slice in standard units as a colour picture: (rows, columns) → (3, rows, columns), 0..1."""
    x = torch.from_numpy(np.ascontiguousarray(slice_, np.float32))
    if modality != "CT":
        return torch.stack([(x / MR_WHITE).clamp(0.0, 1.0)] * 3)
    wide, soft = (((x - low) / (high - low)).clamp(0.0, 1.0) for low, high in (WIDE_HU, SOFT_HU))
    return torch.stack([wide, soft, soft])


def shown(colours: npt.NDArray[np.uint8]) -> Tensor:
    """Return a picture in colours of its own: (rows, columns, 3), 0..255 → (3, rows, columns), 0..1."""
    return torch.from_numpy(np.ascontiguousarray(colours.transpose(2, 0, 1), np.float32)) / 255.0


def _middle(picture: Tensor) -> Tensor:
    """Return the middle of a picture, (3, at most LARGEST, at most LARGEST)."""
    first = [max(0, size - LARGEST) // 2 for size in picture.shape[1:]]
    return picture[:, first[0] : first[0] + LARGEST, first[1] : first[1] + LARGEST]


def _padded(x: Tensor, layer: nn.Conv2d) -> Tensor:
    """Return x with zeros around it, so that the output is ceil(size / stride): more after than before, as trained."""
    around = []
    for size, kernel, stride in zip(x.shape[:-3:-1], layer.kernel_size[::-1], layer.stride[::-1], strict=True):
        missing = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        around += [missing // 2, missing - missing // 2]
    return F.pad(x, around)
