from __future__ import annotations

import pytest

from qagate.domain.prompt import ORGANS, ORGANS_IN, REGIONS, placed


@pytest.mark.parametrize(
    ("word", "regions", "organ"),
    [
        ("liver", ("abdomen",), "liver"),
        ("chest", ("chest",), None),
        ("spine", ("spine",), "spine"),  # both
        ("whole_body", ("whole_body",), None),
        ("elbowgrease", (), None),
        (None, (), None),
    ],
)
def test_a_word_for_an_organ_or_a_region_is_placed(
    word: str | None, regions: tuple[str, ...], organ: str | None
) -> None:
    assert placed(word) == (regions, organ)


def test_every_organ_lies_in_one_region() -> None:
    assert sorted(organ for organs in ORGANS_IN.values() for organ in organs) == sorted(ORGANS)
    assert set(ORGANS_IN) == set(REGIONS) - {"whole_body"}
