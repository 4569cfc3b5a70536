"""Which part of a stack is bad."""

from __future__ import annotations

import pytest

from qagate.judge.extent import bad_range


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([80, 80, 30, 30, 80, 80], (3, 4)),
        ([80, 80, 30, 55, 30, 80, 80, 80], (3, 5)),  # one good slice between does not part them
        ([80, 30, 80, 80, 30, 80, 80, 80], None),
        ([80, 80, None, 30, 80], (4, 4)),
        ([30, 30, 30, 30, 80], (1, 4) if 4 <= 0.7 * 5 else None),  # 4 of 5 is the whole
        ([80, 80, 80], None),
        ([80, 20], None),
        ([], None),
        ([None, None, None], None),
        ([90, 90, 90, 75, 90], (4, 4)),  # 75 < 90 - 10
    ],
)
def test_bad_range(scores: list[float | None], expected: tuple[int, int] | None) -> None:
    assert bad_range(scores, 50) == expected
