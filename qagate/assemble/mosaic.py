"""Mosaic: many slices tiled into one picture, as Siemens (MOSAIC) and UIH (VFRAME, "grid") send them.

Siemens' private CSA header says how many tiles there are and which way they lie; UIH has a private item for each tile.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, replace

from pydicom.dataset import Dataset
from pydicom.values import convert_SQ

from qagate.assemble.frame import Frame, Vector3
from qagate.assemble.values import MALFORMED, number_from, numbers_of, texts_of
from qagate.assemble.vendors import private_numbers, private_value

MAX_ELEMENTS, MAX_ITEMS = 1000, 1000
UIH = "Image Private Header"


@dataclass(frozen=True, slots=True)
class Mosaic:
    """How slices are tiled.

    rows, columns: of one tile. across: tiles in a line. normal: slice direction, or None. positions: of each tile as
    its own item states it (LPS mm); () when only the picture's corner is known.
    """

    tiles: int
    across: int
    rows: int
    columns: int
    normal: Vector3 | None
    positions: tuple[Vector3, ...] = ()

    def corner(self, index: int) -> tuple[int, int, int, int]:
        """Return (first row, first column, rows, columns) of a tile; index 0-based, line by line."""
        return (index // self.across * self.rows, index % self.across * self.columns, self.rows, self.columns)

    def placed(self, whole: Frame, key: int, index: int) -> Frame:
        """Return the frame of one tile, given the frame of the whole picture.

        Where tiles state no positions, that of the picture is its corner's: the tile's own corner lies half the size
        of (picture - tile) further. Source: how Siemens fills ImagePositionPatient, as if the mosaic were one large
        slice.
        """
        frame = replace(whole, key=key, frame_number=None)
        away = abs(whole.spacing_between_slices or whole.slice_thickness or 1.0) * index
        if self.positions and whole.row is not None:
            return replace(frame, position=self.positions[index])
        if whole.position is None or whole.row is None or whole.column is None or whole.pixel_spacing_mm is None:
            return replace(frame, slice_location=away)
        between_rows, between_columns = whole.pixel_spacing_mm
        along_row = (self.across * self.columns - self.columns) / 2 * between_columns
        along_column = (self.across * self.rows - self.rows) / 2 * between_rows
        normal = self.normal or _cross(whole.row, whole.column)
        position = [
            whole.position[i] + whole.row[i] * along_row + whole.column[i] * along_column + normal[i] * away
            for i in range(3)
        ]
        return replace(frame, position=(position[0], position[1], position[2]))


def says_mosaic(dataset: Dataset) -> bool:
    """Return whether a picture says that it is tiled, and is larger than what was acquired for one slice."""
    words = {word.upper() for word in texts_of(dataset, "ImageType")}
    # known without Image Type, too
    tiles = next(iter(private_numbers(dataset, 0x0019, "SIEMENS MR HEADER", 0x0A)), 0.0)
    if not words & {"MOSAIC", "VFRAME"} and tiles < 2:
        return False
    # Image Type stays when somebody has split the mosaic already.
    acquired = max(numbers_of(dataset, "AcquisitionMatrix"), default=0)
    size = max((*numbers_of(dataset, "Rows"), *numbers_of(dataset, "Columns")), default=0)
    return acquired <= 0 or size > acquired


def mosaic_of(dataset: Dataset, rows: int, columns: int) -> Mosaic | None:
    """Return how a picture is tiled; None when it is no mosaic, or when its header does not say enough to split it."""
    if not says_mosaic(dataset):
        return None
    csa = csa_header(private_value(dataset, 0x0029, "SIEMENS CSA HEADER", 0x10))
    grid = private_numbers(dataset, 0x0065, UIH, 0x50)
    stated = (
        *_numbers(csa.get("NumberOfImagesInMosaic", ())),
        *private_numbers(dataset, 0x0019, "SIEMENS MR HEADER", 0x0A),
        *grid,
    )
    tiles = int(next((number for number in stated if number > 0), 0))
    positions = _tile_positions(dataset) if grid else ()
    if not 0 < tiles <= rows * columns or (grid and len(positions) != tiles):
        return None
    across = math.ceil(math.sqrt(tiles))
    if rows % across or columns % across:
        return None
    vector = _numbers(csa.get("SliceNormalVector", ()))
    normal = (vector[0], vector[1], vector[2]) if len(vector) == 3 and 0.99 < math.hypot(*vector) < 1.01 else None
    return Mosaic(tiles, across, rows // across, columns // across, normal, positions)


def _tile_positions(dataset: Dataset) -> tuple[Vector3, ...]:
    """Return ImagePositionPatient of each item of UIH's MR VFrame Sequence that has one."""
    items = private_value(dataset, 0x0065, UIH, 0x51)
    try:
        if isinstance(items, bytes):  # its VR was lost on the way: then it is in implicit VR. PS3.5 section 6.2.2
            items = convert_SQ(items, True, True)
        found = [numbers_of(item, "ImagePositionPatient") for item in items]
    except MALFORMED:
        return ()
    return tuple((at[0], at[1], at[2]) for at in found if len(at) == 3)


def csa_header(raw: object) -> dict[str, tuple[str, ...]]:
    """Return the elements of a Siemens CSA header (type SV10 or the older one); {} when it is no such thing.

    Little endian throughout: an optional "SV10" and 4 bytes; the number of elements, 77; then for each a name of 64
    bytes, vm, vr of 4 bytes, syngo type, number of items, 77 or 205; then for each item 4 numbers and its bytes, filled
    up to a multiple of 4. Its length is the second number (new type), or the first minus that of the first item (old).
    """
    if not isinstance(raw, bytes) or len(raw) < 16:
        return {}
    at = 8 if raw[:4] == b"SV10" else 0
    elements: dict[str, tuple[str, ...]] = {}
    try:
        (count,) = struct.unpack_from("<I", raw, at)
        at += 8
        base = 0
        for _ in range(min(count, MAX_ELEMENTS)):
            name, _vm, _vr, _type, items, _mark = struct.unpack_from("<64si4siii", raw, at)
            at += 84
            values = []
            for index in range(min(items, MAX_ITEMS)):
                lengths = struct.unpack_from("<4i", raw, at)
                at += 16
                if raw[:4] == b"SV10":
                    length = lengths[1]
                else:
                    base = lengths[0] if not elements and index == 0 else base
                    length = lengths[0] - base
                if length < 0 or at + length > len(raw):
                    return elements
                values.append(raw[at : at + length].split(b"\x00")[0].decode("latin-1").strip())
                at += (length + 3) // 4 * 4
            elements[name.split(b"\x00")[0].decode("latin-1")] = tuple(value for value in values if value)
    except struct.error:
        return elements
    return elements


def _numbers(values: tuple[str, ...]) -> tuple[float, ...]:
    return tuple(number for value in values if (number := number_from(value)) is not None)


def _cross(a: Vector3, b: Vector3) -> Vector3:
    return (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])
