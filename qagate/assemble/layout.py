"""Layout: how the pixels of one object are stored, read from its header and checked against the limits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from qagate.assemble.exclusion import modality_of
from qagate.assemble.headers import Header
from qagate.assemble.parts import frames_of
from qagate.assemble.values import MALFORMED, items_of, number_of, text_of, value_of, whole_of

Array = npt.NDArray[Any]
PACKED_BITS = 12
"""Bits Allocated of pixels that fill no whole bytes, two in three, as ACR-NEMA has them."""
AIR_IS_STORED_FROM = -500.0
"""With a Rescale Intercept above this, air at -1000 HU is stored as a negative value."""


@dataclass(frozen=True, slots=True, eq=False)
class ModalityLut:
    """A table from stored values to modality values; the first entry is for stored value `first`."""

    first: int
    table: Array

    def apply(self, raw: Array) -> Array:
        """Return the table's values; stored values outside take the nearest end. Source: PS3.3 C.11.1.1.1."""
        index = np.clip(raw.astype(np.int64) - self.first, 0, len(self.table) - 1)
        found: Array = self.table[index]
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """How the pixels of one object are stored.

    offset, length: of the value of the pixel data element, see `headers.Header`. padding: first and last stored value
    that mean nothing. problem: why the pixels cannot be read at all, "" when they may be.
    """

    path: Path
    transfer_syntax_uid: str
    keyword: str
    offset: int
    length: int
    rows: int
    columns: int
    samples: int
    frames: int
    photometric: str
    planar: int
    allocated: int
    stored: int
    high_bit: int
    signed: bool
    is_ct: bool
    padding: tuple[float, float] | None = None
    lut: ModalityLut | None = None
    embedded_overlay: bool = False
    offsets: tuple[bytes, bytes] | None = None
    problem: str = ""

    @property
    def frame_bytes(self) -> int:
        """Bytes of one decoded frame."""
        return (self.rows * self.columns * self.samples * self.allocated + 7) // 8

    @property
    def spare_bytes(self) -> int:
        """Bytes of the last frame that may lack, less than a row: a writer that counts wrongly cost no more."""
        return self.columns * self.samples * self.allocated // 8 if self.allocated > 1 else 0

    @property
    def lacking_bytes(self) -> int:
        """Bytes that lack at the end of uncompressed pixels, by the length that their element says."""
        return max(0, self.frames * self.frame_bytes - self.length)

    @property
    def whole(self) -> bool:
        """Whether stored values are whole numbers that may fit into 16 bits."""
        return self.keyword not in ("FloatPixelData", "DoubleFloatPixelData")

    @property
    def inverted(self) -> bool:
        """Whether small values are shown bright. HU mean the same either way, so CT is never turned round."""
        return self.photometric == "MONOCHROME1" and not self.is_ct and self.whole

    @property
    def stored_sum(self) -> int:
        """The smallest plus the largest stored value: what an inverted value is subtracted from."""
        return -1 if self.signed else (1 << self.stored) - 1

    @property
    def padding_out(self) -> int:
        """The modality value of voxels that hold nothing."""
        return -1024 if self.is_ct else 0

    def stored_values(self, raw: Array, intercept: float = 0.0) -> Array:
        """Return values without what lies in the unused bits: shifted, overlay planes off, sign extended. PS3.5 8.1.

        intercept: of the rescale, which tells whether negative values are needed at all.
        """
        shift = self.high_bit - self.stored + 1
        if shift > 0 and raw.dtype.kind in "iu" and not self.embedded_overlay and self._lies_low(raw, shift):
            shift = 0
        if raw.dtype.kind not in "iu" or self.samples != 1:
            return raw
        if shift <= 0 and not self.embedded_overlay and not self._sign_is_cut(raw, intercept):
            return raw
        bits = raw.dtype.itemsize * 8
        # Left first, so that what lies above goes; then right, so that the sign comes along.
        up = bits - self.stored - max(shift, 0)
        if up < 0:
            return raw
        moved: Array = np.right_shift(np.left_shift(raw, raw.dtype.type(up)), raw.dtype.type(bits - self.stored))
        return moved

    def _lies_low(self, raw: Array, shift: int) -> bool:
        """Whether values that should lie in the high bits use low ones and fit there: the High Bit is wrong."""
        if not (raw & raw.dtype.type((1 << shift) - 1)).any():
            return False
        low, high = (-(1 << (self.stored - 1)), 1 << (self.stored - 1)) if self.signed else (0, 1 << self.stored)
        return low <= int(raw.min()) and int(raw.max()) < high

    def sign_is_doubtful(self, intercept: float) -> bool:
        """Whether the header of a CT and its intercept disagree about negative values; `sign` then tells.

        Signed values need none where the intercept makes air out of 0, and without that unsigned ones lack air.
        """
        if not (self.is_ct and self.whole and self.samples == 1 and self.lut is None and 8 < self.stored <= 16):
            return False
        if self.signed:
            return intercept <= AIR_IS_STORED_FROM and self.stored < self.allocated
        return intercept > AIR_IS_STORED_FROM

    def _sign_is_cut(self, raw: Array, intercept: float) -> bool:
        """Whether signed values of a CT were written without the bits above the sign, so that air looks like metal.

        Where the intercept makes air out of 0, they are unsigned values with a wrong Pixel Representation.
        """
        if not (self.signed and self.is_ct and 8 < self.stored < self.allocated and intercept > AIR_IS_STORED_FROM):
            return False
        return int(raw.min()) >= 0 and (1 << (self.stored - 1)) <= int(raw.max()) < (1 << self.stored)


