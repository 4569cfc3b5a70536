"""Anthropomorphic CT phantoms: bodies made of ellipsoids with soft edges, organ texture, and quantum noise.

Coordinates are in mm in the patient's own frame (PS3.3 C.7.6.2.1.1): x to the left, y to the back, z to the head; the
origin is the middle of the body, z = 0 the lowest slice. A slice is drawn by painting organs from large to small, each
with an edge one pixel wide. Noise is added view by view: what a ray loses in the body decides how noisy its view is, so
the long way through hips and shoulders gives the horizontal streaks that a real scanner gives (Kak and Slaney,
Principles of Computerized Tomographic Imaging, chapter 5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, exp, pi, sin, sqrt

import numpy as np
import numpy.typing as npt

from qagate.demo.bodies import PLANS, Blob

AIR_HU = -1000.0
WATER_PER_MM = 0.0195  # linear attenuation of water at 70 keV
VIEWS = 4  # directions in which noise is made; more cost time and look the same
REFERENCE_NOISE_HU = 11.0  # middle of a 330 x 230 mm body at dose 1

Float = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Phantom:
    """voxels: (slices, rows, columns) int16 in HU, slices from feet to head. spacing_mm: slices, rows, columns."""

    voxels: npt.NDArray[np.int16]
    spacing_mm: tuple[float, float, float]
    region: str


def abdomen(
    shape: tuple[int, int, int] = (60, 512, 512),
    spacing_mm: tuple[float, float, float] | None = None,
    *,
    seed: int = 0,
    dose: float = 1.0,
) -> Phantom:
    """Return an abdomen in the portal venous phase, from the iliac crest to the lung bases.

    dose: exposure relative to a usual scan; noise goes with 1 / sqrt(dose), dose 0 means no noise at all. spacing_mm:
    180 mm along z and 400 mm across when absent. The same seed and shape give the same voxels.
    """
    return _make("abdomen", shape, spacing_mm, seed, dose, length_mm=180.0)


def chest(
    shape: tuple[int, int, int] = (60, 512, 512),
    spacing_mm: tuple[float, float, float] | None = None,
    *,
    seed: int = 0,
    dose: float = 1.0,
) -> Phantom:
    """Return a chest from the diaphragm to the shoulders; see `abdomen`."""
    return _make("chest", shape, spacing_mm, seed, dose, length_mm=240.0)


def head(
    shape: tuple[int, int, int] = (40, 512, 512),
    spacing_mm: tuple[float, float, float] | None = None,
    *,
    seed: int = 0,
    dose: float = 1.0,
) -> Phantom:
    """Return a head from the skull base to the vertex, without contrast; see `abdomen`."""
    return _make("head", shape, spacing_mm, seed, dose, length_mm=140.0, field_mm=240.0)


def _make(
    region: str,
    shape: tuple[int, int, int],
    spacing_mm: tuple[float, float, float] | None,
    seed: int,
    dose: float,
    *,
    length_mm: float,
    field_mm: float = 400.0,
) -> Phantom:
    slices, rows, columns = shape
    spacing = spacing_mm or (length_mm / slices, field_mm / rows, field_mm / columns)
    rng = np.random.default_rng(seed)
    span = slices * spacing[0]
    # a scan of another length shows the same body: z of the plan runs over the plan's own length
    plan = PLANS[region](rng)
    texture = _texture(rng, (max(4, slices), 96, 96))
    still = np.empty(shape, np.float32)
    for index in range(slices):
        z = (index + 0.5) * spacing[0] * length_mm / span if spacing_mm is None else (index + 0.5) * spacing[0]
        still[index] = _draw(plan, z, (rows, columns), spacing[1:], texture[index % len(texture)])
    voxels = add_noise(still, spacing, dose=dose, seed=seed + 1)
    return Phantom(voxels, spacing, region)


def add_noise(
    voxels: npt.NDArray[np.float32] | npt.NDArray[np.int16],
    spacing_mm: tuple[float, float, float],
    *,
    dose: float,
    seed: int,
    cutoff_per_mm: float = 0.45,
) -> npt.NDArray[np.int16]:
    """Return voxels (slices, rows, columns) in HU with the quantum noise of a scan at this dose, as int16.

    cutoff_per_mm: where the reconstruction kernel falls to 1/e; 0.45 is a soft body kernel, 0.8 a sharp one. The noise
    power rises with frequency before it falls, as filtered back projection makes it.
    """
    if dose <= 0:
        return np.clip(np.rint(voxels), -1024, 3071).astype(np.int16)
    slices, rows, columns = voxels.shape
    rng = np.random.default_rng(seed)
    fy = np.fft.fftfreq(rows, spacing_mm[1]).astype(np.float32)[:, None]
    fx = np.fft.rfftfreq(columns, spacing_mm[2]).astype(np.float32)[None, :]
    radius = np.hypot(fx, fy)
    gain = np.sqrt(radius) * np.exp(-((radius / cutoff_per_mm) ** 2))  # (rows, columns // 2 + 1)
    gain /= sqrt(2 * float(np.mean(gain**2)) * rows * columns) / (rows * columns)
    towards = np.arctan2(fy, fx)
    angles = [pi * k / VIEWS for k in range(VIEWS)]
    wedges = [np.abs(np.cos(towards - a)).astype(np.float32) ** 3 for a in angles]
    total = np.sqrt(sum(w * w for w in wedges))
    filters = [(gain * w / total * sqrt(VIEWS)).astype(np.float32) for w in wedges]
    scale = REFERENCE_NOISE_HU / sqrt(dose) / exp(280 * WATER_PER_MM / 2) / sqrt(VIEWS)
    noisy = np.empty(voxels.shape, np.int16)
    for index in range(slices):
        image = voxels[index].astype(np.float32)
        for angle, kernel in zip(angles, filters, strict=True):
            white = rng.standard_normal((2, *kernel.shape), np.float32)
            grain = np.fft.irfft2((white[0] + 1j * white[1]) * kernel, s=(rows, columns))
            image += grain.astype(np.float32) * (scale * _ray_noise(voxels[index], spacing_mm[1:], angle))
        noisy[index] = np.clip(np.rint(image), -1024, 3071)
    return noisy


def _ray_noise(image: npt.NDArray[np.generic], pixel_mm: tuple[float, float], angle: float) -> Float:
    """Return exp(path / 2) of the ray through each pixel, (rows, columns), seen from one direction."""
    rows, columns = image.shape
    step = max(1, rows // 64)
    small = np.maximum(image[::step, ::step].astype(np.float32) + 1000.0, 0) * (WATER_PER_MM / 1000)
    y = (np.arange(small.shape[0]) - small.shape[0] / 2)[:, None]
    x = (np.arange(small.shape[1]) - small.shape[1] / 2)[None, :]
    ray = np.rint(x * cos(angle) + y * sin(angle)).astype(np.intp)
    ray -= ray.min()
    # one bin holds the pixels of one ray; the mean times the chord is the path, whatever the angle's pixel count
    sums = np.bincount(ray.ravel(), weights=small.ravel())
    path = sums * step * (pixel_mm[0] * pixel_mm[1]) ** 0.5
    smooth = np.convolve(np.pad(path, 2, mode="edge"), np.ones(5) / 5, mode="valid")
    low = np.exp(smooth / 2)[ray].astype(np.float32)
    return np.repeat(np.repeat(low, step, 0), step, 1)[:rows, :columns]


def _texture(rng: np.random.Generator, shape: tuple[int, int, int]) -> Float:
    """Return a smooth random field with variance 1, to be stretched over a slice."""
    field: Float = rng.standard_normal(shape, np.float32)
    for axis in range(3):
        for _ in range(2):
            field = (field + np.roll(field, 1, axis) + np.roll(field, -1, axis)) / np.float32(3)
    smooth: Float = field / np.float32(field.std())
    return smooth


def _stretch(field: Float, length: int) -> Float:
    """Return the field with its first axis stretched to this length, linearly."""
    place = np.linspace(0, len(field) - 1.001, length)
    low = place.astype(np.intp)
    part = (place - low).astype(np.float32)[:, None]
    stretched: Float = field[low] * (1 - part) + field[low + 1] * part
    return stretched


def _draw(
    plan: Sequence[Blob], z: float, size: tuple[int, int], pixel_mm: tuple[float, float], texture: Float
) -> Float:
    rows, columns = size
    image = np.full(size, AIR_HU, np.float32)
    y_mm = (np.arange(rows, dtype=np.float32) - (rows - 1) / 2) * pixel_mm[0]
    x_mm = (np.arange(columns, dtype=np.float32) - (columns - 1) / 2) * pixel_mm[1]
    grain = _stretch(_stretch(texture, rows).T, columns).T
    for blob in plan:
        _paint(image, blob, z, x_mm, y_mm, grain)
    return image


def _paint(image: Float, blob: Blob, z: float, x_mm: Float, y_mm: Float, grain: Float) -> None:
    cx, cy, cz = blob.centre_mm
    a, b, c = blob.radii_mm
    height = 1.0 if c is None else 1.0 - abs((z - cz) / c) ** blob.power
    if height <= 0:
        return
    size = height ** (1 / blob.power)
    reach = max(a, b) * size * (1 + blob.wobble) + 2
    left, right = np.searchsorted(x_mm, (cx - reach, cx + reach))
    top, bottom = np.searchsorted(y_mm, (cy - reach, cy + reach))
    if left >= right or top >= bottom:
        return
    x, y = x_mm[None, left:right] - np.float32(cx), y_mm[top:bottom, None] - np.float32(cy)
    if blob.turn_degrees:
        s, co = np.float32(sin(pi * blob.turn_degrees / 180)), np.float32(cos(pi * blob.turn_degrees / 180))
        x, y = x * co + y * s, y * co - x * s
    if blob.power == 2.0:
        radius = np.sqrt((x / np.float32(a * size)) ** 2 + (y / np.float32(b * size)) ** 2)
    else:
        p = np.float32(blob.power)
        radius = (np.abs(x / np.float32(a * size)) ** p + np.abs(y / np.float32(b * size)) ** p) ** (1 / p)
    if blob.wobble:
        k = 2 * pi / (a + b)
        wave = np.sin(x * k + blob.phase + z / 37) + np.sin(y * k * 1.3 - blob.phase * 2 + z / 29) * np.cos(x * k * 0.7)
        radius = radius + np.float32(blob.wobble / 2) * wave
    pixel = abs(float(x_mm[1] - x_mm[0]))
    cover = np.clip((1 - radius) * (min(a, b) * size / pixel) + 0.5, 0, 1)
    part = image[top:bottom, left:right]
    part += cover * (np.float32(blob.hu) + np.float32(blob.texture_hu) * grain[top:bottom, left:right] - part)
