"""Partition: which frames of a series belong to one volume. Pure."""

from __future__ import annotations

import itertools
import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

from qagate.assemble.frame import Frame, KeyValue, Vector3, cross, dot
from qagate.domain.finding import Finding, FindingCode, Severity

# Directions that differ by less than this (0.57 degrees) are one orientation: headers round cosines to 2-6 digits.
SAME_DIRECTION = 0.99995
# Positions closer than this along the normal are the same place; thinner steps do not exist in the clinic.
SAME_PLACE_MM = 0.02


@dataclass(frozen=True, slots=True)
class Group:
    """Frames of one volume, before they are ordered. normal is None when they have no usable position."""

    frames: tuple[Frame, ...]
    rows: int
    columns: int
    row: Vector3
    column: Vector3
    normal: Vector3 | None
    pixel_spacing: tuple[float, float]
    known: bool
    findings: tuple[Finding, ...] = ()


def partition(frames: Sequence[Frame]) -> tuple[Group, ...]:
    """Return the groups of frames that each make one volume. The order in which frames are given does not matter."""
    ordered = sorted(frames, key=_identity)
    groups = []
    for matrix in _by(ordered, lambda frame: (frame.rows, frame.columns)):
        for oriented in _by_orientation(matrix):
            for alike in _by(oriented, lambda frame: (_rounded(frame.pixel_spacing_mm), frame.apart)):
                groups += _volumes(alike)
    return tuple(groups)


def _volumes(frames: list[Frame]) -> list[Group]:
    placed = frames[0].position is not None
    parts, notes = _by_reference(frames) if placed else ([frames], ())
    found: list[Group] = []
    for part in parts:
        bases = [part]
        for name in _names(part, "inner"):
            bases = [piece for base in bases for piece in _split_inner(base, name, placed)]
        for base in bases:
            found += [_group(piece, notes) for piece in (_split_repeats(base) if placed else [base])]
    return found


def _group(frames: list[Frame], findings: tuple[Finding, ...]) -> Group:
    first = frames[0]
    row, column = first.row or (1.0, 0.0, 0.0), first.column or (0.0, 1.0, 0.0)
    normal = cross(row, column) if first.position is not None and first.row is not None else None
    spacing = first.pixel_spacing_mm
    return Group(
        frames=tuple(frames),
        rows=first.rows,
        columns=first.columns,
        row=row,
        column=column,
        normal=normal,
        pixel_spacing=spacing or (1.0, 1.0),
        known=normal is not None and spacing is not None,
        findings=findings,
    )


def slots_of(frames: Sequence[Frame], normal: Vector3 | None) -> list[list[Frame]]:
    """Return the frames at each place along the normal, ascending; at one place by Instance Number, then by UID."""
    assert normal is not None
    along = sorted(((dot(frame.position or (0.0, 0.0, 0.0), normal), frame) for frame in frames), key=_place)
    slots: list[list[Frame]] = []
    last = -math.inf
    for place, frame in along:
        if place - last > SAME_PLACE_MM:
            slots.append([])
            last = place
        slots[-1].append(frame)
    return [sorted(slot, key=_identity) for slot in slots]


def _place(pair: tuple[float, Frame]) -> tuple[float, tuple[int, str, int]]:
    return pair[0], _identity(pair[1])


def _identity(frame: Frame) -> tuple[int, str, int]:
    number = frame.instance_number if frame.instance_number is not None else 1 << 31
    return number, frame.sop_instance_uid, frame.frame_number or 0


# Splitting


def _by(frames: Iterable[Frame], key: Callable[[Frame], Hashable]) -> list[list[Frame]]:
    parts: dict[Hashable, list[Frame]] = defaultdict(list)
    for frame in frames:
        parts[key(frame)].append(frame)
    return list(parts.values())


def _by_orientation(frames: Sequence[Frame]) -> list[list[Frame]]:
    parts: list[list[Frame]] = []
    placed = sorted(frames, key=lambda f: (f.position is None, f.row or (), f.column or (), _identity(f)))
    for frame in placed:
        for part in parts:
            if _same_direction(part[0], frame):
                part.append(frame)
                break
        else:
            parts.append([frame])
    return [sorted(part, key=_identity) for part in parts]


