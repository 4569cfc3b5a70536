"""Invented raters: labelled sets of pictures on which fine-tuning can be tried, written as files and a CSV.

The faults are made here, in picture and Fourier space, and share nothing with `train.degrade`. Raters answer with a
curve that saturates at both ends, differ in bias and in gain, waver, and give whole numbers; what they think of a
content itself is an offset. Sets differ as real ones do: file formats, scales, directions, sizes, and what spoils the
pictures.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from qagate.errors import InputError
from qagate.train.pack import Packed

Picture = npt.NDArray[np.float32]  # (rows, columns)
WINDOW_HU = (-160.0, 240.0)
SECTORS = 6
ATTENUATION_PER_PIXEL = 0.014
"""Water, for pixels of about 0.75 mm."""


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """One picture before anything is done to it. voxels: HU for CT, robust maximum 1 for MR."""

    subject: str
    modality: str
    voxels: Picture
    rays: list[Picture] = field(default_factory=list)

    @property
    def grey(self) -> Picture:
        """The picture on 0..1."""
        return windowed(self.voxels) if self.modality == "CT" else np.clip(self.voxels, 0.0, 1.2).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Spoilt:
    """A spoilt picture and how much raters mind, 0 (nothing to see) .. about 1.5."""

    picture: npt.NDArray[Any]
    loss: float


Spoil = Callable[[Content, np.random.Generator], Spoilt]


@dataclass(frozen=True, slots=True)
class Recipe:
    """A set. suffix: of its files; best, worst: ends of the label scale; steps: answers a rater can choose from."""

    modality: str
    suffix: str
    spoil: Spoil
    contents: int
    per_content: int
    best: float = 4.0
    worst: float = 0.0
    steps: int = 5
    raters: int = 5
    waver: float = 0.1


def windowed(hu: npt.NDArray[Any]) -> Picture:
    """Return HU as 0..1 of a soft-tissue window."""
    low, high = WINDOW_HU
    return np.clip((hu - low) / (high - low), 0.0, 1.0).astype(np.float32)


def dose_noise(content: Content, sd_hu: float, random: np.random.Generator, sharpness: float = 0.8) -> Picture:
    """Return noise in HU as of a low dose: ramp-filtered, and streaky where rays are long, SD `sd_hu` in the body.

    The spectrum is cut in sectors of direction; each sector is as strong as the rays along it are thick.
    """
    shape = content.voxels.shape
    down, across = np.meshgrid(fft.fftfreq(shape[0]), fft.rfftfreq(shape[1]), indexing="ij")
    radius, angle = np.hypot(down, across), np.mod(np.arctan2(down, across), np.pi)
    ramp = radius * np.exp(-((radius / (0.5 * sharpness)) ** 2))
    spectrum = fft.rfft2(random.normal(size=shape).astype(np.float32)) * ramp
    if not content.rays:
        content.rays.extend(_rays(content.voxels))
    noise = np.zeros(shape, np.float32)
    for sector, thickness in enumerate(content.rays):
        chosen = (angle * SECTORS / np.pi).astype(int) % SECTORS == sector
        noise += fft.irfft2(spectrum * chosen, shape).astype(np.float32) * thickness
    body = content.voxels > -300
    return np.asarray(noise * (sd_hu / (float(noise[body].std()) + 1e-9)), np.float32)


def _rays(hu: Picture) -> list[Picture]:
    """Return for each sector the root of exp(line integral) along its rays at every pixel, mean 1 in the body."""
    mu = np.clip(1.0 + hu / 1000.0, 0.0, 2.5).astype(np.float32) * ATTENUATION_PER_PIXEL
    side = int(np.ceil(np.hypot(*hu.shape)))
    top, left = ((side - n) // 2 for n in hu.shape)
    square = np.zeros((side, side), np.float32)
    square[top : top + hu.shape[0], left : left + hu.shape[1]] = mu
    found = []
    for sector in range(SECTORS):
        degrees = 180.0 * (sector + 0.5) / SECTORS
        turned = ndimage.rotate(square, degrees, order=1, reshape=False)
        smeared = np.ascontiguousarray(np.broadcast_to(turned.sum(0), turned.shape))
        back = ndimage.rotate(smeared, -degrees, order=1, reshape=False)
        thickness = np.exp(0.5 * back[top : top + hu.shape[0], left : left + hu.shape[1]])
        found.append((thickness / thickness[hu > -300].mean()).astype(np.float32))
    return found


def few_views(picture: Picture, views: int) -> Picture:
    """Return a picture of which only so many spokes of Fourier space were measured, each made up for its share."""
    shape = picture.shape
    down, across = np.meshgrid(fft.fftfreq(shape[0]), fft.rfftfreq(shape[1]), indexing="ij")
    radius = np.hypot(down, across) * max(shape)
    turn = np.mod(np.arctan2(down, across), np.pi) * views / np.pi
    away = np.abs(turn - np.round(turn)) * np.pi * radius / views  # pixels from the nearest spoke
    spacing = np.maximum(np.pi * radius / views, 1.0)
    kept = np.where(away <= 0.5, spacing, 0.0)
    return np.asarray(fft.irfft2(fft.rfft2(picture) * kept, shape), np.float32)


def shaken(picture: Picture, degrees: float, pixels: float, moves: int, random: np.random.Generator) -> Picture:
    """Return an MR picture whose k-space rows come from poses that change `moves` times, the centre from the first."""
    rows = picture.shape[0]
    space = fft.fft2(picture)
    order = np.abs(fft.fftfreq(rows)) > 0.05
    for _ in range(moves):
        turned = ndimage.rotate(picture, random.normal(0, degrees), reshape=False, order=1)
        turned = ndimage.shift(turned, random.normal(0, pixels, 2), order=1)
        start, length = random.integers(rows), random.integers(rows // 12, rows // 4)
        chosen = np.isin(np.arange(rows), (start + np.arange(length)) % rows) & order
        space[chosen] = fft.fft2(turned)[chosen]
    found: Picture = np.abs(fft.ifft2(space)).astype(np.float32)
    return found


def _rms(change: npt.NDArray[Any], picture: Picture) -> float:
    """How large a change is where the picture is not dark, in units of the contrast there."""
    inside = picture > 0.1
    return float(np.sqrt(np.mean(change[inside] ** 2)) / (picture[inside].std() + 0.05)) if inside.any() else 0.0


def ct_dose(content: Content, random: np.random.Generator) -> Spoilt:
    """Low dose, few views, or both; the windowed picture as real numbers."""
    kind, hu = random.random(), content.voxels
    spoilt, noise, streaks = hu, 0.0, 0.0
    if kind < 0.7:
        spoilt = spoilt + dose_noise(content, float(np.exp(random.uniform(np.log(4), np.log(160)))), random)
        noise = _rms(windowed(spoilt) - windowed(hu), windowed(hu))
    if kind > 0.4:
        fewer = few_views(hu, int(np.exp(random.uniform(np.log(50), np.log(900)))))
        spoilt = spoilt + (fewer - hu)
        streaks = 1.6 * _rms(windowed(fewer) - windowed(hu), windowed(hu))
    return Spoilt(windowed(spoilt), 1.3 * float(np.hypot(noise, streaks)))


def mr_mixed(content: Content, random: np.random.Generator) -> Spoilt:
    """Motion, Rician noise, lost k-space rows or blur of an MR slice, as 8 bits."""
    x, strength = content.grey, float(random.uniform(0.02, 1.0))
    kind = int(random.integers(4))
    if kind == 0:
        y, weight = shaken(x, 4 * strength, 5 * strength, 1 + int(5 * strength), random), 1.5
    elif kind == 1:
        sd = 0.16 * strength
        y, weight = np.hypot(x + random.normal(0, sd, x.shape), random.normal(0, sd, x.shape)), 0.9
    elif kind == 2:
        space = fft.fft2(x)
        lost = (random.random(len(x)) < 0.75 * strength) & (np.abs(fft.fftfreq(len(x))) > 0.05)
        space[lost] = 0
        y, weight = np.abs(fft.ifft2(space)), 1.2
    else:
        y, weight = ndimage.gaussian_filter(x, 2.2 * strength), 2.0
    return Spoilt(_bytes(y), weight * _rms(y - x, x))


def mostly_noise(content: Content, random: np.random.Generator) -> Spoilt:
    """Noise of any kernel in HU; raters mind its size beside what is to be seen, fine grain a little less."""
    sd, sharpness = float(np.exp(random.uniform(np.log(5), np.log(120)))), float(random.uniform(0.35, 1.1))
    noise = dose_noise(content, sd, random, sharpness)
    loss = _rms(windowed(content.voxels + noise) - content.grey, content.grey) * (1.2 - 0.3 * sharpness)
    return Spoilt(np.clip(content.voxels + noise, -1024, 3000).round().astype(np.int16), 1.4 * loss)


def exposure(content: Content, random: np.random.Generator) -> Spoilt:
    """Contrast, brightness or gamma changed, some pictures slightly noisy too; in colour, as a screen shows them."""
    x = np.clip(content.grey, 0.0, 1.0)
    gain, shift, gamma = np.exp(random.normal(0, 0.5)), random.normal(0, 0.15), np.exp(random.normal(0, 0.4))
    y = np.clip(0.5 + gain * (x**gamma - 0.5) + shift, 0.0, 1.0)
    noise = float(random.choice([0.0, 0.02, 0.05]))
    y = np.clip(y + random.normal(0, noise, x.shape), 0.0, 1.0)
    inside = x > 0.1
    lost = 1.0 - min(1.0, float(y[inside].std() / x[inside].std()))
    clipped = float(((y[inside] <= 0.0) | (y[inside] >= 1.0)).mean())
    colour = np.stack([_bytes(y)] * 3, -1)
    return Spoilt(colour, 0.9 * lost + 1.2 * clipped + 0.35 * abs(float(y.mean() - x.mean())) / 0.2 + 4 * noise)


def few_counts(content: Content, random: np.random.Generator) -> Spoilt:
    """A smooth picture from few counts under a filter of any width, as emission tomography shows it, inverted."""
    x = ndimage.gaussian_filter(np.clip(content.grey, 0, 1), 2.5)
    counts, width = float(np.exp(random.uniform(np.log(3), np.log(400)))), float(random.uniform(0.6, 3.5))
    y = ndimage.gaussian_filter(random.poisson(x * counts) / counts, width)
    clean = ndimage.gaussian_filter(x, width)
    loss = 1.5 * _rms(y - clean, x) + 1.2 * _rms(clean - x, x)
    return Spoilt(255 - _bytes(y), loss)


def mixed(content: Content, random: np.random.Generator) -> Spoilt:
    """Noise, blur or coarse grey steps of a CT slice, as 8 bits."""
    x, strength, kind = content.grey, float(random.uniform(0.02, 1.0)), int(random.integers(3))
    if kind == 0:
        y, weight = windowed(content.voxels + dose_noise(content, 110 * strength, random)), 1.2
    elif kind == 1:
        y, weight = ndimage.gaussian_filter(x, 3 * strength), 1.7
    else:
        levels = 40 * (4 / 40) ** strength
        y, weight = np.round(x * levels) / levels, 2.5
    return Spoilt(_bytes(y), weight * _rms(y - x, x))


RECIPES: dict[str, Recipe] = {
    "CT dose and views": Recipe("CT", ".tif", ct_dose, 20, 20, raters=5, waver=0.12),
    "MR motion, noise, lost rows": Recipe("MR", ".png", mr_mixed, 10, 30, best=5.0, worst=1.0),
    "CT noise in HU": Recipe("CT", ".npy", mostly_noise, 16, 15, best=100.0, steps=11, raters=3),
    "contrast and exposure": Recipe("MR", ".jpg", exposure, 12, 20, best=1.0, steps=10),
    "few counts": Recipe("MR", ".bmp", few_counts, 12, 25, best=1.0, steps=21, raters=8),
    "CT, 60 pictures, low is good": Recipe("CT", ".png", mixed, 12, 5, best=1.0, worst=5.0, raters=2),
}
"""Name → set."""


def contents(packed: Sequence[Packed], modality: str, count: int, seed: int = 0) -> list[Content]:
    """Return `count` slices, turn by turn from each subject of the modality. Raises InputError without any."""
    random = np.random.default_rng(seed)
    subjects: dict[str, list[Packed]] = {}
    for volume in packed:
        if volume.prompt.modality == modality and min(volume.voxels.shape[1:]) >= 100:
            subjects.setdefault(volume.subject, []).append(volume)
    if not subjects:
        raise InputError(f"a pack must have {modality} volumes of at least 100 x 100 pixels, got none")
    names = list(random.permutation(sorted(subjects)))
    found = []
    for turn in range(count):
        listed = subjects[str(names[turn % len(names)])]
        volume = listed[(turn // len(names)) % len(listed)]
        place = int(random.integers(len(volume.voxels) // 4, max(1, 3 * len(volume.voxels) // 4) + 1))
        slice_ = volume.voxels[min(place, len(volume.voxels) - 1)].astype(np.float32)
        if modality == "CT":  # pictures of such sets are mostly square
            missing = [max(0, 512 - n) for n in slice_.shape] if max(slice_.shape) > 400 else [0, 0]
            slice_ = np.pad(slice_, [(n // 2, n - n // 2) for n in missing], constant_values=-1000.0)
        found.append(Content(volume.subject, modality, slice_))
    return found


def opinion(loss: float, recipe: Recipe, content: float, rater: npt.NDArray[Any], random: np.random.Generator) -> float:
    """Return the mean of the raters' answers on the set's scale. rater: (raters, 2) bias and gain."""
    seen = (1.0 + rater[:, 1]) * loss
    good = 1.0 / (1.0 + (seen / 0.45) ** 1.8)  # saturates at both ends
    good = good + content + rater[:, 0] + random.normal(0, recipe.waver, len(rater))
    answers = np.clip(np.round(good * (recipe.steps - 1)), 0, recipe.steps - 1) / (recipe.steps - 1)
    return float(recipe.worst + (recipe.best - recipe.worst) * answers.mean())


def write(name: str, packed: Sequence[Packed], folder: Path, *, share: float = 1.0, seed: int = 0) -> Path:
    """Write the files of a set and its labels.csv, whose path is returned. share: of its pictures, to be quick."""
    recipe = RECIPES[name]
    random = np.random.default_rng((seed, list(RECIPES).index(name)))
    folder.mkdir(parents=True, exist_ok=True)
    rater = np.stack([random.normal(0, 0.08, recipe.raters), random.normal(0, 0.2, recipe.raters)], 1)
    rows = []
    for number, content in enumerate(contents(packed, recipe.modality, recipe.contents, seed)):
        offset = random.normal(0, 0.05)
        for item in range(max(2, round(share * recipe.per_content))):
            spoilt = recipe.spoil(content, random)
            label = opinion(spoilt.loss, recipe, offset, rater, random)
            file = f"{number:02d}_{item:02d}{recipe.suffix}"
            _save(spoilt.picture, folder / file)
            rows.append((file, f"{label:.4g}", recipe.modality, content.subject))
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file_:
        csv.writer(file_).writerows([("path", "score", "modality", "group"), *rows])
    return folder / "labels.csv"


def _bytes(x: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    return np.clip(np.round(x * 255), 0, 255).astype(np.uint8)


def _save(picture: npt.NDArray[Any], path: Path) -> None:
    if path.suffix == ".npy":
        np.save(path, picture, allow_pickle=False)
        return
    from PIL import Image

    Image.fromarray(picture).save(path)