def layout_of(header: Header, max_object_bytes: int) -> Layout:
    """Return how an object's pixels are stored. Never raises: what stands in the way is in `problem`."""
    dataset = header.dataset
    allocated = whole_of(dataset, "BitsAllocated") or (32 if header.pixel_keyword == "FloatPixelData" else 16)
    if header.pixel_keyword == "DoubleFloatPixelData":
        allocated = 64
    stored = whole_of(dataset, "BitsStored") or allocated
    stored = stored if 0 < stored <= allocated else allocated
    high_bit = whole_of(dataset, "HighBit")
    high_bit = stored - 1 if high_bit is None or not stored - 1 <= high_bit < allocated else high_bit
    samples = whole_of(dataset, "SamplesPerPixel") or 1
    rows, columns = whole_of(dataset, "Rows") or 0, whole_of(dataset, "Columns") or 0
    signed = whole_of(dataset, "PixelRepresentation") == 1
    problem = ""
    frame_bytes = rows * columns * samples * allocated // 8
    if header.pixel_offset is None:
        problem = "the object ends before its pixel data"
    elif samples not in (1, 3):
        problem = f"a pixel must have 1 or 3 samples, got {samples}"
    elif allocated not in (1, 8, PACKED_BITS, 16, 32, 64):
        problem = f"Bits Allocated must be 1, 8, 12, 16, 32 or 64, got {allocated}"
    elif frame_bytes > max_object_bytes:
        problem = f"a frame may take {max_object_bytes} bytes, got {rows} x {columns} x {samples}, {frame_bytes} bytes"
    offsets = value_of(dataset, "ExtendedOffsetTable"), value_of(dataset, "ExtendedOffsetTableLengths")
    return Layout(
        path=header.path,
        transfer_syntax_uid=header.transfer_syntax_uid,
        keyword=header.pixel_keyword,
        offset=header.pixel_offset or 0,
        length=header.pixel_length,
        rows=rows,
        columns=columns,
        samples=samples,
        frames=frames_of(header),
        photometric=text_of(dataset, "PhotometricInterpretation") or ("RGB" if samples == 3 else "MONOCHROME2"),
        planar=whole_of(dataset, "PlanarConfiguration") or 0,
        allocated=allocated,
        stored=stored,
        high_bit=high_bit,
        signed=signed,
        is_ct=modality_of(text_of(dataset, "Modality"), text_of(dataset, "SOPClassUID")) == "CT",
        padding=_padding(dataset, signed, allocated),
        lut=_lut(dataset),
        embedded_overlay=stored < allocated and _has_embedded_overlay(dataset),
        offsets=offsets if isinstance(offsets[0], bytes) and isinstance(offsets[1], bytes) else None,
        problem=problem,
    )


def _has_embedded_overlay(dataset: Dataset) -> bool:
    """Whether an overlay plane uses a bit of the pixels: Overlay Bit Position above 0. Source: PS3.5 section 8.1.2."""
    for tag in dataset.keys():  # noqa: SIM118  iterating a data set converts its values
        if tag >> 16 & 0xFFE1 == 0x6000 and tag & 0xFFFF == 0x0102:
            try:
                return any(int(value) > 0 for value in (dataset[tag].value,) if value)
            except MALFORMED:
                return False
    return False


def _padding(dataset: Dataset, signed: bool, allocated: int) -> tuple[float, float] | None:
    first = number_of(dataset, "PixelPaddingValue")
    if first is None:
        return None
    last = number_of(dataset, "PixelPaddingRangeLimit")
    found = (first, first if last is None else last)
    if allocated <= 16:
        # Written with the other signedness now and then: the bits count.
        kind = f"{'i' if signed else 'u'}{1 if allocated <= 8 else 2}"
        low, high = (float(np.array(int(v) & 0xFFFF, "u2").astype(kind)) for v in found)
        found = low, high
    return min(found), max(found)


def _lut(dataset: Dataset) -> ModalityLut | None:
    for item in items_of(dataset, "ModalityLUTSequence")[:1]:
        descriptor = value_of(item, "LUTDescriptor")
        data = value_of(item, "LUTData")
        try:
            if isinstance(data, bytes):
                data = np.frombuffer(data, "<u2")
            table = np.asarray([data] if isinstance(data, int) else data).astype(np.int32)
            first = int(descriptor[1])
        except (TypeError, ValueError, IndexError, OverflowError):
            return None
        if table.ndim == 1 and len(table):
            return ModalityLut(first - 65536 if first > 32767 and _is_signed(dataset) else first, table)
    return None


def _is_signed(dataset: Dataset) -> bool:
    return whole_of(dataset, "PixelRepresentation") == 1
