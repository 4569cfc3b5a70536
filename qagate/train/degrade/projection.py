"""Parallel-beam projection and filtered backprojection as one sparse matrix, for all slices at once.

The artefacts of CT arise in the sinogram. Each one here computes what it adds to the sinogram, reconstructs only that
and adds the result to the image: severity 0 stays exact and the image is not blurred a second time. Projection is the
pixel-driven transpose of backprojection with linear interpolation on the detector.

Source: Kak and Slaney, Principles of Computerized Tomographic Imaging, chapter 3 (ramp filter eq. 61).
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from qagate.train.degrade.artefact import Context, normal, uniform

VIEWS = 180
"""Views over 180 degrees: about π/2 times a 128-pixel crop, so that the undisturbed reconstruction has no streaks."""

MU_WATER_PER_MM = 0.0192
"""Linear attenuation of water at 70 keV (NIST XCOM 0.193 cm²/g)."""

LARGEST = 320 * 320
"""Slices with more pixels are projected at half the resolution: the matrix would be too large."""


@dataclass(frozen=True, slots=True, eq=False)
class Projector:
    """The matrix for one slice size.

    backward: (pixels, views · bins) sparse. forward: its transpose. angles: (views,) rad. offsets: (bins,) distance of
    each detector bin from the centre in pixels.
    """

    rows: int
    columns: int
    backward: Tensor
    forward: Tensor
    angles: Tensor
    offsets: Tensor

    def project(self, images: Tensor) -> Tensor:
        """Return line integrals in pixel units, (batch, slices, views, bins)."""
        batch, slices = images.shape[:2]
        flat = images.reshape(batch * slices, -1).T.contiguous()
        return (self.forward @ flat).T.reshape(batch, slices, len(self.angles), len(self.offsets))

    def reconstruct(self, sinogram: Tensor, cutoff: Tensor | float = 1.0) -> Tensor:
        """Return the filtered backprojection, (batch, slices, rows, columns), of (batch, slices, views, bins).

        cutoff: of the Hann window on the ramp filter, in units of Nyquist, scalar or (batch,).
        """
        batch, slices, views, bins = sinogram.shape
        size = 2 ** math.ceil(math.log2(2 * bins))
        gain = _ramp(size, sinogram) * _hann(size, cutoff, sinogram)
        filtered = torch.fft.irfft(torch.fft.rfft(sinogram, n=size) * gain, n=size)[..., :bins]
        flat = filtered.reshape(batch * slices, views * bins).T.contiguous()
        images: Tensor = (self.backward @ flat).T.reshape(batch, slices, self.rows, self.columns) * (math.pi / views)
        return images


def _ramp(size: int, like: Tensor) -> Tensor:
    """Return the transform of the band-limited ramp kernel: 1/4 at 0, -1/(πn)² at odd n, 0 at even n."""
    n = torch.fft.fftfreq(size, 1 / size)
    kernel = torch.where(n.long() % 2 != 0, -1 / (math.pi * n) ** 2, torch.zeros(()))
    kernel[0] = 0.25
    gain: Tensor = torch.fft.rfft(kernel).real.to(like.device)
    return gain


def _hann(size: int, cutoff: Tensor | float, like: Tensor) -> Tensor:
    f = torch.fft.rfftfreq(size).to(like.device)
    limit = torch.as_tensor(cutoff, dtype=torch.float32, device=like.device).reshape(-1, 1, 1, 1) * 0.5
    return torch.where(f <= limit, 0.5 + 0.5 * torch.cos(math.pi * f / limit), torch.zeros((), device=like.device))


@lru_cache(maxsize=6)
def _projector(rows: int, columns: int, device: str) -> Projector:
    angles = torch.arange(VIEWS) * (math.pi / VIEWS)
    bins = math.ceil(math.hypot(rows, columns)) + 3
    centre = (bins - 1) / 2
    y, x = torch.meshgrid(torch.arange(rows) - (rows - 1) / 2, torch.arange(columns) - (columns - 1) / 2, indexing="ij")
    offset = x.reshape(-1, 1) * torch.cos(angles) + y.reshape(-1, 1) * torch.sin(angles) + centre  # (pixels, views)
    bin_below = offset.floor()
    share = offset - bin_below
    index = bin_below.int() + torch.arange(VIEWS, dtype=torch.int32) * bins
    size = (rows * columns, VIEWS * bins)
    with warnings.catch_warnings():
        # torch calls its CSR layout "beta"; the two products used here are stable
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support", category=UserWarning)
        backward = torch.sparse_csr_tensor(
            torch.arange(rows * columns + 1, dtype=torch.int32) * (2 * VIEWS),
            torch.stack((index, index + 1), -1).reshape(-1),
            torch.stack((1 - share, share), -1).reshape(-1),
            size,
            check_invariants=False,
        )
        forward = backward.transpose(0, 1).to_sparse_csr().to(device)
        backward = backward.to(device)
    return Projector(rows, columns, backward, forward, angles.to(device), (torch.arange(bins) - centre).to(device))


def projector(volume: Tensor) -> Projector:
    """Return the projector for the slices of a volume (made once per size and device, and kept)."""
    rows, columns = volume.shape[-2:]
    return _projector(rows, columns, str(volume.device))


def working_grid(volume: Tensor, spacing_mm: Tensor) -> tuple[Tensor, Tensor]:
    """Return the volume and its in-plane spacing (batch,), at half resolution when the slices are large."""
    in_plane = (spacing_mm[:, 1] * spacing_mm[:, 2]).sqrt().to(volume)
    while volume.shape[-2] * volume.shape[-1] > LARGEST:
        volume, in_plane = F.avg_pool2d(volume, 2, ceil_mode=True), in_plane * 2
    return volume, in_plane


def add(volume: Tensor, residual: Tensor) -> Tensor:
    """Return volume plus a residual that may have come from a coarser grid."""
    if residual.shape[-2:] != volume.shape[-2:]:
        residual = F.interpolate(residual, size=volume.shape[-2:], mode="bilinear", align_corners=False)
    return volume + residual


def attenuation(volume: Tensor) -> Tensor:
    """Return attenuation relative to water, 0 for air: (HU + 1000) / 1000, at least 0."""
    return ((volume + 1000) / 1000).clamp_min(0)


def contrast(volume: Tensor, window: Tensor) -> Tensor:
    """Return attenuation less its mean in the window, times the window.

    A window on attenuation itself would have a rim as strong as the border between body and air.
    """
    relative = attenuation(volume)
    mean = (relative * window).sum(dim=(-2, -1), keepdim=True) / window.sum(dim=(-2, -1), keepdim=True).clamp_min(1e-6)
    return (relative - mean) * window


def outside_discs(scan: Projector, context: Context, like: Tensor) -> Tensor:
    """Return line integrals (batch, 2, views, bins) of two discs on opposite sides of the crop, outside it.

    They stand for what a crop lacks: bone elsewhere in the body, whose streaks and shadows reach into the crop.
    """
    batch, size = like.shape[0], max(scan.rows, scan.columns)
    toward = uniform(context, like, batch, 1, high=2 * math.pi)
    toward = torch.cat((toward, toward + math.pi + 0.3 * normal(context, like, batch, 1)), 1)
    distance = size * uniform(context, like, batch, 2, low=0.62, high=0.9)
    radius = size * uniform(context, like, batch, 2, low=0.06, high=0.15)
    middle = distance[..., None] * torch.cos(scan.angles - toward[..., None])  # (batch, 2, views)
    return 2 * (radius[..., None, None] ** 2 - (scan.offsets - middle[..., None]) ** 2).clamp_min(0).sqrt()
