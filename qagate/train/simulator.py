"""A second, independent simulator: plain numpy and scipy faults in the picture and in k-space, and invented raters.

It shares no code with `train.degrade`, so that a network that only knows that code's fingerprint is found out (T3), and
it makes labelled sets on which fine-tuning can be tried. Strength 0 leaves the voxels alone; 1 is severe.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

Slices = npt.NDArray[np.float32]  # (slices, rows, columns), body near 0..1
Fault = Callable[[Slices, float, np.random.Generator], Slices]


def white_noise(x: Slices, strength: float, random: np.random.Generator) -> Slices:
    """Add Gaussian noise of SD up to 0.15 of the grey range."""
    return np.asarray(x + random.normal(0.0, 0.15 * strength, x.shape), np.float32)


def photon_noise(x: Slices, strength: float, random: np.random.Generator) -> Slices:
    """Count photons behind every pixel: more noise where it is bright, from 20000 down to 100 counts at full scale."""
    full = 20000.0 * (100.0 / 20000.0) ** strength
    counted = random.poisson(np.clip(x, 0.0, None) * full) / full
    share = np.float32(min(1.0, 10.0 * strength))  # fades in, so that strength 0 is the identity
    return np.asarray(x + share * (counted - np.clip(x, 0.0, None)), np.float32)


def grainy_noise(x: Slices, strength: float, random: np.random.Generator) -> Slices:
    """Add noise of a smooth reconstruction kernel: correlated over about two pixels."""
    grain = ndimage.gaussian_filter(random.normal(size=x.shape), (0, 1.2, 1.2))
    return np.asarray(x + 0.12 * strength * grain / grain.std(), np.float32)


def magnitude_noise(x: Slices, strength: float, random: np.random.Generator) -> Slices:
    """Add complex noise of SD up to 0.15 and take the magnitude, as an MR scanner does."""
    sd = 0.15 * strength
    noisy: Slices = np.hypot(x + random.normal(0, sd, x.shape), random.normal(0, sd, x.shape)).astype(np.float32)
    return noisy if strength > 0 else x


def out_of_focus(x: Slices, strength: float, random: np.random.Generator) -> Slices:
    """Blur with a Gaussian of up to 3 pixels."""
    return np.asarray(ndimage.gaussian_filter(x, (0, 3.0 * strength, 3.0 * strength)), np.float32) if strength else x


def median_smoothing(x: Slices, strength: float, random: np.random.Generator) -> Slices:
    """Mix with a 5 x 5 median: texture goes, edges stay."""
    return np.asarray(x + strength * (ndimage.median_filter(x, (1, 5, 5)) - x), np.float32)


def lossy_jpeg(x: Slices, strength: float, random: np.random.Generator) -> Slices:
    """Compress each slice by JPEG, quality 95 down to 5. Needs Pillow."""
    if strength <= 0:
        return x
    from PIL import Image

    quality = round(95 - 90 * strength)
    pictures = []
    for grey in (np.clip(x, 0, 1) * 255).astype(np.uint8):
        buffer = io.BytesIO()
        Image.fromarray(grey).save(buffer, "JPEG", quality=quality)
        pictures.append(np.asarray(Image.open(buffer), np.float32) / 255)
    return np.stack(pictures)


def lost_lines(x: Slices, strength: float, random: np.random.Generator) -> Slices:
    """Drop up to 70 % of the k-space rows outside the centre, the same rows in every slice."""
    space = fft.fft2(x, axes=(1, 2))
    rows = x.shape[1]
    centre = np.abs(fft.fftfreq(rows)) < 0.04
    lost = (random.random(rows) < 0.7 * strength) & ~centre
    space[:, lost] = 0
    return np.asarray(np.abs(fft.ifft2(space, axes=(1, 2))), np.float32) if strength > 0 else x


def breathing(x: Slices, strength: float, random: np.random.Generator) -> Slices:
    """Shift along the rows as a sine of up to 6 pixels while the k-space rows are taken, the centre at rest."""
    if strength <= 0:
        return x
    rows = x.shape[1]
    frequency = fft.fftfreq(rows)
    period = random.uniform(6, 14)
    shift = 6.0 * strength * np.sin(2 * np.pi * np.arange(rows) / period + random.uniform(0, 6.28))
    shift = np.where(np.abs(frequency) < 0.03, 0.0, shift)
    space = fft.fft2(x, axes=(1, 2)) * np.exp(-2j * np.pi * frequency * shift)[None, :, None]
    return np.asarray(np.abs(fft.ifft2(space, axes=(1, 2))), np.float32)


def stripes(x: Slices, strength: float, random: np.random.Generator) -> Slices:
    """Add dark and bright straight streaks through a random point, as from dense objects."""
    rows, columns = np.mgrid[: x.shape[1], : x.shape[2]].astype(np.float32)
    row, column = (random.uniform(0.35, 0.65) * n for n in x.shape[1:])
    angle = np.arctan2(rows - row, columns - column)
    wave = sum(random.normal() * np.cos(n * angle + random.uniform(0, 6.28)) for n in range(6, 40, 2))
    distance = np.hypot(rows - row, columns - column)
    pattern = np.asarray(wave) / 4.0 * np.exp(-distance / (0.3 * x.shape[2])) * (distance > 3)
    return np.asarray(x + 0.35 * strength * pattern, np.float32)


FAULTS: dict[str, tuple[Fault, frozenset[str]]] = {
    "white_noise": (white_noise, frozenset({"CT", "MR"})),
    "photon_noise": (photon_noise, frozenset({"CT"})),
    "grainy_noise": (grainy_noise, frozenset({"CT"})),
    "magnitude_noise": (magnitude_noise, frozenset({"MR"})),
    "out_of_focus": (out_of_focus, frozenset({"CT", "MR"})),
    "median_smoothing": (median_smoothing, frozenset({"CT", "MR"})),
    "lossy_jpeg": (lossy_jpeg, frozenset({"CT", "MR"})),
    "lost_lines": (lost_lines, frozenset({"MR"})),
    "breathing": (breathing, frozenset({"MR"})),
    "stripes": (stripes, frozenset({"CT"})),
}
"""Name → (fault, modalities it happens in)."""


def degraded(
    voxels: npt.NDArray[Any], fault: str, strength: float, random: np.random.Generator, limits: tuple[float, float]
) -> Slices:
    """Return voxels (slices, rows, columns) with one fault. limits: the values that become 0 and 1 for the fault.

    Values beyond the limits keep their excess, so that nothing is clipped by the detour; strength 0 is the identity.
    """
    low, high = limits
    grey = ((voxels.astype(np.float32) - low) / (high - low)).astype(np.float32)
    inside = np.clip(grey, 0.0, 1.0)
    spoilt = FAULTS[fault][0](inside, strength, random)
    return np.asarray((spoilt + (grey - inside)) * (high - low) + low, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Rated:
    """One picture with the mean of invented raters, 0 (useless) .. 4 (excellent). picture: (rows, columns), 0..1."""

    picture: npt.NDArray[np.float32]
    score: float
    group: str
    fault: str


def rated_set(
    contents: Sequence[tuple[str, npt.NDArray[np.float32]]],
    faults: Sequence[str],
    *,
    per_content: int = 25,
    raters: int = 5,
    seed: int = 0,
) -> list[Rated]:
    """Return pictures of each (group, picture 0..1) with one or two random faults, rated by invented raters.

    What raters see: an opinion that falls from 4 with strength ^ tolerance, a curve of each fault's own, an offset
    of the content (SD 0.25), and for each rater a bias (SD 0.35), a noise (SD 0.4) and whole numbers 0..4 only.
    """
    random = np.random.default_rng(seed)
    tolerance = {fault: float(random.uniform(0.6, 1.4)) for fault in faults}
    weight = {fault: float(random.uniform(2.8, 4.2)) for fault in faults}
    bias = random.normal(0, 0.35, raters)
    found = []
    for group, picture in contents:
        offset = random.normal(0, 0.25)
        for _ in range(per_content):
            names = [
                str(n) for n in random.choice(faults, min(len(faults), 1 + int(random.random() < 0.3)), replace=False)
            ]
            spoilt, loss = picture[None], []
            for name in names:
                strength = float(random.random())
                spoilt = degraded(spoilt, name, strength, random, (0.0, 1.0))
                loss.append(weight[name] * strength ** tolerance[name])
            opinion = 4.0 + offset - float(np.sum(np.array(loss) ** 3) ** (1 / 3))
            votes = np.clip(np.round(opinion + bias + random.normal(0, 0.4, raters)), 0, 4)
            found.append(Rated(np.clip(spoilt[0], 0, 1), float(votes.mean()), group, "+".join(names)))
    return found
