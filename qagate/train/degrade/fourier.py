"""k-space of slices, as 2D acquisitions fill it: one Fourier transform per slice, phase encoding along one axis."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from qagate.train.degrade.artefact import Context, integers


def k_space(volume: Tensor) -> Tensor:
    """Return the centred orthonormal 2D spectrum of every slice, (batch, slices, rows, columns) complex."""
    spectrum: Tensor = torch.fft.fftshift(torch.fft.fft2(volume, norm="ortho"), dim=(-2, -1))
    return spectrum


def image(spectrum: Tensor) -> Tensor:
    """Return the complex image of a centred spectrum."""
    slices: Tensor = torch.fft.ifft2(torch.fft.ifftshift(spectrum, dim=(-2, -1)), norm="ortho")
    return slices


def frequencies(size: int, like: Tensor) -> Tensor:
    """Return the centred frequencies of an axis in cycles per pixel, (size,), -0.5 .. 0.5."""
    cycles: Tensor = torch.fft.fftshift(torch.fft.fftfreq(size)).to(like.device)
    return cycles


def taper(volume: Tensor, share: float = 0.06) -> Tensor:
    """Return a (rows, columns) window that falls to 0 at the border over `share` of the size."""
    sides = []
    for size in volume.shape[-2:]:
        width = max(2, round(share * size))
        ramp = torch.sin(torch.arange(1, width + 1) / (width + 1) * torch.pi / 2) ** 2
        side = torch.ones(size)
        side[:width], side[-width:] = ramp, ramp.flip(0)
        sides.append(side.to(volume))
    return sides[0][:, None] * sides[1]


def without_border(volume: Tensor) -> Tensor:
    """Return the volume with every slice fading to its mean at the border.

    Crops of a body end abruptly; the Fourier transform would see an edge there that no scanner saw.
    """
    mean = volume.mean(dim=(-2, -1), keepdim=True)
    return mean + (volume - mean) * taper(volume)


def phase_axis(context: Context, volume: Tensor) -> Tensor:
    """Return the phase-encoding axis of every volume, (batch,): 0 rows, 1 columns."""
    return integers(context, volume, 0, 2, volume.shape[0])


def spread(axis: Tensor, along_rows: Tensor, along_columns: Tensor) -> Tensor:
    """Return values given per phase-encoding line as planes, (batch, 1, rows, columns).

    along_rows: (batch, rows), used where axis is 0; along_columns: (batch, columns), used where it is 1.
    """
    return torch.where(axis[:, None, None, None] == 0, along_rows[:, None, :, None], along_columns[:, None, None, :])


def blurred(volume: Tensor, sigma_rows: Tensor, sigma_columns: Tensor) -> Tensor:
    """Return every slice convolved with a Gaussian; sigma in pixels, (batch,). The border is mirrored."""
    rows, columns = volume.shape[-2:]
    pad_rows, pad_columns = min(16, rows - 1), min(16, columns - 1)
    padded = F.pad(volume, (pad_columns, pad_columns, pad_rows, pad_rows), mode="reflect")
    v = torch.fft.fftfreq(padded.shape[-2]).to(volume.device)
    u = torch.fft.rfftfreq(padded.shape[-1]).to(volume.device)
    gain_rows = torch.exp(-2 * (torch.pi * sigma_rows[:, None] * v) ** 2)[:, None, :, None]
    gain_columns = torch.exp(-2 * (torch.pi * sigma_columns[:, None] * u) ** 2)[:, None, None, :]
    smooth: Tensor = torch.fft.irfft2(torch.fft.rfft2(padded) * gain_rows * gain_columns, s=padded.shape[-2:])
    return smooth[..., pad_rows : pad_rows + rows, pad_columns : pad_columns + columns]