def _same_direction(a: Frame, b: Frame) -> bool:
    if (a.position is None) != (b.position is None):
        return False
    if a.row is None or b.row is None or a.column is None or b.column is None:
        return a.row is b.row
    return dot(a.row, b.row) > SAME_DIRECTION and dot(a.column, b.column) > SAME_DIRECTION


def _by_reference(frames: list[Frame]) -> tuple[list[list[Frame]], tuple[Finding, ...]]:
    """Part frames of several frames of reference, unless each frame has one of its own: then the tag means nothing."""
    parts = _by(frames, lambda frame: frame.frame_of_reference_uid)
    if len(parts) == 1:
        return parts, ()
    apart = statistics.median(len(part) for part in parts) >= 2
    finding = Finding(
        FindingCode.MULTIPLE_FRAMES_OF_REFERENCE,
        Severity.MODERATE if apart else Severity.MILD,
        f"the images refer to {len(parts)} frames of reference, "
        + ("so their positions cannot be compared" if apart else "one for each, which was ignored"),
    )
    return (parts if apart else [frames]), (finding,)


def _split_inner(frames: list[Frame], name: str, placed: bool) -> list[list[Frame]]:
    """Part by a property that usually makes volumes (echo, b-value) where that leaves no splinters."""
    parts = _by(frames, lambda frame: dict(frame.inner).get(name))
    if len(parts) == 1:
        return [frames]
    if statistics.median(len(part) for part in parts) >= 2 or (placed and repeats_of(frames)):
        return parts
    return [frames]


def _split_repeats(frames: list[Frame]) -> list[list[Frame]]:
    """Part frames among which positions repeat by what tells the repeats apart; else by order of Instance Number."""
    if not repeats_of(frames):
        return [frames]
    depth = max(len(slot) for slot in _slots(frames))
    names = _names(frames, "repeats")
    best: tuple[int, int, list[list[Frame]]] | None = None
    for combination in itertools.chain(((n,) for n in names), itertools.combinations(names[:8], 2)):
        parts = _by(frames, lambda frame, c=combination: tuple(dict(frame.repeats).get(n) for n in c))  # type: ignore[misc]
        if not 1 < len(parts) <= 2 * depth:
            continue
        left = sum(repeats_of(part) for part in parts)
        if left <= 0.1 * len(frames) and (best is None or (left, len(parts)) < best[:2]):
            best = (left, len(parts), parts)
        if left == 0 and len(parts) == depth:
            break
    if best is not None:
        return best[2]
    return _by_rank(frames)


def _by_rank(frames: list[Frame]) -> list[list[Frame]]:
    """Part into first, second, ... images of each position, as far as most positions have one."""
    slots = _slots(frames)
    deep = sum(
        1 for rank in range(1, max(len(s) for s in slots)) if sum(len(s) > rank for s in slots) > 0.5 * len(slots)
    )
    if deep == 0:
        return [frames]
    parts: list[list[Frame]] = [[] for _ in range(deep + 1)]
    for slot in slots:
        for rank, frame in enumerate(slot):
            parts[min(rank, deep)].append(frame)
    return [sorted(part, key=_identity) for part in parts]


def repeats_of(frames: list[Frame]) -> int:
    """Return how many frames lie where another one lies already."""
    return len(frames) - len(_slots(frames)) if frames[0].row is not None else 0


def _slots(frames: list[Frame]) -> list[list[Frame]]:
    first = frames[0]
    return slots_of(frames, cross(first.row or (1.0, 0.0, 0.0), first.column or (0.0, 1.0, 0.0)))


def _names(frames: list[Frame], kind: str) -> list[str]:
    """Return the names of the keys whose values differ among the frames, in their order."""
    values: dict[str, set[KeyValue | None]] = {}
    for frame in frames:
        for name, value in getattr(frame, kind):
            values.setdefault(name, set()).add(value)
    return [name for name, found in values.items() if len(found) > 1]


def _rounded(spacing: tuple[float, float] | None) -> tuple[float, float] | None:
    # Three significant digits: the same spacing is written with 4 to 15 digits in one series.
    return None if spacing is None else (float(f"{spacing[0]:.3g}"), float(f"{spacing[1]:.3g}"))
