"""Geometry: frames → stacks. Pure: what the headers say about where frames lie, and nothing else.

Frames that belong to one grid are put together, ordered along their normal, and every fault is a finding. Neither
Instance Number nor Slice Location ever orders slices that have a position: they lie too often.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from qagate.assemble.frame import Frame, Stack
from qagate.assemble.label import labels_of
from qagate.assemble.partition import Group, partition
from qagate.assemble.slots import slots_of
from qagate.assemble.steps import Steps, classify
from qagate.domain.finding import Finding, FindingCode, Severity
from qagate.domain.volume import Affine, Geometry

Vector = npt.NDArray[np.float64]

# Below half a degree the shear over 300 mm is less than 3 mm: table sag, not a tilted gantry.
TILT_DEGREES = 0.5


def stack_frames(frames: Sequence[Frame]) -> tuple[Stack, ...]:
    """Return the regular grids that the frames of one series make, each with its geometry and findings.

    Every frame stands in exactly one stack, or among its `dropped` ones (second images of a position). Slices ascend
    along the normal (row direction × column direction); stacks come in the order of their first Instance Number.
    Source: PS3.3 C.7.6.2.1.1.
    """
    stacks = []
    for group in partition(frames):
        stacks.append(_without_position(group) if group.normal is None else _stack(group, np.array(group.normal)))
    stacks.sort(key=_first_number)
    labels = labels_of([stack.frames for stack in stacks])
    return tuple(replace(stack, label=label) for stack, label in zip(stacks, labels, strict=True))


def _first_number(stack: Stack) -> tuple[int, int, str]:
    numbers = [frame.instance_number for frame in stack.frames if frame.instance_number is not None]
    first = min(stack.frames, key=lambda frame: (frame.sop_instance_uid, frame.frame_number or 0))
    return (min(numbers, default=1 << 31), first.frame_number or 0, first.sop_instance_uid)


def _stack(group: Group, normal: Vector) -> Stack:
    slots = slots_of(group.frames, group.normal)
    kept = tuple(slot[0] for slot in slots)
    dropped = tuple(frame for slot in slots for frame in slot[1:])
    duplicates = tuple(index for index, slot in enumerate(slots) if len(slot) > 1)
    positions = np.array([frame.position for frame in kept], dtype=np.float64)  # (slices, 3)
    along = positions @ normal  # (slices,)
    findings = list(group.findings)
    if group.located:
        what = "do not say how" if group.located == "Image Position" else "say neither where nor how"
        text = f"{len(group.frames)} images {what} they lie, so they were stacked by {group.located}"
        findings.append(Finding(FindingCode.NO_POSITION, Severity.MODERATE, text))
    elif not group.known:
        text = "the images do not say how large a pixel is, so it is taken for 1 mm"
        findings.append(Finding(FindingCode.NO_POSITION, Severity.MODERATE, text))
    if duplicates:
        findings.append(
            Finding(
                FindingCode.DUPLICATE_POSITIONS,
                Severity.MODERATE if len(duplicates) > 1 else Severity.MILD,
                f"{len(duplicates)} of {len(slots)} positions have more than one image; one of each was used",
                tuple(dict.fromkeys(frame.sop_instance_uid for i in duplicates for frame in slots[i])),
            )
        )
    thickness = _median(frame.slice_thickness for frame in kept)
    if len(kept) == 1:
        between = _median(frame.spacing_between_slices for frame in kept)
        steps = Steps(abs(thickness or between or 1.0), (0,), (), (), ())
        direction, drift, wobble = normal, 0.0, np.zeros(1)
    else:
        gaps = tuple(float(step) for step in np.diff(along))
        steps = classify(gaps, tuple(frame.slice_thickness or 0.0 for frame in kept))
        direction, drift, wobble = _direction(positions, along, normal)
        findings += _step_findings(steps, kept, along, wobble, group)
    tilt = float(np.degrees(np.arccos(min(1.0, abs(float(direction @ normal))))))
    tilted = tilt > TILT_DEGREES and drift > 0.5 * min(group.pixel_spacing)
    if tilted:
        findings.append(
            Finding(
                FindingCode.GANTRY_TILT,
                Severity.MILD,
                f"the slices are tilted by {tilt:.1f} degrees against the direction in which they are stacked",
            )
        )
    if len(kept) > 1 and (said := _said_otherwise(kept, steps.spacing, thickness)):
        findings.append(Finding(FindingCode.CONTRADICTORY_TAGS, Severity.MILD, said))
    if thickness and len(kept) > 1 and thickness > 1.05 * steps.spacing + 0.05:
        findings.append(
            Finding(
                FindingCode.OVERLAPPING_SLICES,
                Severity.MILD,
                f"slices of {thickness:.4g} mm lie {steps.spacing:.4g} mm apart, so they overlap",
            )
        )
    geometry = Geometry(
        shape=(len(kept), group.rows, group.columns),
        spacing_mm=(steps.spacing, *group.pixel_spacing),
        affine_lps=_affine(group, positions[0], direction / float(direction @ normal) * steps.spacing),
        missing_positions=steps.missing,
        duplicate_positions=duplicates,
        tilt_degrees=tilt if tilted else 0.0,
        known=group.known,
    )
    if group.located:
        kept = tuple(replace(frame, position=None, row=None, column=None) for frame in kept)
    return Stack(kept, tuple(float(mm) for mm in along), dropped, geometry, tuple(findings))


def _said_otherwise(kept: Sequence[Frame], spacing: float, thickness: float | None) -> str:
    """Return a sentence when Spacing Between Slices is not what the positions say; "" when it is.

    It is measured between the centres of slices (PS3.3 C.7.6.16.2.3.1); some scanners write the gap between them, which
    is no contradiction, and a sign that means nothing.
    """
    between = _median(frame.spacing_between_slices for frame in kept)
    if between is None:
        return ""
    near = 0.05 * spacing + 0.05
    if any(abs(abs(between) + gap - spacing) <= near for gap in (0.0, thickness or 0.0)):
        return ""
    return f"Spacing Between Slices says {abs(between):.4g} mm, the positions lie {spacing:.4g} mm apart"


def _direction(positions: Vector, along: Vector, normal: Vector) -> tuple[Vector, float, Vector]:
    """Return the unit vector of the stack (least squares), the in-plane drift over it in mm, and each slice's distance
    in mm from that line."""
    centred = along - along.mean()
    inside = positions - along[:, None] * normal  # (slices, 3), each in the plane through the origin
    slope = (centred @ (inside - inside.mean(axis=0))) / float(centred @ centred)  # (3,) mm per mm
    direction = normal + slope
    line = inside.mean(axis=0) + centred[:, None] * slope
    drift = float(np.linalg.norm(slope)) * float(along[-1] - along[0])
    return direction / np.linalg.norm(direction), drift, np.linalg.norm(inside - line, axis=1)


def _step_findings(steps: Steps, kept: tuple[Frame, ...], along: Vector, wobble: Vector, group: Group) -> list[Finding]:
    findings = []
    uids = [frame.sop_instance_uid for frame in kept]
    if steps.missing:
        where = [i for i in range(1, len(kept)) if steps.slot[i] - steps.slot[i - 1] > 1]
        places = ", ".join(f"{along[i - 1]:.4g} to {along[i]:.4g}" for i in where[:5])
        total = len(kept) + len(steps.missing)
        findings.append(
            Finding(
                FindingCode.MISSING_SLICES,
                Severity.SEVERE if len(steps.missing) > 0.1 * total else Severity.MODERATE,
                f"{len(steps.missing)} of {total} slices are missing, between the positions (mm) {places}"
                + (" and more" if len(where) > 5 else ""),
                tuple(dict.fromkeys(uid for i in where for uid in (uids[i - 1], uids[i]))),
            )
        )
    if steps.variable:
        gaps = np.diff(along)
        findings.append(
            Finding(
                FindingCode.VARIABLE_SPACING,
                Severity.MODERATE,
                f"{len(steps.variable)} of {len(kept) - 1} steps differ from the spacing of {steps.spacing:.4g} mm; "
                f"steps go from {gaps.min():.4g} to {gaps.max():.4g} mm",
                tuple(uids[i] for i in steps.variable),
            )
        )
    stray = [i for i in range(len(kept)) if wobble[i] > max(0.1, 0.2 * min(group.pixel_spacing))]
    if steps.jitter or stray:
        worst = max([abs(float(along[i] - along[i - 1]) - steps.spacing) for i in steps.jitter] + [float(wobble.max())])
        concerned = sorted({*steps.jitter, *stray})
        findings.append(
            Finding(
                FindingCode.POSITION_JITTER,
                Severity.MILD,
                f"{len(concerned)} of {len(kept)} positions are off the regular grid, by {worst:.2g} mm at most",
                tuple(uids[i] for i in concerned),
            )
        )
    return findings


def _without_position(group: Group) -> Stack:
    """Stack frames that have no usable position, by Instance Number, as a stand-in."""
    frames = group.frames
    thickness = _median(f.slice_thickness for f in frames)
    spacing = abs(_median(f.spacing_between_slices for f in frames) or thickness or 1.0)  # its sign means nothing
    geometry = Geometry(
        shape=(len(frames), group.rows, group.columns),
        spacing_mm=(spacing, *group.pixel_spacing),
        affine_lps=_affine(
            replace(group, row=(1.0, 0.0, 0.0), column=(0.0, 1.0, 0.0)), np.zeros(3), np.array([0, 0, spacing])
        ),
        known=False,
    )
    said = "1 image says neither where nor how it lies, so it is taken as one flat picture"
    if len(frames) > 1:
        said = f"{len(frames)} images say neither where nor how they lie, so they were stacked by Instance Number"
    finding = Finding(
        FindingCode.NO_POSITION,
        Severity.MODERATE if len(frames) > 1 else Severity.MILD,
        said,
        tuple(dict.fromkeys(frame.sop_instance_uid for frame in frames)) if len(frames) < 20 else (),
    )
    places = tuple(index * spacing for index in range(len(frames)))
    return Stack(frames, places, (), geometry, (*group.findings, finding))


def _affine(group: Group, origin: Vector, slice_step: Vector) -> Affine:
    """Return the matrix from (column, row, slice, 1) to LPS mm. Source: PS3.3 equation C.7.6.2.1-1."""
    between_rows, between_columns = group.pixel_spacing
    matrix = np.eye(4)
    matrix[:3, 0] = np.array(group.row) * between_columns
    matrix[:3, 1] = np.array(group.column) * between_rows
    matrix[:3, 2] = slice_step
    matrix[:3, 3] = origin
    a, b, c, d = (tuple(float(x) for x in line) for line in matrix)
    return (_four(a), _four(b), _four(c), _four(d))


def _four(line: tuple[float, ...]) -> tuple[float, float, float, float]:
    return (line[0], line[1], line[2], line[3])


def _median(values: object) -> float | None:
    found = [float(value) for value in values if value]  # type: ignore[attr-defined]
    return float(statistics.median(found)) if found else None
