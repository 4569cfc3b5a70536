"""Decide: policies in, verdicts with reasons out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qagate.domain.assessment import ATTRIBUTES, Assessment, Measurement, ModelIdentity, SliceScore, Source
from qagate.domain.finding import Finding, FindingCode, Severity
from qagate.domain.prompt import Prompt
from qagate.domain.verdict import Action, Outcome
from qagate.judge.decide import decide
from qagate.judge.words import ATTRIBUTE_WORDS, FINDING_WORDS
from qagate.settings import Match, Policy

SITE = Policy(name="site", review_below=50, attributes={"motion": 0.7, "noise": 0.8})
MISSING = Finding(
    FindingCode.MISSING_SLICES, Severity.MODERATE, "1 of 121 slice positions missing: index 41.", ("1.2.3",)
)


NOISE = Measurement("noise_hu", 23.8, "[hnsf'U]", "lower")


def slices(*runs: tuple[int, float | None]) -> tuple[SliceScore, ...]:
    """Slice scores from runs of (how many, score)."""
    scores = [score for count, score in runs for _ in range(count)]
    return tuple(SliceScore(f"1.2.{i}", None, float(i), score) for i, score in enumerate(scores))


def made(score: float | None = 86.0, **more: Any) -> Assessment:
    assessment = Assessment(
        source=Source("x", "1.2", "1.2.3", 120, 0, 1),
        prompt=Prompt(modality="CT", regions=("chest", "abdomen"), organ="liver"),
        geometry=None,
        score=score,
        interval=None,
        attributes={},
        slices=(),
        physics=(),
        findings=(),
        model=ModelIdentity("m", "1", "0" * 64),
    )
    return replace(assessment, **more)


def test_good() -> None:
    verdict = decide(made(), [SITE])
    assert (verdict.outcome, verdict.reasons, verdict.policy) == (Outcome.ACCEPT, (), "site")
    assert verdict.limit == 50
    assert verdict.attribute_limits == (("motion", 0.7), ("noise", 0.8))


@pytest.mark.parametrize(
    ("more", "outcome", "reasons"),
    [
        ({"score": 50.0}, Outcome.ACCEPT, ()),
        ({"score": 41.0}, Outcome.REVIEW, ("Score 41, below this site's 50",)),
        ({"score": 49.7}, Outcome.REVIEW, ("Score 49.7, below this site's 50",)),  # never "50, below 50"
        ({"score": 49.96}, Outcome.REVIEW, ("Score 49.9, below this site's 50",)),
        # an artefact above its own limit
        ({"attributes": {"motion": 0.71}}, Outcome.REVIEW, ("Patient moved",)),
        ({"attributes": {"motion": 0.7}}, Outcome.ACCEPT, ()),
        # the stack's bad part, 1-based: 30 good, 14 bad, 76 good
        (
            {"attributes": {"motion": 0.8}, "slices": slices((30, 80.0), (14, 30.0), (76, 80.0))},
            Outcome.REVIEW,
            ("Patient moved between slices 31 and 44",),
        ),
        ({"attributes": {"motion": 0.8}, "slices": slices((5, 80.0), (1, 30.0), (6, 80.0))}, Outcome.REVIEW,
         ("Patient moved at slice 6",)),
        # scores above the limit everywhere: ten points below the median tell
        ({"attributes": {"motion": 0.8}, "slices": slices((9, 80.0), (3, 65.0), (9, 80.0))}, Outcome.REVIEW,
         ("Patient moved between slices 10 and 12",)),
        # bad all over, or all bad: no part is named
        ({"attributes": {"motion": 0.8}, "slices": slices((3, 80.0), (3, 20.0), (3, 80.0), (3, 20.0))}, Outcome.REVIEW,
         ("Patient moved",)),
        ({"attributes": {"motion": 0.8}, "slices": slices((12, 20.0))}, Outcome.REVIEW, ("Patient moved",)),
        ({"attributes": {"motion": 0.8}, "slices": slices((12, None))}, Outcome.REVIEW, ("Patient moved",)),
        # a measurement in units says more than a word
        (
            {"score": 41.0, "attributes": {"noise": 0.9}, "physics": (NOISE,)},
            Outcome.REVIEW,
            ("Noise 24 HU", "Score 41, below this site's 50"),
        ),
        # causes that no limit names still explain a low score, the weightiest first; mild ones do not
        (
            {"score": 30.0, "attributes": {"blur": 0.5, "ring": 0.9, "wrap": 0.3}},
            Outcome.REVIEW,
            ("Rings", "Blurred images", "Score 30, below this site's 50"),
        ),
        # no artefact explains it, but the slices show where
        (
            {"score": 45.0, "slices": slices((10, 80.0), (5, 20.0), (10, 80.0))},
            Outcome.REVIEW,
            ("Lowest between slices 11 and 15", "Score 45, below this site's 50"),
        ),
        # findings on the list flag from moderate on, others never
        ({"findings": (MISSING,)}, Outcome.REVIEW, ("1 of 121 slice positions missing: index 41",)),
        ({"findings": (replace(MISSING, severity=Severity.MILD),)}, Outcome.ACCEPT, ()),
        ({"findings": (Finding(FindingCode.GANTRY_TILT, Severity.SEVERE, "Tilted."),)}, Outcome.ACCEPT, ()),
        ({"findings": (replace(MISSING, detail=""),)}, Outcome.REVIEW, ("Slices are missing",)),
        # 0.6 for a moderate finding stands between motion 0.75 and nothing
        (
            {"attributes": {"motion": 0.75}, "findings": (MISSING,)},
            Outcome.REVIEW,
            ("Patient moved", "1 of 121 slice positions missing: index 41"),
        ),
        (
            {"attributes": {"motion": 0.75}, "findings": (replace(MISSING, severity=Severity.SEVERE),)},
            Outcome.REVIEW,
            ("1 of 121 slice positions missing: index 41", "Patient moved"),
        ),
    ],
)  # fmt: skip
def test_reasons(more: dict[str, Any], outcome: Outcome, reasons: tuple[str, ...]) -> None:
    verdict = decide(made(**more), [SITE])
    assert (verdict.outcome, verdict.reasons) == (outcome, reasons)


@pytest.mark.parametrize(
    ("score", "reject_below", "outcome", "reason"),
    [
        (20.0, 30.0, Outcome.REJECT, "Score 20, below this site's 30"),
        (30.0, 30.0, Outcome.REVIEW, "Score 30, below this site's 50"),
        (0.0, 0.0, Outcome.REVIEW, "Score 0, below this site's 50"),  # 0 means never
    ],
)
def test_reject(score: float, reject_below: float, outcome: Outcome, reason: str) -> None:
    verdict = decide(made(score), [SITE.model_copy(update={"reject_below": reject_below})])
    assert (verdict.outcome, verdict.reasons[-1]) == (outcome, reason)


LOCALIZER = Finding(FindingCode.LOCALIZER, Severity.SEVERE, "A localiser, not a scan to read.")


@pytest.mark.parametrize(
    ("more", "reasons"),
    [
        ({"score": None, "findings": (LOCALIZER,)}, ("A localiser, not a scan to read",)),
        ({"score": 80.0, "findings": (LOCALIZER, MISSING)}, ("A localiser, not a scan to read",)),
        ({"score": None, "findings": (LOCALIZER, LOCALIZER)}, ("A localiser, not a scan to read",)),
        ({"score": None, "prompt": Prompt(exclusions=(LOCALIZER,))}, ("A localiser, not a scan to read",)),
        ({"score": None}, ("No score was given",)),
        ({"score": float("nan")}, ("No score was given",)),
        ({"score": None, "findings": (MISSING,)}, ("1 of 121 slice positions missing: index 41",)),
    ],
)
def test_unscored(more: dict[str, Any], reasons: tuple[str, ...]) -> None:
    verdict = decide(made(**more), [SITE])
    assert (verdict.outcome, verdict.reasons, verdict.limit) == (Outcome.UNSCORED, reasons, None)


@pytest.mark.parametrize(
    ("match", "matches"),
    [
        ({}, True),
        ({"modality": ("ct",)}, True),
        ({"modality": ("MR",)}, False),
        ({"modality": ()}, False),
        ({"region": ("Abdomen",)}, True),
        ({"region": ("head", "CHEST")}, True),
        ({"region": ("head",)}, False),
        ({"organ": ("LIVER",)}, True),
        ({"sequence": ("T1",)}, False),  # a CT has none
        ({"ae_title": ("ct*",)}, True),
        ({"ae_title": ("CT?",)}, True),
        ({"ae_title": ("MR*",)}, False),
        ({"protocol": ("*venous*",)}, True),
        ({"protocol": ("abd",)}, False),
        ({"modality": ("CT",), "region": ("head",)}, False),  # all keys must match
    ],
)
def test_match(match: dict[str, Any], matches: bool) -> None:
    policies = [Policy(name="first", match=Match(**match)), Policy(name="second")]
    verdict = decide(made(), policies, calling_ae_title="CT2", protocol="Abd Venous 3mm")
    assert verdict.policy == ("first" if matches else "second")


def test_first_match_decides() -> None:
    policies = [Policy(name="a", action="advise"), Policy(name="b", action="shadow")]
    assert decide(made(), policies).action is Action.ADVISE


def test_no_match_falls_back_to_the_built_in_policy() -> None:
    policies = [Policy(name="mr", match=Match(modality=("MR",)))]
    verdict = decide(made(41.0), policies)
    assert (verdict.policy, verdict.outcome, verdict.action) == ("built-in", Outcome.REVIEW, Action.ADVISE)
    assert decide(made(), []).policy == "built-in"


def test_every_artefact_and_finding_has_words() -> None:
    assert set(ATTRIBUTE_WORDS) == set(ATTRIBUTES)
    assert set(FINDING_WORDS) == set(FindingCode)


@pytest.mark.parametrize("sentence", [*(p.whole for p in ATTRIBUTE_WORDS.values()), *FINDING_WORDS.values()])
def test_words_are_calm(sentence: str) -> None:
    assert sentence[0].isupper()
    assert sentence[-1] not in ".!?"


@given(
    score=st.none() | st.floats(),
    attributes=st.dictionaries(st.sampled_from(ATTRIBUTES), st.floats(), max_size=6),
    scores=st.lists(st.none() | st.floats(0, 100), max_size=30),
    severity=st.sampled_from(Severity),
    code=st.sampled_from(FindingCode),
)
def test_a_flag_always_has_a_reason(
    score: float | None, attributes: dict[str, float], scores: list[float | None], severity: Severity, code: FindingCode
) -> None:
    stack = slices(*((1, s) for s in scores))
    assessment = made(score, attributes=attributes, slices=stack, findings=(Finding(code, severity, ""),))
    verdict = decide(assessment, [SITE])
    assert verdict == decide(assessment, [SITE])
    assert bool(verdict.reasons) == (verdict.outcome is not Outcome.ACCEPT)
    assert all(reason and "\n" not in reason for reason in verdict.reasons)
    assert len(set(verdict.reasons)) == len(verdict.reasons)
