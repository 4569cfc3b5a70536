"""What people call their series, in some twenty languages, and what must be read from it: descriptions.txt."""

from __future__ import annotations

from pathlib import Path

import pytest

from qagate.prompt.infer import infer
from qagate.prompt.rules import load_rules

RULES = load_rules()
TABLE = Path(__file__).with_name("descriptions.txt").read_text(encoding="utf-8")
ROWS = [line.split(" | ") for line in TABLE.splitlines() if line and not line.startswith("#")]
CONTRAST = {True: "yes", False: "no", None: "-"}


@pytest.mark.parametrize("row", ROWS, ids=[f"{row[0]} {row[1]}" for row in ROWS])
def test_a_description_alone(row: list[str]) -> None:
    modality, words, *expected = row
    prompt = infer({"Modality": modality, "SeriesDescription": words}, RULES)
    found = [" ".join(prompt.regions), prompt.organ, prompt.sequence, CONTRAST[prompt.contrast]]
    found.append(" ".join(finding.code.value for finding in prompt.exclusions))
    assert [word or "-" for word in found] == expected
    # one description is never certainty, and silence is no confidence
    assert (0.5 < prompt.confidence < 0.9) if prompt.regions else prompt.confidence < 0.3


def test_the_table_is_whole() -> None:
    assert len(ROWS) > 350
    assert {len(row) for row in ROWS} == {7}
    assert len({tuple(row[:2]) for row in ROWS}) == len(ROWS)
