"""Marks: what single artefacts leave behind in a field of neighbouring slices, each measured by itself.

Beside the general texture of `handcrafted` these look for one thing each: slices that lie in the wrong order or are
copies, shifts between slices, lines missing in k-space, copies of edges at a distance, single bright spots of the
spectrum, steps and blocks of grey values, shading of tissue. They are numbers for a regression, not measurements with a
unit: none is a quality by itself, and no direction is given.

Sources: order and shift of slices, grey steps, shading: our own, plain. Ghosts as peaks of the autocorrelation of
edges: Lin and Braun, Magn Reson Imaging 2002 (in idea). Streaks by the direction of the spectrum: our own.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise, permutations
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from qagate.score.marks_spectrum import copies, spectrum

Slices = npt.NDArray[np.floating[Any]]
Mask = npt.NDArray[np.bool_]

TISSUE_HU = (-160.0, 240.0)
SOFT_HU = (-150.0, 250.0)
BODY = {"CT": -500.0, "MR": 0.07}
SMALL = 1e-6
SMALLEST = 32
"""Fewest pixels along a side that are measured; fewer are mirrored."""

NAMES = (
    "single", "step_mean", "step_min", "step_max", "step_skip", "order_violation", "order_cost", "shift_mean",
    "shift_max", "fine_correlation_min", "fine_correlation_mean", "fine_correlation_max", "gain_alternation",
    "gain_range", "fine_range", "levels", "level_step", "equal_across", "equal_down", "at_top", "at_bottom",
    "grey_entropy", "grey_roughness", "block_down", "block_across", "noise", "band_1", "band_2", "band_4", "band_8",
    "fine_kurtosis", "band_1_to_2", "lines_down", "lines_down_dip", "lines_down_jump", "lines_across",
    "lines_across_dip", "lines_across_jump", "radial_drop", "radial_drop_at", "radial_tail", "spike", "spike_count",
    "angle_sd", "angle_high", "angle_low", "angle_fine", "ghost_down", "ghost_across", "ghost_down_at",
    "ghost_across_at", "wave_1_tissue", "wave_2_tissue", "wave_4_tissue", "wave_1_air", "wave_2_air", "wave_4_air",
    "air_share", "air_mean", "air_sd", "air_structure", "air_sides", "border_1", "border_2",
    "border_3", "border_4", "shade_sd", "shade_rest", "shade_cubic", "broad_sd",
    "broad_low", "broad_high", "soft_p01", "soft_p05", "soft_p50", "soft_p95", "soft_p99",
    "soft_share", "top_value", "dense_share", "hollow_share", "empty_share", "rim",
)  # fmt: skip


def marks(slab: Slices, modality: str) -> npt.NDArray[np.float32]:
    """Return (83,) marks of a field of 1 to 4 neighbouring slices, (slices, rows, columns), in standard units.

    Standard units are those of `preprocess.apply_standard`: HU, or MR with the brightest tissue at 1. Sides of fewer
    than 32 pixels are mirrored up to that. Always finite.
    """
    x = np.asarray(slab, np.float32)
    missing = [max(0, SMALLEST - n) for n in x.shape[1:]]
    if any(missing):
        x = np.pad(x, [(0, 0), *((0, n) for n in missing)], mode="symmetric")
    ct = modality == "CT"
    wide = np.clip(x / 1000.0, -1.0, 2.0) if ct else x
    task, body = tissue(x, modality)
    fine = task - ndimage.uniform_filter(task, (0, 5, 5))
    found = [
        *_stack(task, wide, fine, body),
        *_greys(wide, task, body),
        *_bands(wide, body),
        *_mean(spectrum(wide[i]) for i in range(len(x))),
        *_mean(copies(task[i]) for i in range(len(x))),
        *_waves(wide, body),
        *_air(wide - float(wide.min()) if ct else np.clip(wide, 0.0, None), body),
        *_shading(x, body, ct),
    ]
    return np.clip(np.nan_to_num(np.array(found, np.float64), posinf=0.0, neginf=0.0), -1e4, 1e4).astype(np.float32)


def tissue(x: Slices, modality: str) -> tuple[Slices, Mask]:
    """Return slices in the window of soft tissue (0..1 for CT, as they are for MR), and where the body is."""
    ct = modality == "CT"
    task = np.clip((x - TISSUE_HU[0]) / (TISSUE_HU[1] - TISSUE_HU[0]), 0.0, 1.0) if ct else x
    body = ndimage.uniform_filter(x, (0, 5, 5)) > BODY["CT" if ct else "MR"]
    return task, body if body.mean() >= 0.02 else np.ones_like(body)


def _mean(rows: Iterator[tuple[float, ...]]) -> list[float]:
    return [float(v) for v in np.mean(list(rows), axis=0)]


def _stack(task: Slices, wide: Slices, fine: Slices, body: Mask) -> Iterator[float]:
    """Yield what neighbours say of one another; zeros for a slice alone."""
    count = len(task)
    yield float(count == 1)
    if count == 1:
        yield from [0.0] * 14
        return
    inside = body.any(0)
    contrast = float(task[:, inside].std()) + 1e-3
    step = np.zeros((count, count))
    for i, j in combinations(range(count), 2):
        step[i, j] = step[j, i] = float(np.abs(task[i] - task[j])[inside].mean()) / contrast
    near = np.array([step[i, i + 1] for i in range(count - 1)])
    yield from (_log(near.mean()), _log(near.min()), _log(near.max()))
    if count == 2:
        yield from (0.0, 0.0, 0.0)
    else:
        yield float(np.mean([step[i, i + 2] for i in range(count - 2)]) / (near.mean() + SMALL))
        worst = [
            (max(step[i, j], step[j, k]) - step[i, k]) / (step[i, k] + SMALL)
            for i, j, k in combinations(range(count), 3)
        ]
        yield float(np.clip(max(worst), -1.0, 5.0))
        shortest = min(sum(step[a, b] for a, b in pairwise(way)) for way in permutations(range(min(count, 4))))
        yield float(np.clip(near[: min(count, 4) - 1].sum() / (shortest + SMALL) - 1.0, 0.0, 5.0))
    shifts = [_shift(task[i], task[i + 1]) for i in range(count - 1)]
    yield from (float(np.log1p(np.mean(shifts))), float(np.log1p(max(shifts))))
    alike = [_correlation(fine[i][inside], fine[i + 1][inside]) for i in range(count - 1)]
    yield from (min(alike), float(np.mean(alike)), max(alike))
    level = np.array([float(np.log(max(1e-3, float((w - wide.min())[inside].mean())))) for w in wide])
    turned = level * np.where(np.arange(count) % 2, -1.0, 1.0)
    yield abs(float(turned[: count // 2 * 2].sum())) / (count // 2)
    yield float(np.ptp(level))
    yield float(np.ptp([_log(f[inside].std()) for f in fine]))


def _shift(a: Slices, b: Slices) -> float:
    """Return by how many pixels b lies beside a: the highest point of their correlation within 12 pixels."""
    fa, fb = (fft.rfft2(ndimage.sobel(p, 0) ** 2 + ndimage.sobel(p, 1) ** 2) for p in (a, b))
    cross = fa * np.conj(fb)
    size = a.shape
    peak = fft.irfft2(cross / (np.abs(cross) ** 0.5 + SMALL), s=size)
    reach = min(12, size[0] // 4, size[1] // 4)
    near = np.roll(peak, (reach, reach), (0, 1))[: 2 * reach + 1, : 2 * reach + 1]
    row, column = np.unravel_index(int(near.argmax()), near.shape)
    return float(np.hypot(row - reach, column - reach))


def _greys(wide: Slices, task: Slices, body: Mask) -> Iterator[float]:
    values = wide[body]
    values = values[:: max(1, len(values) // 20000)]
    low, high = np.percentile(values, (0.5, 99.5))
    span = float(high - low) + 1e-3
    single = np.unique(np.round(values, 4))
    yield _log(len(single) / len(values))
    yield _log(float(np.median(np.diff(single))) / span) if len(single) > 2 else 0.0
    across, down = np.abs(np.diff(task, axis=2)), np.abs(np.diff(task, axis=1))
    yield float((across[body[:, :, 1:]] < 1e-4).mean()) if body[:, :, 1:].any() else 0.0
    yield float((down[body[:, 1:]] < 1e-4).mean()) if body[:, 1:].any() else 0.0
    yield _log(float((values >= values.max() - 1e-3).mean()))
    yield _log(float((values <= values.min() + 1e-3).mean()))
    bins = np.clip((values - low) * (255.999 / span), 0.0, 255.0).astype(int)
    counts = np.bincount(bins, minlength=256) / len(values)
    filled = counts[counts > 0]
    yield float(-(filled * np.log2(filled)).sum())
    yield _log(float(np.abs(np.diff(counts, 2)).sum()))
    for steps in (down.mean((0, 2)), across.mean((0, 1))):
        phases = np.array([steps[p::8].mean() for p in range(8)])
        yield float(np.clip((phases.max() - np.median(phases)) / (np.median(phases) + SMALL), 0.0, 10.0))


def _bands(wide: Slices, body: Mask) -> Iterator[float]:
    previous, energies = wide, []
    for sigma in (1.0, 2.0, 4.0, 8.0):
        smooth = ndimage.gaussian_filter(wide, (0, sigma, sigma), truncate=2.5)
        band = (previous - smooth)[body]
        if sigma == 1.0:
            yield _log(np.median(np.abs(band)))
            square = band * band
            kurtosis = float(np.log((square * square).mean() / (square.mean() ** 2 + 1e-16) + SMALL))
        energies.append(_log(float((band * band).mean())))
        previous = smooth
    yield from energies
    yield kurtosis
    yield energies[0] - energies[1]


def _waves(wide: Slices, body: Mask) -> Iterator[float]:
    """Yield how much more waves run along one axis than along the other: ghosts and motion follow phase encoding."""
    smooth = [ndimage.gaussian_filter(wide, (0, s, s), truncate=2.5) if s else wide for s in (0.0, 1.0, 2.0, 4.0)]
    steep = np.hypot(*(np.gradient(smooth[3], axis=a) for a in (1, 2)))
    tissue = body & (steep < np.median(steep[body]))
    air = ndimage.maximum_filter(body, (1, 5, 5)) == 0
    for region in (tissue, air):
        for finer, coarser in pairwise(smooth):
            if region.sum() < 200:
                yield 0.0
                continue
            band = finer - coarser
            down, across = (float((np.gradient(band, axis=a)[region] ** 2).mean()) for a in (1, 2))
            yield abs(float(np.log10((down + 1e-10) / (across + 1e-10))))


def _air(x: Slices, body: Mask) -> Iterator[float]:
    """Yield what lies where no body is, and how bright the four borders are (sorted)."""
    air = ndimage.maximum_filter(body, (1, 7, 7)) == 0
    yield float(air.mean())
    signal = float(x[body].mean()) + SMALL
    if air.sum() > 200:
        values = x[air]
        smooth = ndimage.uniform_filter(x, (0, 5, 5))[air]
        yield from (_log(values.mean() / signal), _log(values.std() / signal))
        yield float(smooth.std() / (values.std() + 1e-4))
        sides = []
        for number in range(len(x)):
            columns, rows = body[number].any(0), body[number].any(1)
            beside = [air[number] & columns[None, :] & ~rows[:, None], air[number] & rows[:, None] & ~columns[None, :]]
            if min(b.sum() for b in beside) > 50:
                sides.append(abs(_log(x[number][beside[0]].mean()) - _log(x[number][beside[1]].mean())))
        yield float(np.mean(sides)) if sides else 0.0
    else:
        yield from [0.0] * 4
    borders = (x[:, :6].mean(), x[:, -6:].mean(), x[:, :, :6].mean(), x[:, :, -6:].mean())
    yield from sorted(float(b) / signal for b in borders)


def _shading(x: Slices, body: Mask, ct: bool) -> Iterator[float]:
    """Yield slow changes of grey within tissue (in 100 HU, or in nepers for MR), and what is very dense or hollow."""
    if ct:
        smooth = ndimage.uniform_filter(x, (0, 5, 5))
        soft = (smooth > SOFT_HU[0]) & (smooth < SOFT_HU[1])
        values = x / 100.0
    else:
        soft = body
        values = np.log(np.clip(x, 0.02, None))
    weight = soft.astype(np.float32)
    share = ndimage.uniform_filter(weight, (0, 13, 13))
    slow = ndimage.uniform_filter(values * weight, (0, 13, 13)) / np.maximum(share, 1e-3)
    use = soft & (share > 0.4)
    if use.sum() > 200:
        at = np.nonzero(use)
        every = max(1, len(at[0]) // 4000)
        row, column = (2.0 * a[::every] / n - 1.0 for a, n in zip(at[1:], x.shape[1:], strict=True))
        wanted = slow[use][::every]
        base = np.stack([np.ones_like(row), row, column, row * row, row * column, column * column], 1)
        fitted = base @ np.linalg.lstsq(base, wanted, rcond=None)[0]
        yield from (float(fitted.std()), float((wanted - fitted).std()))
        more = np.stack([row**3, row * row * column, row * column * column, column**3], 1)
        base = np.concatenate([base, more], 1)
        yield float((base @ np.linalg.lstsq(base, wanted, rcond=None)[0]).std())
        broad = ndimage.uniform_filter(values * weight, (0, 33, 33)) / np.maximum(
            ndimage.uniform_filter(weight, (0, 33, 33)), 1e-3
        )
        wide = broad[use][::every]
        middle = float(np.median(wide))
        yield from (float(wide.std()), *(float(v) - middle for v in np.percentile(wide, (2, 98))))
        yield from (float(v) for v in np.percentile(wanted, (1, 5, 50, 95, 99)))
    else:
        yield from [0.0] * 11
    yield float(soft.mean())
    unit = 1000.0 if ct else 1.0
    yield float(np.percentile(x, 99.9)) / unit
    yield _log(float((x > (2000.0 if ct else 1.2)).mean()))
    filled = ndimage.uniform_filter(body.astype(np.float32), (0, 15, 15)) > 0.8
    yield _log(float(((x < (-300.0 if ct else 0.04)) & filled).mean()))
    yield float((x <= (-998.0 if ct else 0.001)).mean())
    rim = body & (ndimage.minimum_filter(body, (1, 9, 9)) == 0)
    core = body & ~rim
    yield float(x[rim].mean() - x[core].mean()) / unit if rim.any() and core.any() else 0.0


def _correlation(a: Slices, b: Slices) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / (np.sqrt((a * a).sum() * (b * b).sum()) + SMALL))


def _log(value: Any) -> float:
    return float(np.log10(max(float(value), 0.0) + SMALL))
