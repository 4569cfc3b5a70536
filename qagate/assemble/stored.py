"""Stored values: the frames of many files, one at a time, native or decoded with the decoder we choose."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from io import BytesIO
from typing import Any, BinaryIO, Self

import numpy as np
import numpy.typing as npt
from pydicom.pixels.utils import unpack_bits

from qagate.assemble.child import OWN, Decoders, decode
from qagate.assemble.codestream import size_of, syntax_of
from qagate.assemble.deflate import INFLATED_UID, inflate
from qagate.assemble.fragments import Fragments
from qagate.assemble.headers import MAX_FILE_BYTES, UNDEFINED_LENGTH
from qagate.assemble.layout import PACKED_BITS, Layout
from qagate.assemble.values import MALFORMED
from qagate.errors import NotDicom, UnreadablePixels

Array = npt.NDArray[Any]

_NATIVE = frozenset(
    {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", INFLATED_UID.decode(), "1.2.840.113619.5.2"}
)
_BIG_ENDIAN = frozenset({"1.2.840.10008.1.2.2", "1.2.840.113619.5.2"})
_JPEG = "1.2.840.10008.1.2.4."
# The fastest decoder that gives right values, by transfer syntax; pydicom's own order does not take it. The next ones
# are for streams the first refuses.
DECODERS = {
    "1.2.840.10008.1.2.5": ("pylibjpeg", "pydicom"),  # RLE
    _JPEG + "50": ("pillow", "gdcm"),  # JPEG baseline
    _JPEG + "51": ("gdcm", "pillow", OWN),  # JPEG extended; with 12 bits only our own
    _JPEG + "57": ("gdcm",),  # JPEG lossless
    _JPEG + "70": ("gdcm",),  # JPEG lossless, first order
    _JPEG + "80": ("pyjpegls", "gdcm"),  # JPEG-LS lossless
    _JPEG + "81": ("pyjpegls", "gdcm"),  # JPEG-LS near-lossless
    _JPEG + "90": ("pylibjpeg", "gdcm", "pillow"),  # JPEG 2000 lossless
    _JPEG + "91": ("pylibjpeg", "gdcm", "pillow"),  # JPEG 2000
    _JPEG + "201": ("pylibjpeg",),  # HTJ2K lossless
    _JPEG + "202": ("pylibjpeg",),  # HTJ2K lossless, RPCL
    _JPEG + "203": ("pylibjpeg",),  # HTJ2K
}
_ITEM = b"\xfe\xff\x00\xe0"  # what encapsulated pixel data begin with
# RLE is decoded in 2 ms by code that cannot end the process; the others are decoded in child processes.
IN_PROCESS = frozenset({"1.2.840.10008.1.2.5"})


class StoredFrames:
    """Frames by object and number. Not for use by two threads at once; each takes its own."""

    def __init__(self, layouts: Sequence[Layout], decoders: Decoders) -> None:
        self._layouts = layouts
        self._decoders = decoders
        self._source = -1
        self._file: BinaryIO | None = None
        self._fragments: Fragments | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the open file."""
        if self._file is not None:
            self._file.close()
        self._file, self._fragments, self._source = None, None, -1

    def frame(self, source: int, number: int) -> Array:
        """Return the stored values of one frame (0-based), (rows, columns) or (rows, columns, 3).

        Raises UnreadablePixels. The array may be read-only.
        """
        layout = self._layouts[source]
        if layout.problem:
            raise UnreadablePixels(layout.problem)
        try:
            file = self._open(source, layout)
            if _is_native(file, layout):
                return _native(file, layout, number)
            return self._decoded(file, layout, number)
        except UnreadablePixels:
            raise
        except NotDicom as error:
            raise UnreadablePixels(str(error)) from None
        except MALFORMED as error:
            raise UnreadablePixels(f"the pixel data cannot be decoded, got {_short(error)}") from None

    def _open(self, source: int, layout: Layout) -> BinaryIO:
        if self._file is None or self._source != source:
            self.close()
            # Unbuffered: every read is one whole frame.
            file: BinaryIO = layout.path.open("rb", buffering=0)
            if layout.transfer_syntax_uid == INFLATED_UID.decode():
                with file:
                    file = BytesIO(inflate(file, MAX_FILE_BYTES)[0])
            self._file, self._source = file, source
        return self._file

    def _decoded(self, file: BinaryIO, layout: Layout, number: int) -> Array:
        if self._fragments is None:
            self._fragments = Fragments(file, layout)
        code = self._fragments.frame(number)
        syntax = syntax_of(code, layout.transfer_syntax_uid)
        decoders = DECODERS.get(syntax)
        if decoders is None:
            raise UnreadablePixels(f"there is no decoder for this transfer syntax, got {syntax}")
        said = size_of(code)
        if said is not None and said != (layout.rows, layout.columns):
            raise UnreadablePixels(
                f"the compressed frame is {said[0]} x {said[1]}, the header says {layout.rows} x {layout.columns}"
            )
        options = _options(layout)
        if syntax in IN_PROCESS:
            return decode(code, syntax, decoders, options)
        return self._decoders.decode(code, syntax, decoders, options)


