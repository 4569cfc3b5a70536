"""Partition: which frames of a series belong to one volume. Pure."""

from __future__ import annotations

import itertools
import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace

from qagate.assemble.frame import Frame, KeyValue, Vector3, cross, dot
from qagate.domain.finding import Finding, FindingCode, Severity

# Directions that differ by less than this (1 degree) are one orientation: headers round cosines to 2-6 digits, and
# scanners that follow the patient's movements turn the slices by a little.
SAME_DIRECTION = 0.99985
# Positions closer than this along the normal are the same place; thinner steps do not exist in the clinic.
SAME_PLACE_MM = 0.02
# Numbers that differ by less than this are one number written in two ways (echo times, pixel spacings).
SAME_NUMBER = 0.005
# Slices whose steps differ by less than this part of the median step (or of a multiple) are of one grid; by more than
# that part they are certainly not, nor when one step is as long as this many.
ON_GRID, OFF_GRID, LONGEST_GAP = 0.2, 0.4, 4.5


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
            for spaced in _by_spacing(oriented):
                for alike in _by(spaced, lambda frame: frame.apart):
                    groups += _volumes(alike)
    return tuple(groups)


def _volumes(frames: list[Frame]) -> list[Group]:
    frames, doubts = _without_false_positions(frames)
    placed = frames[0].position is not None
    parts, notes = _by_reference(frames) if placed else ([frames], doubts)
    found: list[Group] = []
    for part in parts:
        bases = [part]
        for name in _names(part, "inner"):
            bases = [piece for base in bases for piece in _split_inner(base, name, placed)]
        for base in bases:
            pieces = [p for piece in _split_repeats(base) for p in _split_irregular(piece)] if placed else [base]
            found += [_group(piece, notes) for piece in pieces]
    return found


def _without_false_positions(frames: list[Frame]) -> tuple[list[Frame], tuple[Finding, ...]]:
    """Take positions away that cannot be true: all the same, while every Slice Location is another one."""
    if len(frames) < 3 or frames[0].position is None or len(_slots(frames)) > 1:
        return frames, ()
    if len({f.slice_location for f in frames if f.slice_location is not None}) < len(frames):
        return frames, ()
    text = f"{len(frames)} images say that they lie at one place, but each has another Slice Location"
    finding = Finding(FindingCode.CONTRADICTORY_TAGS, Severity.MODERATE, text)
    return [replace(frame, position=None, row=None, column=None) for frame in frames], (finding,)


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
    same = _one_of_each([dict(frame.inner).get(name) for frame in frames] if name == "TE" else [])
    parts = _by(frames, lambda frame: same.get(value := dict(frame.inner).get(name), value))
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
    if best is not None and (best[1] <= depth or min(len(slot) for slot in _slots(frames)) < depth):
        return best[2]
    # Every place has as many images, and what was tried makes more parts than that: a table that goes to and fro.
    return _by_rank(frames)


def _split_irregular(frames: list[Frame]) -> list[list[Frame]]:
    """Part frames that make no regular grid, where some property makes several regular ones that overlap.

    Two acquisitions of one place, thin and thick slices, slices that followed a movement.
    """
    if len(frames) < 6 or _regular(frames, OFF_GRID):
        return [frames]
    for name in _names(frames, "repeats"):
        parts = _by(frames, lambda frame, n=name: dict(frame.repeats).get(n))  # type: ignore[misc]
        if min(len(part) for part in parts) >= 3 and all(_regular(part, ON_GRID) for part in parts) and _overlap(parts):
            return parts
    return [frames]


def _regular(frames: list[Frame], within: float) -> bool:
    along = [_along(slot[0]) for slot in _slots(frames)]
    steps = [b - a for a, b in itertools.pairwise(along)]
    if not steps:
        return True
    usual = statistics.median(steps)
    off = (abs(step - max(1, round(step / usual)) * usual) for step in steps)
    return max(steps) < LONGEST_GAP * usual and all(mm < within * usual for mm in off)


def _overlap(parts: list[list[Frame]]) -> bool:
    """Return whether the part that begins first ends after the next one begins, and so on."""
    ranges = sorted((min(along), max(along)) for part in parts if (along := [_along(frame) for frame in part]))
    return all(first[1] > second[0] for first, second in itertools.pairwise(ranges))


def _along(frame: Frame) -> float:
    row, column = frame.row or (1.0, 0.0, 0.0), frame.column or (0.0, 1.0, 0.0)
    return dot(frame.position or (0.0, 0.0, 0.0), cross(row, column))


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


def _by_spacing(frames: list[Frame]) -> list[list[Frame]]:
    """Part by pixel spacing; the same one is written with 4 to 15 digits in one series."""
    rows = _one_of_each([frame.pixel_spacing_mm[0] for frame in frames if frame.pixel_spacing_mm])
    columns = _one_of_each([frame.pixel_spacing_mm[1] for frame in frames if frame.pixel_spacing_mm])

    def key(frame: Frame) -> Hashable:
        mm = frame.pixel_spacing_mm
        return None if mm is None else (rows[mm[0]], columns[mm[1]])

    return _by(frames, key)


def _one_of_each(values: Iterable[KeyValue | None]) -> dict[KeyValue | None, float]:
    """Return for each number the smallest of those that are the same number."""
    found: dict[KeyValue | None, float] = {}
    first = last = -math.inf
    for value in sorted({value for value in values if isinstance(value, int | float)}):
        if value - last > SAME_NUMBER * abs(value):
            first = value
        found[value], last = first, value
    return found
