"""Pixels: stored values of many frames → one array of voxels, one bad frame costing one slice.

The pipeline ends at the modality values: CT in HU, MR after its rescale. Real World Values (PS3.3 C.7.6.16.2.11) and
windows are not applied. Source: PS3.3 C.7.6.3 and C.11.1.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qagate.assemble import sign
from qagate.assemble.child import Decoders
from qagate.assemble.layout import Layout
from qagate.assemble.stored import StoredFrames
from qagate.errors import TooLarge, UnreadablePixels

Array = npt.NDArray[Any]
# A padding value that means an ordinary tissue in HU is a wrong header, not padding; it is left as it is.
CT_TISSUE_HU = (-900.0, 4000.0)
THREADS = 2
_INT16 = np.iinfo(np.int16)


@dataclass(frozen=True, slots=True)
class Rescale:
    """Modality values = stored values × slope + intercept. stated: whether the header says the intercept."""

    slope: float = 1.0
    intercept: float = 0.0
    stated: bool = True

    @property
    def whole(self) -> bool:
        """Whether whole stored values stay whole."""
        return self.slope == int(self.slope) and self.intercept == int(self.intercept)


@dataclass(frozen=True, slots=True)
class PixelRef:
    """Where the pixels of one slice are: object, frame (0-based), and the tile of it when it is a mosaic.

    tile: first row, first column, rows, columns.
    """

    source: int
    frame: int
    rescale: Rescale = Rescale()
    tile: tuple[int, int, int, int] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """voxels: (slices, rows, columns), int16 or float32. valid: (slices,). problems: index of a slice, one sentence.

    contradicted: indices of slices whose values have a sign although their header denies it, or the other way round.
    """

    voxels: Array
    valid: npt.NDArray[np.bool_]
    problems: tuple[tuple[int, str], ...]
    contradicted: tuple[int, ...] = ()


class _TooWide(Exception):
    """A value does not fit into int16."""


def read_pixels(
    refs: Sequence[PixelRef],
    layouts: Sequence[Layout],
    shape: tuple[int, int],
    max_volume_bytes: int,
    decoders: Decoders,
) -> Pixels:
    """Return the voxels of slices in the order of refs.

    layouts: by `PixelRef.source`. shape: rows, columns of every slice. int16 where all values fit, else float32. A
    slice that cannot be decoded becomes padding and a problem. Raises TooLarge before anything is allocated.
    """
    rows, columns = shape
    needed = {ref.source for ref in refs}
    whole = all(ref.rescale.whole for ref in refs) and all(layouts[source].whole for source in needed)
    wanted = len(refs) * rows * columns * (2 if whole else 4)
    if wanted > max_volume_bytes:
        raise TooLarge(
            f"the voxels may take {max_volume_bytes} more bytes, see max_volume_mb; "
            f"got {len(refs)} x {rows} x {columns} voxels, {wanted} bytes"
        )
    if whole:
        try:
            return _read(refs, layouts, shape, np.dtype(np.int16), decoders)
        except _TooWide:
            if 2 * wanted > max_volume_bytes:
                raise TooLarge(
                    f"the voxels may take {max_volume_bytes} more bytes, got {2 * wanted} as float32"
                ) from None
    return _read(refs, layouts, shape, np.dtype(np.float32), decoders)


def _read(
    refs: Sequence[PixelRef],
    layouts: Sequence[Layout],
    shape: tuple[int, int],
    dtype: np.dtype[Any],
    decoders: Decoders,
) -> Pixels:
    voxels = np.empty((len(refs), *shape), dtype)
    valid = np.ones(len(refs), dtype=np.bool_)
    problems: list[tuple[int, str]] = []
    contradicted: list[int] = []
    stop = threading.Event()

    def work(first: int) -> None:
        with StoredFrames(layouts, decoders) as stored:
            for index in range(first, len(refs), THREADS):
                if stop.is_set():
                    return
                layout = layouts[refs[index].source]
                try:
                    if not _fill(voxels[index], stored, refs[index], layout):
                        contradicted.append(index)
                except UnreadablePixels as error:
                    voxels[index] = layout.padding_out
                    valid[index] = False
                    problems.append((index, str(error)))
                except _TooWide:
                    stop.set()
                    raise

    with ThreadPoolExecutor(THREADS, thread_name_prefix="pixels") as pool:
        for future in [pool.submit(work, first) for first in range(THREADS)]:
            future.result()
    return Pixels(voxels, valid, tuple(sorted(problems)), tuple(sorted(contradicted)))


def _fill(out: Array, stored: StoredFrames, ref: PixelRef, layout: Layout) -> bool:
    """Write the modality values of one slice into `out` (rows, columns). Return if the header is right on signs."""
    raw = stored.frame(ref.source, ref.frame)  # (rows, columns) or (rows, columns, samples)
    if raw.ndim == 3:
        raw = np.rint(raw[..., :3] @ np.array([0.299, 0.587, 0.114])).astype(np.int32)  # luminance, ITU-R BT.601
    if ref.tile is not None:
        row, column, rows, columns = ref.tile
        raw = raw[row : row + rows, column : column + columns]
    if raw.shape != out.shape:
        raise UnreadablePixels(f"a frame must have {out.shape[0]} x {out.shape[1]} pixels, got {raw.shape}")
    padding = _padding_mask(raw, layout, ref.rescale)
    raw = layout.stored_values(raw, ref.rescale.intercept)
    signed = layout.signed
    if layout.sign_is_doubtful(ref.rescale.intercept):
        signed = sign.has_sign(raw, layout.stored, layout.signed, padding)
        if signed != layout.signed:
            raw = sign.read(raw, layout.stored, signed)
            padding = padding if signed else _padding_mask(raw, layout, ref.rescale)
    if layout.lut is not None:
        raw = layout.lut.apply(raw)
    if layout.inverted:
        raw = layout.stored_sum - raw.astype(np.int32 if raw.dtype.kind in "iu" else np.float64)
    slope, intercept = (1.0, 0.0) if layout.lut is not None else (ref.rescale.slope, ref.rescale.intercept)
    if out.dtype == np.int16:
        _whole_values(out, raw, int(slope), int(intercept), padding)
    else:
        np.multiply(raw, np.float32(slope) if raw.dtype.kind == "f" else slope, out=out, casting="unsafe")
        if intercept:
            out += np.float32(intercept)
        np.nan_to_num(
            out, copy=False, nan=float(layout.padding_out), posinf=layout.padding_out, neginf=layout.padding_out
        )
    if padding is not None:
        out[padding] = layout.padding_out
    if layout.is_ct:
        # Nothing absorbs less than air: what lies below is filling outside the field of view, declared or not.
        np.maximum(out, layout.padding_out, out=out)
    return signed == layout.signed


def _whole_values(out: Array, raw: Array, slope: int, intercept: int, padding: Array | None) -> None:
    """Integer fast path: no temporary wider than needed, and a check that everything fits into int16."""
    info = np.iinfo(raw.dtype)
    low, high = int(info.min), int(info.max)
    if raw.dtype.itemsize > 1:
        seen = raw if padding is None else np.where(padding, raw.dtype.type(0), raw)
        low, high = int(seen.min()), int(seen.max())
    ends = (low * slope + intercept, high * slope + intercept)
    if min(ends) < _INT16.min or max(ends) > _INT16.max:
        raise _TooWide
    # Wrapping arithmetic in 16 bits gives the right result, since the result fits.
    np.copyto(out, raw, casting="unsafe")
    if slope != 1:
        np.multiply(out, np.array(slope).astype(np.int16), out=out)
    if intercept:
        np.add(out, np.array(intercept).astype(np.int16), out=out)


def _padding_mask(raw: Array, layout: Layout, rescale: Rescale) -> Array | None:
    """Return where stored values are padding, or None when nothing is. Source: PS3.3 C.7.5.1.1.2."""
    if layout.padding is None:
        return None
    low, high = layout.padding
    if layout.is_ct:
        ends = (low * rescale.slope + rescale.intercept, high * rescale.slope + rescale.intercept)
        if any(CT_TISSUE_HU[0] < hu < CT_TISSUE_HU[1] for hu in ends):
            return None
    elif low >= 0 and high < (1 << (layout.stored - 1)):
        return None  # in MR an ordinary small value is background already
    mask: Array = raw == low if low == high else (raw >= low) & (raw <= high)
    return mask if mask.any() else None
