from __future__ import annotations

from dataclasses import replace

import pytest

from qagate.assemble.contiguity import Place, contiguous

PLACES = [Place(n + 1, (0.0, 0.0, 2.5 * n), (1, 0, 0), (0, 1, 0)) for n in range(10)]


def changed(index: int, **more: object) -> list[Place]:
    return [replace(place, **more) if n == index else place for n, place in enumerate(PLACES)]


@pytest.mark.parametrize(
    ("places", "is_so"),
    [
        (PLACES, True),
        (PLACES[::-1], True),  # in whatever order they came
        (PLACES[:9], True),  # the last one missing cannot be seen
        (PLACES[1:], False),  # number 1 is missing
        (PLACES[:4] + PLACES[5:], False),
        (changed(4, position=(0.0, 0.0, 10.1)), False),  # 0.1 / 2.5 = 4 %, above 2 %
        (changed(4, position=(0.0, 0.0, 10.04)), True),  # 1.6 %
        (changed(4, position=None), False),
        (changed(4, instance_number=None), False),
        (changed(4, row=(0, 1, 0)), False),
        ([replace(place, position=(0.0, 0.0, 0.0)) for place in PLACES], False),  # all in one place
        (PLACES[:2], False),
        ([], False),
    ],
)
def test_contiguous(places, is_so) -> None:
    assert contiguous(places) is is_so
