"""Extract: one header → the frames it holds, and how their pixels are stored."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset

from qagate.assemble.exclusion import component_of, kind_of, made_of
from qagate.assemble.frame import Frame, KeyValue, Vector3, cross
from qagate.assemble.headers import Header
from qagate.assemble.label import plane_of
from qagate.assemble.mosaic import mosaic_of, says_mosaic
from qagate.assemble.parts import frames_of
from qagate.assemble.pixels import PixelRef, Rescale
from qagate.assemble.reader import Reader
from qagate.assemble.values import items_of, text_of, whole_of
from qagate.assemble.vendors import b_value, gradient_direction, private_numbers
from qagate.domain.finding import FindingCode

SHORTEST, LONGEST = 0.5, 2.0
"""Cosines of which the length is within these still say a direction; what is shorter or longer is something else."""
FARTHEST_MM, SMALLEST_MM, LARGEST_RESCALE = 1e6, 1e-4, 1e30
"""Lengths and factors beyond these are errors of a writer, and would make all that is reckoned with them no number."""
_SHARED, _PER_FRAME = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"
# Attributes that tell apart images at the same position, most telling first.
_REPEATS = (
    "TemporalPositionIdentifier",
    "TemporalPositionIndex",
    "InversionTime",
    "InversionTimes",
    "FlipAngle",
    "NominalCardiacTriggerDelayTime",
    "TriggerTime",
    "NominalPercentageOfCardiacPhase",
    "NominalPercentageOfRespiratoryPhase",
    "ASLContext",
    "MagnetizationTransfer",
    "VelocityEncodingDirection",
    "MonoenergeticEnergyEquivalent",
    "AcquisitionNumber",
    "FrameAcquisitionNumber",
    "KVP",
    "AcquisitionTime",
    "AcquisitionDateTime",
    "FrameReferenceDateTime",
    "FrameAcquisitionDateTime",
    "StackID",
    "FilterType",
    "ReconstructionDiameter",
    "SliceThickness",
    "WindowCenter",
    "SeriesDescription",
    "ContentTime",
    "ImageComments",
)


@dataclass(frozen=True, slots=True)
class Extracted:
    """One frame, and where its pixels are."""

    frame: Frame
    pixels: PixelRef


def extract(header: Header, source: int, first_key: int) -> tuple[Extracted, ...]:
    """Return the frames of one object in the order of its pixel data; () when it has no rows and columns.

    source: the caller's number of the object. first_key: `Frame.key` of the first frame; the others count on.
    """
    dataset = header.dataset
    rows, columns = whole_of(dataset, "Rows") or 0, whole_of(dataset, "Columns") or 0
    if rows <= 0 or columns <= 0:
        return ()
    count = frames_of(header)
    per_frame = items_of(dataset, _PER_FRAME)
    if per_frame or items_of(dataset, _SHARED) or count > 1:
        return tuple(_multi(dataset, source, first_key, (rows, columns, count), per_frame))
    mosaic = mosaic_of(dataset, rows, columns)
    if mosaic is None:
        frame = _frame(Reader((dataset,)), dataset, first_key, rows, columns, None)
        if says_mosaic(dataset):  # in front, so that another reason not to score it outweighs this one
            frame = replace(frame, apart=(("kind", FindingCode.NO_GEOMETRY.value), *frame.apart))
        return (Extracted(frame, PixelRef(source, 0, _rescale(Reader((dataset,))))),)
    base = _frame(Reader((dataset,)), dataset, first_key, mosaic.rows, mosaic.columns, None)
    rescale = _rescale(Reader((dataset,)))
    return tuple(
        Extracted(mosaic.placed(base, first_key + i, i), PixelRef(source, 0, rescale, mosaic.corner(i)))
        for i in range(mosaic.tiles)
    )


def _multi(
    dataset: Dataset, source: int, first_key: int, size: tuple[int, int, int], per_frame: tuple[Dataset, ...]
) -> Iterator[Extracted]:
    """Yield the frames of a multi-frame object. Source: PS3.3 C.7.6.16."""
    rows, columns, count = size
    shared = items_of(dataset, _SHARED)[:1]
    base = Reader((*_layers(shared), dataset))
    # One position for many frames, and no functional groups: it is true of the first one, unless they follow in time.
    at_one_place = bool(per_frame or shared or base.numbers("FrameTime") or base.numbers("FrameTimeVector"))
    for index in range(count):
        own = _layers(per_frame[index : index + 1])
        reader = Reader(own, base)
        frame = _frame(reader, dataset, first_key + index, rows, columns, index + 1)
        if not at_one_place:
            frame = replace(frame, position=None, row=None, column=None, point=None)
        yield Extracted(frame, PixelRef(source, index, _rescale(reader)))


def _layers(groups: tuple[Dataset, ...]) -> tuple[Dataset, ...]:
    """Return the first item of every functional group."""
    layers: list[Dataset] = []
    for group in groups:
        for tag in list(group.keys()):
            if tag >> 16 & 1 or not keyword_for_tag(tag):
                continue
            items = items_of(group, keyword_for_tag(tag))
            layers += items[:1]
            for item in items[:1]:
                layers += items_of(item, "DiffusionGradientDirectionSequence")[:1]
    return tuple(layers)


def _frame(reader: Reader, dataset: Dataset, key: int, rows: int, columns: int, frame_number: int | None) -> Frame:
    orientation, position = reader.numbers("ImageOrientationPatient"), reader.numbers("ImagePositionPatient")
    if any(abs(mm) > FARTHEST_MM for mm in position):
        position = ()
    row, column = _directions(orientation)
    placed = row is not None and len(position) == 3
    image_type = reader.texts("FrameType") or reader.texts("ImageType")
    number = whole_of(dataset, "InstanceNumber")
    return Frame(
        key=key,
        sop_instance_uid=text_of(dataset, "SOPInstanceUID"),
        sop_class_uid=text_of(dataset, "SOPClassUID"),
        rows=rows,
        columns=columns,
        frame_number=frame_number,
        instance_number=number,
        position=(position[0], position[1], position[2]) if placed else None,
        row=row if placed else None,
        column=column if placed else None,
        pixel_spacing_mm=_spacing(reader),
        slice_thickness=_length(reader, "SliceThickness"),
        spacing_between_slices=_length(reader, "SpacingBetweenSlices"),
        slice_location=_location(reader),
        point=(position[0], position[1], position[2]) if row is None and len(position) == 3 else None,
        frame_of_reference_uid=text_of(dataset, "FrameOfReferenceUID"),
        offset=whole_of(dataset, "ConcatenationFrameOffsetNumber") or 0,
        apart=_apart(reader, dataset, image_type),
        inner=tuple(_inner(reader)),
        repeats=tuple(_repeats(reader, image_type)),
    )


def _directions(cosines: tuple[float, ...]) -> tuple[Vector3 | None, Vector3 | None]:
    """Return two unit vectors at right angles, or None when the cosines are no such thing. PS3.3 C.7.6.2.1.1."""
    if len(cosines) != 6:
        return None, None
    a, b = cosines[:3], cosines[3:]
    size_a, size_b = math.hypot(*a), math.hypot(*b)
    if not all(SHORTEST < size < LONGEST for size in (size_a, size_b)):
        return None, None
    row = (a[0] / size_a, a[1] / size_a, a[2] / size_a)
    across = sum(x * y for x, y in zip(row, b, strict=True))
    across /= size_b
    if abs(across) > 0.05:  # 3 degrees: cosines cut to two digits are still at right angles
        return None, None
    rest = tuple(y / size_b - across * x for x, y in zip(row, b, strict=True))
    size = math.hypot(*rest)
    return row, (rest[0] / size, rest[1] / size, rest[2] / size)


def _length(reader: Reader, keyword: str) -> float | None:
    """Return a length in mm, None when there is none or no scanner reaches so far."""
    mm = reader.number(keyword)
    return None if mm is None or abs(mm) > FARTHEST_MM else mm


def _location(reader: Reader) -> float | None:
    """Return Slice Location, or what In-Stack Position Number makes of it, in mm. Source: PS3.3 C.7.6.16.2.2."""
    location, number = _length(reader, "SliceLocation"), reader.number("InStackPositionNumber")
    if location is not None or number is None:
        return location
    return number * abs(_length(reader, "SpacingBetweenSlices") or _length(reader, "SliceThickness") or 1.0)


def _spacing(reader: Reader) -> tuple[float, float] | None:
    for keyword in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"):
        found = reader.numbers(keyword)
        if found and all(SMALLEST_MM < abs(mm) < 1000 for mm in found[:2]):
            return (abs(found[0]), abs(found[min(1, len(found) - 1)]))
    return None


def _rescale(reader: Reader) -> Rescale:
    slope, intercept = reader.number("RescaleSlope"), reader.number("RescaleIntercept")
    if max(abs(slope or 0.0), abs(intercept or 0.0)) > LARGEST_RESCALE:
        return Rescale(1.0, 0.0, False)
    return Rescale(slope if slope else 1.0, intercept if intercept is not None else 0.0, intercept is not None)


def _apart(reader: Reader, dataset: Dataset, image_type: tuple[str, ...]) -> tuple[tuple[str, KeyValue], ...]:
    component = component_of(image_type, reader.text("ComplexImageComponent"))
    if not component:
        # GE says it in private: 0 magnitude, 1 phase, 2 real, 3 imaginary
        raw = reader.vendor("GE raw data type", lambda d: private_numbers(d, 0x0043, "GEMS_PARM_01", 0x2F))
        component = {0: "magnitude", 1: "phase", 2: "real", 3: "imaginary"}.get(int(raw[0]), "") if raw else ""
    photometric = reader.text("PhotometricInterpretation")
    technique = reader.text("VolumeBasedCalculationTechnique")
    normal = _normal_without_position(reader)
    kind = kind_of(text_of(dataset, "SOPClassUID"), image_type, photometric, technique, reader.text("RescaleType"))
    found = (
        ("kind", kind.value if kind else ""),
        ("component", component),
        ("kernel", reader.text("ConvolutionKernel")),
        ("made", made_of(image_type)),
        ("plane", plane_of(normal) if normal else ""),
    )
    return tuple((name, value) for name, value in found if value)


def _normal_without_position(reader: Reader) -> Vector3 | None:
    """Return the normal of a frame that says how it lies but not where: planes are kept apart all the same."""
    row, column = _directions(reader.numbers("ImageOrientationPatient"))
    placed = len(reader.numbers("ImagePositionPatient")) == 3
    return cross(row, column) if row and column and not placed else None


def _inner(reader: Reader) -> Iterator[tuple[str, KeyValue]]:
    echo_time = reader.number("EffectiveEchoTime")
    echo_time = reader.number("EchoTime") if echo_time is None else echo_time
    if echo_time is not None:
        yield "TE", round(echo_time, 2)
    if echo := reader.number("EchoNumbers"):
        yield "echo", int(echo)
    b = reader.number("DiffusionBValue")
    b = reader.vendor("b", b_value) if b is None else b
    if b is not None:
        yield "b", float(round(b))


def _repeats(reader: Reader, image_type: tuple[str, ...]) -> Iterator[tuple[str, KeyValue]]:
    direction = reader.numbers("DiffusionGradientOrientation") or reader.vendor("direction", gradient_direction)
    if direction:
        yield "direction", " ".join(f"{part:.3f}" for part in direction)
    yield "ImageType", "\\".join(image_type)
    for keyword in _REPEATS:
        if value := reader.text(keyword):
            yield keyword, value
    # Which of these tells places apart does not matter here: it leaves no more than one frame of each.
    for place, index in enumerate(reader.texts("DimensionIndexValues"), start=1):
        yield f"dimension {place}", index
