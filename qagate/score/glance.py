"""Glance: a second opinion on modality and body region from the pixels alone, in plain numpy.

Some eighty measures of a slice (outline in cm, what share of it is air, fat, soft tissue or bone and at which depth) go
into one softmax over joint classes such as "CT chest". `qagate train glance` makes the table beside this file and
measures, on subjects it was not made from, how sure the classifier must be to be right.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from qagate.domain.glance import Glance
from qagate.domain.volume import Volume
from qagate.score.preprocess import CT_BODY_HU, MR_BODY, apply_standard, standard_of

Array = npt.NDArray[np.float64]
SHIPPED = Path(__file__).with_name("glance.json")
SLICES = 9
"""Slices of a volume that are looked at, evenly spread over its middle nine tenths."""
PIXEL_MM = 2.5
"""Slices are averaged down to about this: outlines and tissues are what is looked at, not detail."""
HU_EDGES = (-850.0, -500.0, -150.0, -30.0, 15.0, 50.0, 110.0, 250.0, 600.0)
MR_EDGES = (0.05, 0.12, 0.22, 0.34, 0.5, 0.7, 0.95)
DEPTHS = (0.15, 0.45)
"""Shares of the greatest depth under the skin that part a body into rind, middle and core."""
HU_FROM = -200.0
"""Values below mean Hounsfield units: nothing else that is sent goes there."""
PLANES = ("axial", "coronal", "sagittal")
PLANES_SEEN = {"CT": ("axial",), "MR": PLANES}
"""Planes of the training pictures: in another one no region is sure."""
ELSEWHERE = "elsewhere"
TRUNK_CM = 24.0
"""No CT is sure of a region whose outline is narrower: limbs and necks were not among the training pictures, and look
like trunks. The narrowest trunk that it was right about is 27 cm wide."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """classes: "CT chest", "MR elsewhere", "neither"; weights: (measures + 1, classes), the last row is the offset.

    sure_from: "CT chest" or "MR" → share from which held-out subjects were right; a word not in it is never said.
    """

    version: str
    classes: tuple[str, ...]
    mean: Array
    scale: Array
    weights: Array
    sure_from: Mapping[str, float] = field(default_factory=dict)

    def probabilities(self, measures: Array) -> Array:
        """Return (slices, classes) for (slices, measures)."""
        standard = np.clip((measures - self.mean) / self.scale, -4.0, 4.0)
        scores = standard @ self.weights[:-1] + self.weights[-1]
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares: Array = scores / scores.sum(axis=1, keepdims=True)
        return shares


@cache
def shipped() -> Table:
    """Return the table that comes with the package."""
    data: dict[str, Any] = json.loads(SHIPPED.read_text(encoding="utf-8"))
    mean, scale, weights = (np.array(data[name], np.float64) for name in ("mean", "scale", "weights"))
    return Table(data["version"], tuple(data["classes"]), mean, scale, weights, data["sure_from"])


def glance(volume: Volume, modality: str | None, plane: str | None, table: Table | None = None) -> Glance:
    """Return what the middle slices of a volume look like.

    modality: what the tags say; it chooses the scale of grey values and among which classes the region is looked for.
    None: the values themselves decide. plane: as in `domain.prompt.PLANES`. Never raises.
    """
    table = table or shipped()
    chosen = _chosen(volume)
    if not len(chosen):
        return Glance({}, {}, frozenset(), 0, table.version)
    _, between_rows, between_columns = volume.geometry.spacing_mm
    known = volume.geometry.known
    rows = [measures(one, (between_rows, between_columns), plane, known) for one in chosen]
    shares = dict(zip(table.classes, table.probabilities(np.stack(rows)).mean(axis=0).tolist(), strict=True))
    by_modality: dict[str, float] = {}
    for name, share in shares.items():
        by_modality[name.split()[0]] = by_modality.get(name.split()[0], 0.0) + share
    kind = modality or max(("CT", "MR"), key=lambda word: by_modality.get(word, 0.0))
    total = max(by_modality.get(kind, 0.0), 1e-9)
    by_region = {name.split()[1]: share / total for name, share in shares.items() if name.startswith(f"{kind} ")}
    by_region.pop(ELSEWHERE, None)
    if not known:  # a picture without a size: its outline says nothing
        by_region = {}
    sure = {word for word, share in by_modality.items() if share >= table.sure_from.get(word, 2.0)}
    width_cm = float(np.exp(np.median([row[_WIDTH] for row in rows])))
    narrow = kind == "CT" and width_cm < TRUNK_CM
    # what does not look like its modality shows no region either
    if plane in PLANES_SEEN[kind] and total > 0.5 and not narrow:
        sure |= {word for word, share in by_region.items() if share >= table.sure_from.get(f"{kind} {word}", 2.0)}
    return Glance(by_modality, by_region, frozenset(sure), len(chosen), table.version)


def _chosen(volume: Volume) -> npt.NDArray[Any]:
    """Return up to `SLICES` slices that could be read, (slices, rows, columns)."""
    good = np.arange(len(volume.voxels)) if volume.valid is None else np.flatnonzero(volume.valid)
    if len(good) > SLICES:
        good = good[np.linspace(0.05 * len(good), 0.95 * len(good) - 1, SLICES).round().astype(int)]
    found: npt.NDArray[Any] = volume.voxels[good]
    return found


def measures(
    picture: npt.NDArray[Any], spacing_mm: tuple[float, float], plane: str | None, known: bool = True
) -> Array:
    """Return the measures of one slice, finite numbers all.

    picture: (rows, columns), HU or MR values; what is no finite number counts as the lowest that is. spacing_mm:
    between rows, between columns.
    """
    finite = np.isfinite(picture)
    if not finite.all():
        picture = np.where(finite, picture, picture[finite].min() if finite.any() else 0)
    values = _values(picture)
    small, (height_mm, width_mm) = _shrunk(picture.astype(np.float32), spacing_mm)
    has_hu = bool(values[0])
    how = standard_of(small[None], "CT" if has_hu else "MR")
    scaled = apply_standard(small[None], how)[0]  # (rows, columns)
    body = scaled > (CT_BODY_HU if has_hu else MR_BODY)
    body = ndimage.binary_opening(body, iterations=1)
    parts, count = ndimage.label(body)
    sizes = np.sort(np.bincount(parts.ravel())[1:])[::-1] if count else np.zeros(0)
    if not count or sizes[0] < 25:
        return np.concatenate([values, np.zeros(_BODY_MEASURES), _one_of(plane)])
    solid = ndimage.binary_fill_holes(
        np.isin(parts, 1 + np.flatnonzero(np.bincount(parts.ravel())[1:] > 0.1 * sizes[0]))
    )
    pixel_cm2 = height_mm * width_mm / 100.0
    outline = _outline(solid, body, sizes, (height_mm / 10.0, width_mm / 10.0), pixel_cm2)
    tissue = _tissue(scaled, solid, has_hu)
    found: Array = np.concatenate([values, outline if known else 0 * outline, tissue, _one_of(plane)])
    return np.nan_to_num(found)


def _values(picture: npt.NDArray[Any]) -> Array:
    """Return what the grey values alone say, whatever their scale: HU or not, air, dark, bright, how many, how flat."""
    sample = picture[::4, ::4].astype(np.float64).ravel()
    low, high = (float(v) for v in np.percentile(sample, (0.5, 99.5)))
    span = max(high - low, 1e-6)
    has_hu = float(sample.min()) < HU_FROM
    air = float((sample < -850.0).mean()) if has_hu else 0.0
    water = float(((sample > -150.0) & (sample < 150.0)).mean()) if has_hu else 0.0
    levels = np.bincount(np.clip((sample - low) / span * 255.0, 0, 255).astype(int), minlength=256)
    steps = np.abs(np.diff(picture[::2, ::2].astype(np.float64), axis=1))
    dark, bright = float(levels[:13].sum()) / len(sample), float(levels[230:].sum()) / len(sample)
    flat, sharp = (float(which.mean()) if steps.size else 0.0 for which in (steps < 0.004 * span, steps > 0.5 * span))
    return np.array([float(has_hu), air, water, dark, bright, float((levels > 0).mean()), flat, math.sqrt(sharp)])


def _shrunk(picture: npt.NDArray[np.float32], spacing_mm: tuple[float, float]) -> tuple[Any, tuple[float, float]]:
    down, across = (max(1, round(PIXEL_MM / mm)) for mm in spacing_mm)
    rows, columns = picture.shape[0] // down, picture.shape[1] // across
    if rows < 8 or columns < 8:
        return picture, spacing_mm
    blocks = picture[: rows * down, : columns * across].reshape(rows, down, columns, across)
    return blocks.mean(axis=(1, 3)), (spacing_mm[0] * down, spacing_mm[1] * across)


_OUTLINE = 12
_WIDTH = 9
"""Place of the logarithm of the width in cm among the measures: behind 8 of the values and the height."""
_BODY_MEASURES = _OUTLINE + 3 * (len(HU_EDGES) + 1) + 3 * (len(MR_EDGES) + 1) + 8


def _outline(solid: Any, body: Any, sizes: Any, pixel_cm: tuple[float, float], pixel_cm2: float) -> Array:
    rows, columns = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
    height, width = (rows[-1] - rows[0] + 1) * pixel_cm[0], (columns[-1] - columns[0] + 1) * pixel_cm[1]
    area = float(solid.sum()) * pixel_cm2
    edge = np.concatenate([solid[0], solid[-1], solid[:, 0], solid[:, -1]])
    box = solid[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    mirrored = float((box == box[:, ::-1]).mean())
    return np.array(
        [
            math.log(height), math.log(width), math.log(area), area / (height * width), math.log(width / height),
            float(edge.mean()), float(solid[:, [0, -1]].mean()), float(solid[[0, -1]].mean()),
            float(sizes[0] / sizes.sum()), min(4.0, float((sizes > 0.1 * sizes[0]).sum())),
            1.0 - float(body[solid].mean()), mirrored,
        ]
    )  # fmt: skip


def _tissue(scaled: Any, solid: Any, has_hu: bool) -> Array:
    """Return shares of grey values at three depths, in the block of the modality; and how front and back differ."""
    depth = ndimage.distance_transform_edt(np.pad(solid, 1))[1:-1, 1:-1]
    depth = depth / max(float(depth.max()), 1.0)
    zones = (
        solid & (depth <= DEPTHS[0]),
        solid & (depth > DEPTHS[0]) & (depth <= DEPTHS[1]),
        solid & (depth > DEPTHS[1]),
    )
    edges = HU_EDGES if has_hu else MR_EDGES
    shares = [_shares(scaled[zone], edges) for zone in zones]
    blank = np.zeros(3 * (len(MR_EDGES if has_hu else HU_EDGES) + 1))
    own = np.concatenate(shares)
    rows = np.flatnonzero(solid.any(axis=1))
    middle = (rows[0] + rows[-1] + 1) // 2
    top, bottom = scaled[:middle][solid[:middle]], scaled[middle:][solid[middle:]]
    hard, hollow = (200.0, -500.0) if has_hu else (0.7, 0.12)
    halves = [
        [float((half > hard).mean()), float((half < hollow).mean())] if half.size else [0.0, 0.0]
        for half in (top, bottom)
    ]
    inside = scaled[solid]
    rough = np.abs(np.diff(scaled, axis=1))[solid[:, 1:] & solid[:, :-1]]
    unit = 100.0 if has_hu else 0.1
    more = [*halves[0], *halves[1], float(np.log1p(rough.mean() / unit)) if rough.size else 0.0]
    more += [float(np.log1p(inside.std() / unit)), *np.log1p(np.maximum(0.0, np.percentile(inside, (25, 75)) / unit))]
    blocks = (own, blank) if has_hu else (blank, own)
    return np.concatenate([*blocks, more])


def _shares(values: Any, edges: tuple[float, ...]) -> Array:
    counts = np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1).astype(np.float64)
    shares: Array = np.sqrt(counts / max(1, values.size))
    return shares


def _one_of(plane: str | None) -> Array:
    return np.array([float(plane == word) for word in PLANES])
