from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
import yaml

import qagate.report
from qagate.domain.decision import (
    MOST_NOTE,
    REASONS,
    Decision,
    Kind,
    Quality,
    Sampling,
    State,
    Wish,
    agrees,
    settled,
    standing,
)
from qagate.domain.verdict import Outcome
from qagate.errors import DecisionRefused

A, V, R, U = Outcome.ACCEPT, Outcome.REVIEW, Outcome.REJECT, Outcome.UNSCORED


@pytest.mark.parametrize(
    ("wish", "outcome", "quality"),
    [
        (Wish(Kind.AGREE), A, Quality.GOOD),
        (Wish(Kind.AGREE), V, Quality.LIMITED),
        (Wish(Kind.AGREE), R, Quality.UNUSABLE),
        (Wish(Kind.AGREE), U, None),
        (Wish(Kind.AGREE, quality=Quality.UNUSABLE), V, Quality.UNUSABLE),  # worse than said, and still flagged
        (Wish(Kind.DISAGREE, "motion_blur"), A, Quality.LIMITED),
        (Wish(Kind.DISAGREE, "motion_blur", Quality.UNUSABLE), A, Quality.UNUSABLE),
        (Wish(Kind.DISAGREE, "good_enough"), V, Quality.GOOD),
        (Wish(Kind.DISAGREE, "wrong_kind"), U, None),
        (Wish(Kind.REJECT, "artifact"), A, Quality.UNUSABLE),
        (Wish(Kind.GRADE, quality=Quality.LIMITED), A, Quality.LIMITED),
        (Wish(Kind.REPEAT), V, None),
        (Wish(Kind.NOTE, note="seen with the physicist"), V, None),
    ],
)
def test_what_a_wish_means(wish, outcome, quality):
    assert settled(wish, outcome, hidden=False) is quality


@pytest.mark.parametrize(
    ("wish", "outcome", "hidden", "part"),
    [
        (Wish(Kind.DISAGREE), V, False, "needs a reason"),
        (Wish(Kind.REJECT), V, False, "needs a reason"),
        (Wish(Kind.DISAGREE, "motion_blur"), V, False, "cannot be so for this reason"),  # a fault of good images
        (Wish(Kind.DISAGREE, "good_enough"), A, False, "cannot be so for this reason"),
        (Wish(Kind.AGREE, quality=Quality.GOOD), V, False, "is not to call"),
        (Wish(Kind.REJECT, "artifact", Quality.GOOD), V, False, "unusable"),
        (Wish(Kind.GRADE), V, False, "needs its quality"),
        (Wish(Kind.AGREE), A, True, "is hidden"),  # nobody agrees with what is not shown
        (Wish(Kind.NOTE, note=" "), A, False, "needs its text"),
        (Wish(Kind.NOTE, note="x" * (MOST_NOTE + 1)), A, False, "characters"),
        (Wish(Kind.AGREE, "boredom"), A, False, "must be one of"),
        (Wish(Kind.UNDO), A, False, "by its number"),
    ],
)
def test_what_makes_no_sense(wish, outcome, hidden, part):
    with pytest.raises(DecisionRefused, match=part):
        settled(wish, outcome, hidden=hidden)


def test_agreement():
    assert [agrees(q, A) for q in Quality] == [True, False, False]
    assert [agrees(q, R) for q in Quality] == [False, True, True]
    assert agrees(Quality.GOOD, U) is None


ONE = Decision(
    1, "1.2", datetime(2026, 11, 22, tzinfo=UTC), "anna", Kind.AGREE, "", None, "", 2, V, 41.0, "m", "p", False
)


def said(*given: tuple[str, Kind] | tuple[str, Kind, dict]) -> list[Decision]:
    return [
        replace(ONE, id=i, person=person, kind=kind, **(more[0] if more else {}))
        for i, (person, kind, *more) in enumerate(given, 1)
    ]


@pytest.mark.parametrize(
    ("given", "two", "state"),
    [
        ((), False, State.OPEN),
        ((("a", Kind.NOTE), ("a", Kind.REPEAT)), False, State.OPEN),  # no opinions
        ((("a", Kind.AGREE),), False, State.AGREED),
        ((("a", Kind.AGREE), ("b", Kind.DISAGREE)), False, State.DISAGREED),  # the last stands
        ((("a", Kind.AGREE, {"undone": True}),), False, State.OPEN),
        ((("a", Kind.AGREE, {"revision": 1}),), False, State.OPEN),  # of a revision before
        ((("a", Kind.REJECT),), False, State.REJECTED),
        ((("a", Kind.REJECT),), True, State.PROPOSED),
        ((("a", Kind.REJECT), ("a", Kind.REJECT)), True, State.PROPOSED),  # twice the same person is one
        ((("a", Kind.REJECT), ("a/laptop", Kind.REJECT)), True, State.PROPOSED),  # nor is their token another
        ((("a", Kind.REJECT), ("b", Kind.REJECT)), True, State.REJECTED),
        ((("a", Kind.REJECT), ("c", Kind.NOTE), ("b", Kind.REJECT)), True, State.REJECTED),
        ((("a", Kind.REJECT), ("c", Kind.AGREE), ("b", Kind.REJECT)), True, State.PROPOSED),  # asked anew
        ((("a", Kind.REJECT), ("b", Kind.REJECT, {"undone": True})), True, State.PROPOSED),
        # a release ends the rejections before it
        ((("a", Kind.REJECT), ("b", Kind.RELEASE)), False, State.OPEN),
        ((("a", Kind.REJECT), ("b", Kind.RELEASE), ("a", Kind.REJECT)), False, State.REJECTED),
        ((("a", Kind.REJECT), ("b", Kind.RELEASE), ("b", Kind.REJECT)), True, State.PROPOSED),
        ((("a", Kind.REJECT), ("b", Kind.REJECT), ("c", Kind.RELEASE), ("a", Kind.REJECT)), True, State.PROPOSED),
        ((("a", Kind.AGREE), ("b", Kind.REJECT), ("c", Kind.RELEASE)), False, State.AGREED),  # no rejection: it stands
        ((("a", Kind.GRADE, {"quality": Quality.GOOD}),), False, State.DISAGREED),  # the verdict was Look
        ((("a", Kind.GRADE, {"quality": Quality.LIMITED}),), False, State.AGREED),
    ],
)
def test_where_a_series_stands(given, two, state):
    assert standing(said(*given), 2, asked=True, two_person=two) is state


def test_nobody_was_asked():
    assert standing([], 1, asked=False, two_person=False) is State.UNASKED


def test_fault_reasons_are_those_of_the_notes():
    text = (qagate.report.__path__[0] + "/codes.yaml", "utf-8")
    with open(text[0], encoding=text[1]) as file:
        codes = yaml.safe_load(file)["ko_reasons"]
    for reason in REASONS.values():
        if reason.fault:
            assert codes[reason.key] == [reason.scheme, reason.value, reason.meaning]


def test_the_draw_is_fair_and_always_the_same():
    sampling = Sampling(accepted=0.1, flagged=0.5)
    uids = [f"1.2.{i}" for i in range(2000)]
    drawn = [sampling.draws(uid, 1, A) for uid in uids]
    assert 150 < sum(drawn) < 250  # 200 of 2000, more than 3.5 standard deviations (13.4) either way
    assert drawn == [sampling.draws(uid, 1, A) for uid in uids]
    assert 900 < sum(sampling.draws(uid, 1, V) for uid in uids) < 1100
    assert not any(sampling.draws(uid, 1, U) for uid in uids)
    assert not any(Sampling().draws(uid, 1, A) for uid in uids)