def _is_native(file: BinaryIO, layout: Layout) -> bool:
    """Return whether frames lie in the file as they are, whatever its transfer syntax says. Source: PS3.5 section A.4.

    Archives that compress or expand pixels now and then leave the transfer syntax as it was.
    """
    if layout.length == UNDEFINED_LENGTH:
        return False
    native, enough = layout.transfer_syntax_uid in _NATIVE, layout.length >= layout.frames * layout.frame_bytes
    if native == enough:
        return native
    return _read_at(file, layout.offset, 4) != _ITEM


def _options(layout: Layout) -> dict[str, Any]:
    photometric = layout.photometric
    if layout.samples == 3 and photometric == "PALETTE COLOR":
        photometric = "RGB"
    return {
        "rows": layout.rows,
        "columns": layout.columns,
        "samples_per_pixel": layout.samples,
        "number_of_frames": 1,
        "bits_allocated": 16 if layout.allocated == PACKED_BITS else layout.allocated,
        "bits_stored": layout.stored,
        "photometric_interpretation": photometric,
        "pixel_representation": int(layout.signed),
        "planar_configuration": layout.planar,
        "pixel_keyword": "PixelData",
    }


def _native(file: BinaryIO, layout: Layout, number: int) -> Array:
    """Read one uncompressed frame. Source: PS3.5 section 8."""
    size = layout.frame_bytes
    pixels = layout.rows * layout.columns * layout.samples
    if layout.allocated == 1:
        first = number * pixels
        raw = _read_at(file, layout.offset + first // 8, (pixels + first % 8 + 7) // 8)
        bits: Array = np.asarray(unpack_bits(raw))[first % 8 : first % 8 + pixels]
        return bits.reshape(layout.rows, layout.columns)
    if layout.allocated == PACKED_BITS:
        return _packed(file, layout, number)
    if layout.photometric == "YBR_FULL_422":
        raise UnreadablePixels("uncompressed colour with shared chroma is not read, got YBR_FULL_422")
    at = layout.offset + number * size
    lacking = (number + 1) * size - layout.length
    if lacking > layout.spare_bytes:
        raise UnreadablePixels(
            f"frame {number + 1} needs {(number + 1) * size} bytes of pixel data, got {layout.length}"
        )
    raw = _read_at(file, at, size - max(0, lacking)) + bytes(max(0, lacking))
    order = ">" if layout.transfer_syntax_uid in _BIG_ENDIAN else "<"
    kind = "f" if not layout.whole else "i" if layout.signed else "u"
    array = np.frombuffer(raw, f"{order}{kind}{layout.allocated // 8}")
    if order == ">" and sys.byteorder == "little":
        array = array.astype(array.dtype.newbyteorder("="))
    if layout.samples == 1:
        return array.reshape(layout.rows, layout.columns)
    if layout.planar == 1:
        return array.reshape(layout.samples, layout.rows, layout.columns).transpose(1, 2, 0)
    return array.reshape(layout.rows, layout.columns, layout.samples)


def _packed(file: BinaryIO, layout: Layout, number: int) -> Array:
    """Read one frame of 12 bits: two in three bytes, the first in the lower bits. Source: PS3.5 section 8.1.1."""
    pixels = layout.rows * layout.columns * layout.samples
    first = number * pixels
    pairs = (pixels + first % 2 + 1) // 2
    size = (3 * (pixels + first % 2) + 1) // 2
    raw = _read_at(file, layout.offset + 3 * (first // 2), size) + bytes(3 * pairs - size)
    low, middle, high = np.frombuffer(raw, np.uint8).reshape(pairs, 3).astype(np.uint16).T
    values = np.stack([low | (middle & 15) << 8, middle >> 4 | high << 4], -1).reshape(-1)[first % 2 :][:pixels]
    if layout.signed:
        values = (values << 4).view(np.int16) >> 4
    return values.reshape(layout.rows, layout.columns, layout.samples).squeeze(-1 if layout.samples == 1 else ())


def _read_at(file: BinaryIO, at: int, size: int) -> bytes:
    try:
        raw = os.pread(file.fileno(), size, at)
    except OSError:  # inflated data have no file number
        file.seek(at)
        raw = file.read(size)
    if len(raw) != size:
        raise UnreadablePixels(f"the pixel data end too early: a frame takes {size} bytes, got {len(raw)}")
    return raw


def _short(error: BaseException | None) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
