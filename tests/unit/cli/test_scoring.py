from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from qagate.cli.scoring import given_prompt, text
from qagate.domain.prompt import Evidence, Prompt
from qagate.domain.verdict import Outcome
from qagate.errors import InputError


@pytest.mark.parametrize(
    ("region", "organ", "regions", "named"),
    [
        (None, "brain", ("head",), "brain"),
        (None, "chest", ("chest",), None),
        ("neck", "aorta", ("neck",), "aorta"),  # what was said stands
        ("abdomen", None, ("abdomen",), None),
        ("Lower extremity", "Ankle/Foot", ("lower_extremity",), "ankle_foot"),
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


SEEN = Evidence("PixelData", "97% in 1 slice(s)", "glance", "modality:MR", 3.0)
STATED = Evidence("Modality", "MR", "modality", "modality:MR", 4.0)


@pytest.mark.parametrize(
    ("evidence", "told"),
    [((SEEN,), True), ((STATED, SEEN), False), ((STATED,), False), ((), False)],  # nothing: a person said it
)
def test_a_modality_that_only_the_values_tell_is_said_to_be_a_guess(evidence: tuple[Evidence, ...], told: bool) -> None:
    source = SimpleNamespace(label="", path="x.png")
    assessment = SimpleNamespace(
        prompt=Prompt(modality="MR", evidence=evidence), score=50.0, interval=None, geometry=None, source=source,
        attributes={}, physics=(),
    )  # fmt: skip
    judged: Any = SimpleNamespace(
        assessment=assessment, verdict=SimpleNamespace(outcome=Outcome.ACCEPT, word="Good", reasons=())
    )
    assert ("taken for MR by its values alone" in text(judged)) is told
