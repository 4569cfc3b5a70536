"""Frame: what one header says about where one image lies and what sets it apart. Stack: frames that make one grid."""

from __future__ import annotations

from dataclasses import dataclass

from qagate.domain.finding import Finding
from qagate.domain.volume import Geometry

Vector3 = tuple[float, float, float]
KeyValue = str | int | float


@dataclass(frozen=True, slots=True)
class Frame:
    """One image of one object.

    key: the caller's own number for it. frame_number: 1-based, None for single-frame objects. position: centre of the
    first pixel, LPS mm. row, column: unit vectors along which the column index and the row index grow; all three None
    when absent or malformed. pixel_spacing_mm: between rows, between columns. slice_location: only to find out
    positions that cannot be true, and to stand in for those that are not there. point: Image Position where nothing
    says how an image lies. offset: frames of a concatenation before its object.
    apart: (name, value) that always part volumes (kernel, phase or magnitude). inner: those that do so where each
    value has several frames (echo, b-value). repeats: those that do so only where positions repeat (time, acquisition).
    """

    key: int
    sop_instance_uid: str
    sop_class_uid: str
    rows: int
    columns: int
    frame_number: int | None = None
    instance_number: int | None = None
    position: Vector3 | None = None
    row: Vector3 | None = None
    column: Vector3 | None = None
    pixel_spacing_mm: tuple[float, float] | None = None
    slice_thickness: float | None = None
    spacing_between_slices: float | None = None
    slice_location: float | None = None
    point: Vector3 | None = None
    frame_of_reference_uid: str = ""
    offset: int = 0
    apart: tuple[tuple[str, KeyValue], ...] = ()
    inner: tuple[tuple[str, KeyValue], ...] = ()
    repeats: tuple[tuple[str, KeyValue], ...] = ()


@dataclass(frozen=True, slots=True)
class Stack:
    """Frames in order along their normal, which make one grid.

    positions_mm[i]: of frames[i] along the normal. dropped: frames that lie where another one lies.
    """

    frames: tuple[Frame, ...]
    positions_mm: tuple[float, ...]
    dropped: tuple[Frame, ...]
    geometry: Geometry
    findings: tuple[Finding, ...] = ()
    label: str = ""


def cross(a: Vector3, b: Vector3) -> Vector3:
    """Return the vector product."""
    return (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])


def dot(a: Vector3, b: Vector3) -> float:
    """Return the scalar product."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
