from __future__ import annotations

import pytest

from qagate.cli.scoring import given_prompt
from qagate.errors import InputError


@pytest.mark.parametrize(
    ("region", "organ", "regions", "named"),
    [
        (None, "brain", ("head",), "brain"),
        (None, "chest", ("chest",), None),
        ("neck", "aorta", ("neck",), "aorta"),  # what was said stands
        ("abdomen", None, ("abdomen",), None),
    ],
)
def test_words_of_the_command_line_become_a_prompt(
    region: str | None, organ: str | None, regions: tuple[str, ...], named: str | None
) -> None:
    found = given_prompt("ct", region, organ)
    assert found is not None
    assert (found.modality, found.regions, found.organ) == ("CT", regions, named)


def test_no_word_is_no_prompt_and_an_unknown_one_is_said() -> None:
    assert given_prompt(None, None, None) is None
    with pytest.raises(InputError, match=r"--organ must be one of brain, .*, got 'elbowgrease'"):
        given_prompt(None, None, "elbowgrease")
