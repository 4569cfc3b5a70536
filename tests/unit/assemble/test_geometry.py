"""Frames → stacks: tables, and generated series that must give back the geometry they were made with."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qagate.assemble.frame import Frame, Vector3, cross
from qagate.assemble.geometry import stack_frames
from qagate.domain.finding import FindingCode as Code

AXIAL = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
CORONAL = ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0))
SAGITTAL = ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0))


def frame(key: int, position: Vector3 | None, plane: tuple[Vector3, Vector3] = AXIAL, **more: object) -> Frame:
    given: dict[str, object] = {
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
        "rows": 10,
        "columns": 12,
        "instance_number": key + 1,
        "row": plane[0],
        "column": plane[1],
        "pixel_spacing_mm": (0.5, 0.6),
        "slice_thickness": None,
        "frame_of_reference_uid": "1",
    }
    if position is None:
        given |= {"row": None, "column": None}
    return Frame(key=key, sop_instance_uid=f"1.{key}", position=position, **(given | more))  # type: ignore[arg-type]


def stack_of(places: list[float], **more: object) -> list[Frame]:
    return [frame(i, (0.0, 0.0, z), **more) for i, z in enumerate(places)]  # type: ignore[arg-type]


def codes(found: object) -> list[Code]:
    return [finding.code for finding in found.findings]  # type: ignore[attr-defined]


def test_no_frames() -> None:
    assert stack_frames([]) == ()


def test_instance_number_does_not_order() -> None:
    frames = [replace(f, instance_number=n) for f, n in zip(stack_of([0, 2, 4, 6]), (7, 1, 9, 3), strict=True)]
    (stack,) = stack_frames(frames)
    assert [f.key for f in stack.frames] == [0, 1, 2, 3]


def test_one_slice() -> None:
    (stack,) = stack_frames(stack_of([7.0], slice_thickness=5.0))
    assert stack.geometry.spacing_mm == (5.0, 0.5, 0.6)
    assert stack.geometry.affine_lps[2] == (0.0, 0.0, 5.0, 7.0)
    assert stack.findings == ()


def test_duplicates() -> None:
    frames = [*stack_of([0, 3, 6, 9]), frame(9, (0.0, 0.0, 3.0))]
    (stack,) = stack_frames(frames)
    assert stack.geometry.duplicate_positions == (1,)
    assert codes(stack) == [Code.DUPLICATE_POSITIONS]
    assert [f.key for f in stack.dropped] == [9]  # the lower Instance Number stays
    assert set(stack.findings[0].sop_instance_uids) == {"1.1", "1.9"}


def test_a_whole_second_round_is_a_second_volume() -> None:
    frames = [
        *stack_of([0, 3, 6]),
        *[replace(f, key=f.key + 3, instance_number=f.key + 4) for f in stack_of([0, 3, 6])],
    ]
    stacks = stack_frames(frames)
    assert [[f.key for f in s.frames] for s in stacks] == [[0, 1, 2], [3, 4, 5]]
    assert [s.label for s in stacks] == ["#1", "#2"]


@pytest.mark.parametrize("slice_by_slice", [False, True])
@pytest.mark.parametrize("lost", [(0,), (9,), (14, 15), (23,)])
def test_a_lost_image_is_missing_in_its_own_round(slice_by_slice: bool, lost: tuple[int, ...]) -> None:
    # four rounds of six positions that only Instance Numbers tell apart
    frames = [
        replace(f, key=6 * t + f.key, sop_instance_uid=f"2.{t}.{f.key}", instance_number=101 + n)
        for t in range(4)
        for f in stack_of([3.0 * i for i in range(6)])
        for n in [4 * f.key + t if slice_by_slice else 6 * t + f.key]
    ]
    stacks = stack_frames([f for f in frames if f.key not in lost])
    whole = [[key for key in range(6 * t, 6 * t + 6) if key not in lost] for t in range(4)]
    assert sorted([f.key for f in stack.frames] for stack in stacks) == whole


def test_times_part_volumes_only_where_positions_repeat() -> None:
    frames = [replace(f, repeats=(("AcquisitionTime", f"10000{f.key}"),)) for f in stack_of([0, 3, 6])]
    assert len(stack_frames(frames)) == 1
    again = [replace(f, key=f.key + 3, instance_number=f.key + 4) for f in stack_of([0, 3, 6])]
    both = [replace(f, repeats=(("AcquisitionNumber", str(f.key // 3)),)) for f in [*stack_of([0, 3, 6]), *again]]
    assert [s.label for s in stack_frames(both)] == ["acquisition 0", "acquisition 1"]


def test_one_duplicate_is_not_parted_by_a_time_of_its_own() -> None:
    frames = [
        replace(f, repeats=(("ContentTime", str(f.key)),)) for f in [*stack_of([0, 3, 6, 9]), frame(4, (0, 0, 3.0))]
    ]
    (stack,) = stack_frames(frames)
    assert codes(stack) == [Code.DUPLICATE_POSITIONS]


def test_echoes_part_volumes_and_a_wandering_echo_time_does_not() -> None:
    two = [replace(f, inner=(("TE", 5.0 + 3 * (f.key % 2)),)) for f in stack_of([0, 3, 6, 9])]
    assert [s.label for s in stack_frames(two)] == ["TE 5 ms", "TE 8 ms"]
    wandering = [replace(f, inner=(("TE", 5.0 + 0.01 * f.key),)) for f in stack_of([0, 3, 6, 9])]
    assert len(stack_frames(wandering)) == 1


# places of 3 blocks of 4 slices, 4 mm apart, with 20 mm between the blocks
BLOCKS = [28.0 + 32 * block + 4 * i for block in range(3) for i in range(4)]


@pytest.mark.parametrize(
    ("numbers", "stacks", "found"),
    [
        (range(1, 13), [4, 4, 4], []),
        (range(12, 0, -1), [4, 4, 4], []),
        (range(2, 26, 2), [4, 4, 4], []),  # every other image is of another echo
        ([1, 2, 3, 4, 9, 10, 11, 12, 17, 18, 19, 20], [12], [Code.MISSING_SLICES]),  # what should lie between was lost
        ([1, 4, 7, 10, 2, 5, 8, 11, 3, 6, 9, 12], [12], [Code.MISSING_SLICES]),  # numbers that tell nothing
        ([None] * 12, [12], [Code.MISSING_SLICES]),
    ],
)
def test_stacks_that_lie_apart(numbers: list[int | None], stacks: list[int], found: list[Code]) -> None:
    frames = [replace(f, instance_number=n) for f, n in zip(stack_of(BLOCKS), numbers, strict=True)]
    made = stack_frames(frames[::-1])
    assert [len(stack.frames) for stack in made] == stacks
    assert [code for stack in made for code in codes(stack)] == found
    one = [replace(f, frame_number=f.key + 1, instance_number=1, sop_instance_uid="1.1") for f in stack_of(BLOCKS)]
    assert [len(stack.frames) for stack in stack_frames(one)] == [4, 4, 4]


@pytest.mark.parametrize(
    ("second", "labels", "found"),
    [
        (48.0, ["stack 1", "stack 2"], []),
        (12.0, [""], []),  # they go on
        (16.0, [""], [Code.MISSING_SLICES]),  # hardly apart: something was to lie between them
    ],
)
def test_stacks_of_one_object(second: float, labels: list[str], found: list[Code]) -> None:
    places = [4.0 * i for i in range(3)] + [second + 4 * i for i in range(3)]
    frames = [replace(f, repeats=(("StackID", str(1 + f.key // 3)),)) for f in stack_of(places)]
    made = stack_frames(frames)
    assert [stack.label for stack in made] == labels
    assert [code for stack in made for code in codes(stack)] == found


def test_kernels_and_matrices_part_volumes() -> None:
    frames = [replace(f, apart=(("kernel", "B30f" if f.key < 2 else "B70f"),)) for f in stack_of([0, 3, 0.5, 3.5])]
    assert [s.label for s in stack_frames(frames)] == ["kernel B30f", "kernel B70f"]
    sizes = [replace(f, rows=10 if f.key < 2 else 20) for f in stack_of([0, 3, 6, 9])]
    assert len(stack_frames(sizes)) == 2


def test_three_planes() -> None:
    frames = [
        frame(3 * i + j, tuple(5.0 * j if axis == axes else 0.0 for axis in range(3)), plane)  # type: ignore[arg-type]
        for i, (plane, axes) in enumerate(((AXIAL, 2), (CORONAL, 1), (SAGITTAL, 0)))
        for j in range(3)
    ]
    stacks = stack_frames(frames)
    assert [s.label for s in stacks] == ["axial", "coronal", "sagittal"]
    for stack in stacks:
        assert stack.geometry.spacing_mm[0] == pytest.approx(5.0)
        assert list(stack.positions_mm) == sorted(stack.positions_mm)


def test_frames_of_reference() -> None:
    own = [replace(f, frame_of_reference_uid=str(f.key)) for f in stack_of([0, 3, 6])]
    (stack,) = stack_frames(own)
    assert codes(stack) == [Code.MULTIPLE_FRAMES_OF_REFERENCE]
    two = [replace(f, frame_of_reference_uid=str(f.key // 3)) for f in stack_of([0, 3, 6, 9, 12, 15])]
    stacks = stack_frames(two)
    assert [codes(s) for s in stacks] == [[Code.MULTIPLE_FRAMES_OF_REFERENCE]] * 2


def test_without_positions_instance_numbers_stand_in() -> None:
    frames = [replace(f, instance_number=9 - f.key) for f in (frame(i, None, slice_thickness=4.0) for i in range(3))]
    (stack,) = stack_frames(frames)
    assert [f.key for f in stack.frames] == [2, 1, 0]
    assert not stack.geometry.known
    assert stack.geometry.spacing_mm == (4.0, 0.5, 0.6)
    assert codes(stack) == [Code.NO_POSITION]


def test_a_spacing_below_zero_is_one_all_the_same() -> None:
    (stack,) = stack_frames([frame(i, None, spacing_between_slices=-4.0) for i in range(3)])
    assert stack.geometry.spacing_mm[0] == 4.0
    assert stack.positions_mm == (0.0, 4.0, 8.0)


@pytest.mark.parametrize("along", [(0.0, 0.0, 2.5), (0.0, 0.5, -2.0), (3.0, 0.0, 0.1)])
def test_positions_of_images_that_do_not_say_how_they_lie_order_them(along: tuple[float, ...]) -> None:
    order = [3, 0, 4, 1, 5, 2]
    points = [(along[0] * i, along[1] * i - 70, along[2] * i) for i in order]
    frames = [frame(k, None, point=points[k]) for k in range(6)]
    (stack,) = stack_frames(frames)
    found = [points[one.key] for one in stack.frames]
    assert found in (sorted(points), sorted(points)[::-1])
    assert stack.geometry.spacing_mm[0] == pytest.approx(math.hypot(*along))
    assert [finding.detail for finding in stack.findings] == [
        "6 images do not say how they lie, so they were stacked by Image Position"
    ]


def test_overlap_and_tilt() -> None:
    (stack,) = stack_frames(stack_of([0, 1, 2], slice_thickness=2.0))
    assert codes(stack) == [Code.OVERLAPPING_SLICES]
    # 4 mm of table for each slice, tilted by 18.5 degrees: 4 x cos 18.5 = 3.793 mm along the normal
    angle = math.radians(18.5)
    tilted = ((1.0, 0.0, 0.0), (0.0, math.cos(angle), -math.sin(angle)))
    (stack,) = stack_frames([frame(i, (0.0, 0.0, 4.0 * i), tilted) for i in range(8)])
    assert codes(stack) == [Code.GANTRY_TILT]
    assert stack.geometry.tilt_degrees == pytest.approx(18.5)
    assert stack.geometry.spacing_mm[0] == pytest.approx(4 * math.cos(angle))
    np.testing.assert_allclose(np.array(stack.geometry.affine_lps)[:3, 2], (0, 0, 4), atol=1e-9)


# Generated series


@st.composite
def planes(draw: st.DrawFn) -> tuple[Vector3, Vector3]:
    """Any orientation: two unit vectors at right angles, from a rotation about a random axis."""
    a, b, c = (draw(st.floats(-math.pi, math.pi)) for _ in range(3))
    ca, sa, cb, sb, cc, sc = math.cos(a), math.sin(a), math.cos(b), math.sin(b), math.cos(c), math.sin(c)
    return (
        (cb * cc, cb * sc, -sb),
        (sa * sb * cc - ca * sc, sa * sb * sc + ca * cc, sa * cb),
    )


made = given(
    plane=planes(),
    count=st.integers(8, 40),
    spacing=st.floats(0.3, 12.0),
    origin=st.tuples(*[st.floats(-500, 500)] * 3),
    seed=st.randoms(use_true_random=False),
)


def place(plane: tuple[Vector3, Vector3], origin: Vector3, along: float, inside: float = 0.0) -> Vector3:
    normal = cross(*plane)
    x, y, z = (o + along * n + inside * c for o, n, c in zip(origin, normal, plane[1], strict=True))
    return (x, y, z)


def series(plane: tuple[Vector3, Vector3], origin: Vector3, places: list[float]) -> list[Frame]:
    return [frame(i, place(plane, origin, along), plane) for i, along in enumerate(places)]


@settings(max_examples=60, deadline=None)
@made
def test_shuffled(
    plane: tuple[Vector3, Vector3], count: int, spacing: float, origin: Vector3, seed: random.Random
) -> None:
    frames = series(plane, origin, [spacing * i for i in range(count)])
    numbers = list(range(count))
    seed.shuffle(numbers)
    frames = [replace(f, instance_number=n) for f, n in zip(frames, numbers, strict=True)]
    seed.shuffle(frames)
    (stack,) = stack_frames(frames)
    assert [f.key for f in stack.frames] == list(range(count))
    assert stack.geometry.spacing_mm == pytest.approx((spacing, 0.5, 0.6), rel=1e-6)
    assert stack.findings == ()
    affine = np.array(stack.geometry.affine_lps)
    for index, one in enumerate(stack.frames):
        assert one.position is not None
        np.testing.assert_allclose((affine @ (0, 0, index, 1))[:3], one.position, atol=1e-6)
    np.testing.assert_allclose(affine[:3, 0], np.array(plane[0]) * 0.6, atol=1e-9)
    np.testing.assert_allclose(affine[:3, 1], np.array(plane[1]) * 0.5, atol=1e-9)


@settings(max_examples=60, deadline=None)
@made
def test_missing(
    plane: tuple[Vector3, Vector3], count: int, spacing: float, origin: Vector3, seed: random.Random
) -> None:
    # Fewer than half of the steps are doubled: where every other one is, nobody can tell which is the rule. None is
    # lost at an end, which geometry cannot know, and no two side by side: of n slices k lost leave n - 1 - k steps,
    # k of them doubled, so k < (n - 1) / 3.
    lost: set[int] = set()
    for _ in range((count - 2) // 3):
        one = seed.randrange(1, count - 1)
        if not {one - 2, one - 1, one + 1, one + 2} & lost:
            lost.add(one)
    frames = series(plane, origin, [spacing * i for i in range(count)])
    kept = [f for f in frames if f.key not in lost]
    seed.shuffle(kept)
    (stack,) = stack_frames(kept)
    assert stack.geometry.missing_positions == tuple(sorted(lost))
    assert stack.geometry.spacing_mm[0] == pytest.approx(spacing, rel=1e-6)
    assert codes(stack) == ([Code.MISSING_SLICES] if lost else [])


@settings(max_examples=60, deadline=None)
@made
def test_duplicated(
    plane: tuple[Vector3, Vector3], count: int, spacing: float, origin: Vector3, seed: random.Random
) -> None:
    frames = series(plane, origin, [spacing * i for i in range(count)])
    twice = sorted(seed.sample(range(count), seed.randint(1, count // 3)))
    more = [replace(frames[i], key=1000 + i, sop_instance_uid=f"2.{i}", instance_number=5000 + i) for i in twice]
    given_frames = [*frames, *more]
    seed.shuffle(given_frames)
    (stack,) = stack_frames(given_frames)
    assert stack.geometry.duplicate_positions == tuple(twice)
    assert [f.key for f in stack.frames] == list(range(count))
    assert sorted(f.key for f in stack.dropped) == [1000 + i for i in twice]
    assert codes(stack) == [Code.DUPLICATE_POSITIONS]


@settings(max_examples=60, deadline=None)
@made
def test_jittered(
    plane: tuple[Vector3, Vector3], count: int, spacing: float, origin: Vector3, seed: random.Random
) -> None:
    # Each position is off by at most 5 %, so each step by at most 10 %.
    frames = series(plane, origin, [spacing * (i + seed.uniform(-0.05, 0.05)) for i in range(count)])
    seed.shuffle(frames)
    (stack,) = stack_frames(frames)
    assert [f.key for f in stack.frames] == list(range(count))
    assert stack.geometry.spacing_mm[0] == pytest.approx(spacing, rel=0.1)
    assert stack.geometry.missing_positions == ()
    assert set(codes(stack)) <= {Code.POSITION_JITTER}


@settings(max_examples=60, deadline=None)
@made
def test_tilted(
    plane: tuple[Vector3, Vector3], count: int, spacing: float, origin: Vector3, seed: random.Random
) -> None:
    degrees = seed.uniform(3, 30) * seed.choice((-1, 1))
    shear = math.tan(math.radians(degrees))
    frames = [frame(i, place(plane, origin, spacing * i, spacing * i * shear), plane) for i in range(count)]
    seed.shuffle(frames)
    (stack,) = stack_frames(frames)
    # count >= 8, spacing >= 0.3, 3 degrees: a drift of at least 7 x 0.3 x 0.052 = 0.11 mm, below which it is no tilt
    drift = abs(shear) * spacing * (count - 1)
    assert stack.geometry.spacing_mm[0] == pytest.approx(spacing, rel=1e-6)
    assert codes(stack) == ([Code.GANTRY_TILT] if drift > 0.25 else [])
    if drift > 0.25:
        assert stack.geometry.tilt_degrees == pytest.approx(abs(degrees), abs=1e-6)
    affine = np.array(stack.geometry.affine_lps)
    for index, one in enumerate(stack.frames):
        assert one.position is not None
        np.testing.assert_allclose((affine @ (0, 0, index, 1))[:3], one.position, atol=1e-6)


@settings(max_examples=40, deadline=None)
@made
def test_several_times(
    plane: tuple[Vector3, Vector3], count: int, spacing: float, origin: Vector3, seed: random.Random
) -> None:
    times = seed.randint(2, 5)
    frames = []
    for t in range(times):
        for one in series(plane, origin, [spacing * i for i in range(count)]):
            key = t * count + one.key
            repeats = (("TemporalPositionIdentifier", str(t)), ("ContentTime", str(key)))
            frames.append(replace(one, key=key, sop_instance_uid=f"1.{key}", instance_number=key, repeats=repeats))
    seed.shuffle(frames)
    stacks = stack_frames(frames)
    assert [s.label for s in stacks] == [f"time point {t}" for t in range(times)]
    for t, stack in enumerate(stacks):
        assert [f.key for f in stack.frames] == [t * count + i for i in range(count)]
        assert stack.findings == ()
