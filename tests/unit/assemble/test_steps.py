"""Steps between slices: spacing, gaps, jitter and changes of spacing."""

from __future__ import annotations

import pytest

from qagate.assemble.steps import classify


@pytest.mark.parametrize(
    ("steps", "spacing", "missing", "jitter", "variable"),
    [
        ((3, 3, 3), 3, (), (), ()),
        ((3, 6, 3), 3, (2,), (), ()),  # 6 = 2 x 3: one slice lost after slot 1
        ((3, 9.2, 3), 3, (2, 3), (), ()),  # 9.2 = 3 x 3 + 0.2, within 10 % of a spacing
        ((10.5, 21.0), 10.5, (2,), (), ()),  # the mean would say 15.75; the lower median says 10.5
        ((5, 5, 5, 10, 10, 10), 5, (), (), (4, 5, 6)),  # three double steps at an end: another spacing
        ((5, 5, 5, 10, 10), 5, (4, 6), (), ()),  # two double steps at an end: lost slices
        ((4, 4, 7, 4), 4, (), (), (3,)),  # 7 = 1.75 x 4 is neither one step nor two
        ((1.08, 4, 4, 4), 4, (), (), (1,)),
        ((2.5, 2.7, 2.3, 2.5), 2.5, (), (2, 3), ()),  # 0.2 is 8 % of 2.5
        ((2.5, 2.51, 2.49, 2.5), 2.5, (), (), ()),  # 0.01 is rounding
        ((1.0, 300.0, 1.0), 1.0, (), (), (2,)),  # two blocks, not 299 lost slices
    ],
)
def test_steps(steps: tuple[float, ...], spacing: float, missing: object, jitter: object, variable: object) -> None:
    found = classify([float(step) for step in steps])
    assert found.spacing == pytest.approx(spacing)
    assert (found.missing, found.jitter, found.variable) == (missing, jitter, variable)


@pytest.mark.parametrize(
    ("steps", "thickness", "missing", "variable"),
    [
        # thin, thick, thin: the thick slices fill their steps of 5 mm, and the one before the first of them begins it
        ((1.25, 1.25, 5, 5, 1.25), (1.25, 1.25, 1.25, 5, 5, 1.25), (), (3, 4)),
        ((2.5, 2.5, 5, 5, 2.5), (2.5, 2.5, 2.5, 2.5, 2.5, 2.5), (3, 5), ()),  # nothing fills them: two slices lost
        ((2.5, 2.5, 5, 2.5), (5, 5, 5, 5, 5), (3,), ()),  # all are thick, and overlap: one is lost
        # the step of 10 mm is filled by nothing: 9 places of 1 mm are empty
        ((5, 10, 5, 1, 1, 1, 1), (5, 5, 5, 1, 1, 1, 1, 1), tuple(range(2, 11)), (1, 3)),
        ((2, 4, 2), (0, 0, 0, 0), (2,), ()),  # no thickness is known
    ],
)
def test_thick_slices_fill_their_steps(steps, thickness, missing, variable) -> None:  # type: ignore[no-untyped-def]
    found = classify([float(step) for step in steps], [float(mm) for mm in thickness])
    assert (found.missing, found.variable) == (missing, variable)
