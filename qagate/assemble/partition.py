"""Partition: which frames of a series belong to one volume. Pure."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace

from qagate.assemble.frame import Frame, KeyValue, Vector3, cross, dot
from qagate.assemble.grid import split_beside, split_irregular, split_stacks
from qagate.assemble.slots import along_normal, by, identity, names_of, repeats_of, slots_along
from qagate.domain.finding import Finding, FindingCode, Severity

# Directions that differ by less than this (1 degree) are one orientation: headers round cosines to 2-6 digits, and
# scanners that follow the patient's movements turn the slices by a little.
SAME_DIRECTION = 0.99985
# Numbers that differ by less than this are one number written in two ways (echo times, pixel spacings).
SAME_NUMBER = 0.005
# Of rounds over the same positions no more than this share of the images may be lost for their numbers to be believed,
# and no more than so many of the very first ones.
MOST_LOST, MOST_FIRST = 0.1, 9


@dataclass(frozen=True, slots=True)
class Group:
    """Frames of one volume, before they are ordered. normal is None when they have no usable position.

    located: name of what stands in for positions, along a normal that nobody knows; "" when they have any or nothing.
    """

    frames: tuple[Frame, ...]
    rows: int
    columns: int
    row: Vector3
    column: Vector3
    normal: Vector3 | None
    pixel_spacing: tuple[float, float]
    known: bool
    located: str = ""
    findings: tuple[Finding, ...] = ()


def partition(frames: Sequence[Frame]) -> tuple[Group, ...]:
    """Return the groups of frames that each make one volume. The order in which frames are given does not matter."""
    ordered = sorted(frames, key=identity)
    groups = []
    for matrix in by(ordered, lambda frame: (frame.rows, frame.columns)):
        for oriented in _by_orientation(matrix):
            for spaced in _by_spacing(oriented):
                for alike in by(_with_kernel(spaced), lambda frame: frame.apart):
                    groups += _volumes(alike)
    return tuple(groups)


def _with_kernel(frames: list[Frame]) -> list[Frame]:
    """Return frames, those without a kernel with the one that all others of their kind have: it was lost on its way."""
    bare = [frame for frame in frames if "kernel" not in dict(frame.apart)]
    others = [frame for frame in frames if "kernel" in dict(frame.apart)]
    kernels = {dict(frame.apart)["kernel"] for frame in others}
    if not bare or len(kernels) != 1 or repeats_of(frames) or not _types(bare) <= _types(others):
        return frames
    found = ("kernel", kernels.pop())
    return [replace(frame, apart=tuple(sorted({*frame.apart, found}))) for frame in frames]


def _types(frames: list[Frame]) -> set[KeyValue | None]:
    return {dict(frame.repeats).get("ImageType") for frame in frames}


def _volumes(frames: list[Frame]) -> list[Group]:
    frames, doubts = _without_false_positions(frames)
    located = ""
    if frames[0].position is None:
        frames, located = _located(frames)
    placed = frames[0].position is not None
    parts, notes = _by_reference(frames) if placed and not located else ([frames], doubts)
    found: list[Group] = []
    for part in parts:
        bases = split_beside(part) if placed else [part]
        for name in names_of(part, "inner"):
            bases = [piece for base in bases for piece in _split_inner(base, name, placed)]
        for base in bases:
            pieces = [p for piece in _split_repeats(base) for p in split_irregular(piece)] if placed else [base]
            found += [
                _group(one, notes, located) for piece in pieces for one in (split_stacks(piece) if placed else [piece])
            ]
    return found


def _without_false_positions(frames: list[Frame]) -> tuple[list[Frame], tuple[Finding, ...]]:
    """Take positions away that cannot be true: all the same, while every Slice Location is another one."""
    if len(frames) < 3 or frames[0].position is None or len(slots_along(frames)) > 1:
        return frames, ()
    if len({f.slice_location for f in frames if f.slice_location is not None}) < len(frames):
        return frames, ()
    text = f"{len(frames)} images say that they lie at one place, but each has another Slice Location"
    finding = Finding(FindingCode.CONTRADICTORY_TAGS, Severity.MODERATE, text)
    return [replace(frame, position=None, row=None, column=None) for frame in frames], (finding,)


def _located(frames: list[Frame]) -> tuple[list[Frame], str]:
    """Place frames without positions by what else says where along the stack they lie; return its name, too."""
    places = [frame.slice_location for frame in frames if frame.slice_location is not None]
    name = "Slice Location" if frames[0].frame_number is None else "In-Stack Position Number"
    points = [frame.point for frame in frames if frame.point is not None]
    if (len(places) < len(frames) or len(set(places)) < 2) and len(points) == len(frames):
        places, name = _along(points), "Image Position"
    if len(places) < len(frames) or len(set(places)) < 2:
        return frames, ""
    x, y = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)
    return [replace(f, position=(0.0, 0.0, mm), row=x, column=y) for f, mm in zip(frames, places, strict=True)], name


def _along(points: list[Vector3]) -> list[float]:
    """Return where points lie along the line through the two that are furthest apart, upwards along its main axis."""
    start = points[0]
    end = max(points, key=lambda point: math.dist(start, point))
    start = max(points, key=lambda point: math.dist(end, point))
    across = (end[0] - start[0], end[1] - start[1], end[2] - start[2])
    length = math.copysign(math.hypot(*across), max(across, key=abs)) or 1.0
    return [dot((p[0], p[1], p[2]), across) / length for p in points]


def _group(frames: list[Frame], findings: tuple[Finding, ...], located: str) -> Group:
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
        known=normal is not None and spacing is not None and not located,
        located=located,
        findings=findings,
    )


def _by_orientation(frames: Sequence[Frame]) -> list[list[Frame]]:
    parts: list[list[Frame]] = []
    placed = sorted(frames, key=lambda f: (f.position is None, f.row or (), f.column or (), identity(f)))
    for frame in placed:
        for part in parts:
            if _same_direction(part[0], frame):
                part.append(frame)
                break
        else:
            parts.append([frame])
    return [sorted(part, key=identity) for part in parts]


def _same_direction(a: Frame, b: Frame) -> bool:
    if (a.position is None) != (b.position is None):
        return False
    if a.row is None or b.row is None or a.column is None or b.column is None:
        return a.row is b.row
    return dot(a.row, b.row) > SAME_DIRECTION and dot(a.column, b.column) > SAME_DIRECTION


def _by_reference(frames: list[Frame]) -> tuple[list[list[Frame]], tuple[Finding, ...]]:
    """Part frames of several frames of reference, unless each frame has one of its own: then the tag means nothing."""
    named = {frame.frame_of_reference_uid for frame in frames} - {""}
    if len(named) < 2:  # one that an image leaves out is that of the others
        return [frames], ()
    parts = by(frames, lambda frame: frame.frame_of_reference_uid)
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
    parts = by(frames, lambda frame: same.get(value := dict(frame.inner).get(name), value))
    if len(parts) == 1:
        return [frames]
    if statistics.median(len(part) for part in parts) >= 2 or (placed and repeats_of(frames)):
        return parts
    return [frames]


def _split_repeats(frames: list[Frame]) -> list[list[Frame]]:
    """Part frames among which positions repeat by what tells the repeats apart; else by order of Instance Number."""
    if not repeats_of(frames):
        return [frames]
    depth = max(len(slot) for slot in slots_along(frames))
    names = names_of(frames, "repeats")
    best: tuple[int, int, list[list[Frame]]] | None = None
    for combination in itertools.chain(((n,) for n in names), itertools.combinations(names[:8], 2)):
        parts = by(frames, lambda frame, c=combination: tuple(dict(frame.repeats).get(n) for n in c))  # type: ignore[misc]
        if not 1 < len(parts) <= 2 * depth:
            continue
        left = sum(repeats_of(part) for part in parts)
        if left <= 0.1 * len(frames) and (best is None or (left, len(parts)) < best[:2]):
            best = (left, len(parts), parts)
        if left == 0 and len(parts) == depth:
            break
    if best is not None and best[1] <= depth:
        return best[2]
    if min(len(slot) for slot in slots_along(frames)) < depth:  # images were lost, or not all rounds lie alike
        found = _by_round(frames, depth) or (best[2] if best is not None else None)
        if found:
            return found
    # Every place has as many images, and what was tried makes more parts than that: a table that goes to and fro.
    return _by_rank(frames)


def _by_round(frames: list[Frame], depth: int) -> list[list[Frame]]:
    """Part into rounds by the place of Instance Number among those of whole rounds; [] when they are not such numbers.

    Rounds are numbered one after another, or the images of each position. Only so a lost image is missed in its own.
    """
    numbers = {frame.key: frame.instance_number for frame in frames if frame.instance_number is not None}
    places = len(slots_along(frames))
    lost = depth * places - len(frames)
    if len(set(numbers.values())) < len(frames) or lost > MOST_LOST * depth * places:
        return []
    lowest, found = min(numbers.values()), []
    for first in range(lowest, lowest - min(lost, places, MOST_FIRST) - 1, -1):  # the first images may be the lost ones
        after = {key: number - first for key, number in numbers.items()}
        for rounds in ({key: n // places for key, n in after.items()}, {key: n % depth for key, n in after.items()}):
            parts = by(frames, lambda frame, rounds=rounds: rounds[frame.key])  # type: ignore[misc]
            if len(parts) == depth and not any(repeats_of(part) for part in parts):
                found.append(parts)
    return min(found, key=lambda parts: sum(_turns(part) for part in parts), default=[])


def _turns(frames: list[Frame]) -> int:
    """Return how often frames in the order of their numbers turn round along the normal."""
    along = [along_normal(frame) for frame in sorted(frames, key=identity)]
    ups = [b > a for a, b in itertools.pairwise(along)]
    return sum(a is not b for a, b in itertools.pairwise(ups))


def _by_rank(frames: list[Frame]) -> list[list[Frame]]:
    """Part into first, second, ... images of each position, as far as most positions have one."""
    slots = slots_along(frames)
    deep = sum(
        1 for rank in range(1, max(len(s) for s in slots)) if sum(len(s) > rank for s in slots) > 0.5 * len(slots)
    )
    if deep == 0:
        return [frames]
    parts: list[list[Frame]] = [[] for _ in range(deep + 1)]
    for slot in slots:
        for rank, frame in enumerate(slot):
            parts[min(rank, deep)].append(frame)
    return [sorted(part, key=identity) for part in parts]


def _by_spacing(frames: list[Frame]) -> list[list[Frame]]:
    """Part by pixel spacing; the same one is written with 4 to 15 digits in one series."""
    rows = _one_of_each([frame.pixel_spacing_mm[0] for frame in frames if frame.pixel_spacing_mm])
    columns = _one_of_each([frame.pixel_spacing_mm[1] for frame in frames if frame.pixel_spacing_mm])

    def key(frame: Frame) -> Hashable:
        mm = frame.pixel_spacing_mm
        return None if mm is None else (rows[mm[0]], columns[mm[1]])

    return by(frames, key)


def _one_of_each(values: Iterable[KeyValue | None]) -> dict[KeyValue | None, float]:
    """Return for each number the smallest of those that are the same number."""
    found: dict[KeyValue | None, float] = {}
    first = last = -math.inf
    for value in sorted({value for value in values if isinstance(value, int | float)}):
        if value - last > SAME_NUMBER * abs(value):
            first = value
        found[value], last = first, value
    return found
