"""Faults to put into good volumes: motion and noise as the physics of the scanner makes them."""

from __future__ import annotations

from collections.abc import Iterable
from math import pi
from typing import Any

import numpy as np
import numpy.typing as npt


def ct_motion(
    voxels: npt.NDArray[np.int16], slices: Iterable[int], *, shift_pixels: float = 8.0, views: int = 6
) -> npt.NDArray[np.int16]:
    """Return a copy in which the patient moves while each of these slices (0-based) is being scanned.

    Every view sees the body at another place: the wedge of spatial frequencies that a view fills comes from a copy that
    was moved by up to shift_pixels. That doubles edges and draws streaks from them, as breathing does.
    """
    moved = voxels.copy()
    rows, columns = voxels.shape[1:]
    fy, fx = np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns)[None, :]
    towards = np.arctan2(fy, fx) % pi
    for index in slices:
        spectrum = np.fft.rfft2(voxels[index].astype(np.float32) + 1000)
        part = np.floor(towards / pi * views) / max(views - 1, 1)  # 0 for the first view, 1 for the last
        down = shift_pixels * (part - 0.5)
        spectrum *= np.exp(-2j * pi * (fy * down + fx * down * 0.3))
        image = np.fft.irfft2(spectrum, s=(rows, columns)) - 1000
        moved[index] = np.clip(np.rint(image), -1024, 3071)
    return moved


def mr_motion(
    voxels: npt.NDArray[Any], *, shift_pixels: float = 5.0, cycles: float = 9.0, seed: int = 0
) -> npt.NDArray[np.int16]:
    """Return a copy whose k-space lines were taken while the head nodded to and fro.

    Phase encoding runs along the rows (axis 1). cycles: nods during the scan; shift_pixels: how far. Ghosts of the
    bright edges along the phase direction are the result. The middle lines are taken at rest, as the patient lies
    still for most of the time.
    """
    rng = np.random.default_rng(seed)
    lines = voxels.shape[1]
    line = np.arange(lines) - lines // 2
    nod = np.sin(2 * pi * cycles * np.arange(lines) / lines + rng.uniform(0, 2 * pi))
    jumps = np.repeat(rng.normal(0, 0.5, 12), -(-lines // 12))[:lines]
    where = shift_pixels * (nod + jumps) * np.clip((np.abs(line) - 4) / 8, 0, 1)
    phase = np.exp(-2j * pi * (line / lines) * where)[None, :, None].astype(np.complex64)
    out = np.empty(voxels.shape, np.int16)
    for index in range(len(voxels)):
        spectrum = np.fft.fftshift(np.fft.fft(voxels[index : index + 1].astype(np.float32), axis=1), axes=1)
        image = np.abs(np.fft.ifft(np.fft.ifftshift(spectrum * phase, axes=1), axis=1))
        out[index] = np.clip(np.rint(image[0]), 0, 4095)
    return out


def mr_noise(voxels: npt.NDArray[Any], *, sigma: float, seed: int = 0) -> npt.NDArray[np.int16]:
    """Return a copy with Rician noise: magnitude of the signal plus complex Gaussian noise of this sigma.

    Source: Gudbjartsson and Patz, Magn Reson Med 1995;34:910-914.
    """
    rng = np.random.default_rng(seed)
    real = voxels + sigma * rng.standard_normal(voxels.shape, np.float32)
    imaginary = sigma * rng.standard_normal(voxels.shape, np.float32)
    noisy: npt.NDArray[np.int16] = np.clip(np.rint(np.hypot(real, imaginary)), 0, 4095).astype(np.int16)
    return noisy
