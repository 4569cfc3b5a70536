"""A second opinion fills in and takes away; it never replaces what the tags say and never adds confidence to it."""

from __future__ import annotations

from typing import Any

import pytest

from qagate.domain.finding import FindingCode
from qagate.domain.glance import Glance
from qagate.domain.volume import Tags
from qagate.prompt.explain import explain
from qagate.prompt.infer import infer
from qagate.prompt.rules import load_rules
from qagate.prompt.second import second_opinion

RULES = load_rules()
CT: Tags = {"Modality": "CT"}
HEAD: Tags = {"Modality": "CT", "SeriesDescription": "Head routine"}


def glance(region: str | None = None, share: float = 0.97, modality: str = "CT", sure: Any = None) -> Glance:
    regions = {} if region is None else {region: share, "neck": 1 - share}
    words = {modality, *regions} - {"neck"} if sure is None else set(sure)
    return Glance({modality: 0.99}, regions, frozenset(words), 9, "test")


@pytest.mark.parametrize(
    ("tags", "seen", "modality", "regions", "share_of_confidence", "conflict"),
    [
        (HEAD, glance("head"), "CT", ("head",), 1.0, False),  # they agree: nothing is added
        (HEAD, glance("chest"), "CT", ("head",), 0.5, True),
        (HEAD, glance("chest", sure=["CT"]), "CT", ("head",), 1.0, False),  # not sure: says nothing
        (HEAD | {"SeriesDescription": "Abdomen"}, glance("pelvis"), "CT", ("abdomen",), 1.0, False),  # neighbours
        (HEAD | {"SeriesDescription": "CT WB 5.0"}, glance("chest"), "CT", ("whole_body",), 1.0, False),
        (HEAD, glance(modality="MR"), "CT", ("head",), 0.5, True),
        (HEAD, glance(modality="neither"), "CT", ("head",), 0.5, True),
        (HEAD, Glance({}, {}, frozenset(), 0, "test"), "CT", ("head",), 1.0, False),  # nothing to see
        ({}, glance(modality="MR"), "MR", (), 1.0, False),  # a file without tags
        ({"Modality": "PT"}, glance(modality="MR"), None, (), 1.0, False),  # another object stays another object
    ],
)
def test_doubt(
    tags: Tags, seen: Glance, modality: str | None, regions: tuple[str, ...], share_of_confidence: float, conflict: bool
) -> None:
    alone = infer(tags, RULES)
    both = second_opinion(alone, seen, RULES)
    assert (both.modality, both.regions, both.conflict) == (modality, regions, conflict)
    assert both.confidence == pytest.approx(alone.confidence * share_of_confidence, abs=1e-3)
    assert (FindingCode.PROMPT_CONFLICT in [f.code for f in both.findings]) == conflict


def test_an_unknown_region_is_filled_in_with_less_than_the_classifiers_belief() -> None:
    both = second_opinion(infer(CT, RULES), glance("chest", 0.9), RULES)
    assert both.regions == ("chest",)
    assert both.organ is None
    assert both.confidence == pytest.approx(0.72)  # 0.8 x 0.9
    assert both.findings == ()
    assert any("PixelData" in line and "90% in 9 slice(s)" in line for line in explain(both).splitlines())


def test_an_unknown_region_stays_unknown_when_it_is_not_sure() -> None:
    both = second_opinion(infer(CT, RULES), glance("chest", 0.5, sure=["CT"]), RULES)
    assert (both.regions, both.confidence) == ((), 0.0)
    assert "not sure enough to count" in explain(both)
    assert [f.code for f in both.findings] == [FindingCode.PROMPT_UNKNOWN]
