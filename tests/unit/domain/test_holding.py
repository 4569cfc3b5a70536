from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from qagate.domain.holding import (
    CAUSE_WORDS,
    REJECTION_REASONS,
    Arrival,
    Cause,
    Held,
    Hold,
    Restamp,
    after,
    is_urgent,
    on_arrival,
)
from qagate.domain.verdict import Action, Outcome
from qagate.report import codes
from qagate.settings import Holding, Match, Policy

CT = "1.2.840.10008.5.1.4.1.1.2"
T0 = datetime(2026, 11, 22, 9, 40, tzinfo=UTC)
ACCEPT, REVIEW, REJECT, UNSCORED = Outcome.ACCEPT, Outcome.REVIEW, Outcome.REJECT, Outcome.UNSCORED
HOLD, ADVISE = Action.HOLD, Action.ADVISE


def policy(name: str, action: str = "hold", seconds: float = 900, **match: tuple[str, ...]) -> Policy:
    # past the validator, which is another test's
    return Policy(name=name, match=Match(**match), hold_seconds=seconds).model_copy(update={"action": action})


def arrival(**named) -> Arrival:
    return Arrival(**{"sop_class_uid": CT, "modality": "CT", "calling_ae_title": "CT1", **named})


GATE = policy("gate")
ABDOMEN = policy("abdomen", seconds=300, region=("abdomen",))


@pytest.mark.parametrize(
    ("policies", "what", "answer"),
    [
        ([GATE], {}, Hold("gate", 900)),
        ([], {}, Cause.NO_POLICY),
        ([policy("a", "advise")], {}, Cause.NO_POLICY),
        # the first that surely matches decides: what is behind it never does
        ([policy("a", "advise"), GATE], {}, Cause.NO_POLICY),
        ([policy("a", "advise", modality=("MR",)), GATE], {}, Hold("gate", 900)),
        # the region is not known yet: it may be the abdomen's policy, and its deadline is the shorter one
        ([ABDOMEN, GATE], {}, Hold("abdomen", 300)),
        ([ABDOMEN, policy("a", "advise")], {}, Hold("abdomen", 300)),
        ([policy("a", "advise", region=("chest",)), GATE], {}, Hold("gate", 900)),
        ([policy("er", "advise", ae_title=("ER*",)), GATE], {"calling_ae_title": "er_ct"}, Cause.NO_POLICY),
        ([policy("knee", protocol=("*knee*",))], {"protocol": "Brain"}, Cause.NO_POLICY),
        ([policy("knee", protocol=("*knee*",))], {"protocol": "MR KNEE L"}, Hold("knee", 900)),
        # what cannot be scored never waits
        ([GATE], {"sop_class_uid": "1.2.840.10008.5.1.4.1.1.88.67", "modality": "SR"}, Cause.NOT_OURS),
        ([GATE], {"sop_class_uid": "1.2.840.10008.5.1.4.1.1.7"}, Cause.NOT_OURS),  # a screenshot that says CT
        ([GATE], {"modality": "PT"}, Cause.NOT_OURS),
        ([GATE], {"priority": "STAT"}, Cause.STAT),
        ([GATE], {"calling_ae_title": "ANGIO1"}, Cause.ALWAYS),
        ([GATE], {"station_name": "shockroom2"}, Cause.ALWAYS),
    ],
)
def test_what_waits(policies, what, answer):
    holding = Holding(always_forward=("ANGIO*", "SHOCKROOM2"))
    assert on_arrival(arrival(**what), policies, holding) == answer


@pytest.mark.parametrize(
    ("what", "urgent"),
    [
        ({}, False),
        ({"priority": "stat "}, True),
        ({"priority": "HIGH"}, True),
        ({"priority": "ROUTINE"}, False),
        ({"descriptions": ("CT Head (STAT)",)}, True),
        ({"descriptions": ("Static phase", "Prostatitis")}, False),  # "stat" is a word of its own there, never a part
        ({"descriptions": ("Code stroke head",)}, True),
        ({"procedure_codes": ("24727-0",)}, False),
        ({"procedure_codes": ("ER-1",)}, True),
    ],
)
def test_what_is_urgent(what, urgent):
    assert is_urgent(arrival(**what), Holding(stat_procedure_codes=("ER-1",))) is urgent


@pytest.mark.parametrize(
    ("words", "description", "urgent"),
    [
        ("緊急", "緊急頭部CT", True),  # no spaces around words there
        ("急诊", "急诊胸部平扫", True),
        ("응급", "응급복부", True),
        ("ฉุกเฉิน", "CTฉุกเฉินสมอง", True),
        ("緊急", "頭部CT", False),
        ("ｷﾝｷｭｳ", "キンキュウ頭部CT", True),  # of half width, as scanners without a Kanji set write it
        ("・", "頭部CT", False),  # no letter at all
        ("stat", "ＳＴＡＴ　頭部", True),
        ("Notfall", "Notfall CCT", True),
        ("", "CCT", False),
    ],
)
def test_urgent_words_of_a_site(words, description, urgent):
    assert is_urgent(arrival(descriptions=(description,)), Holding(stat_words=(words,))) is urgent


@pytest.mark.parametrize(
    ("state", "answers", "seconds", "answer"),
    [
        ("receiving", (), 10, None),
        ("queued", (), 899, None),
        ("receiving", (), 900, Cause.DEADLINE),
        ("queued", (), 900, Cause.DEADLINE),
        ("excluded", (), 10, Cause.EXCLUDED),
        ("failed", (), 10, Cause.FAILED),
        ("scored", ((ACCEPT, HOLD),), 10, Cause.ACCEPTED),
        ("delivered", ((ACCEPT, HOLD),), 10, Cause.ACCEPTED),
        ("delivered", ((UNSCORED, HOLD),), 10, Cause.UNSCORED),
        ("delivered", ((UNSCORED, HOLD), (ACCEPT, HOLD)), 10, Cause.ACCEPTED),
        ("delivered", ((ACCEPT, HOLD), (REVIEW, HOLD)), 10, None),
        ("delivered", ((REJECT, HOLD),), 899, None),
        ("delivered", ((REJECT, HOLD),), 900, Cause.DEADLINE),
        # judged by another policy than it was held for
        ("delivered", ((REVIEW, ADVISE),), 10, Cause.NO_POLICY),
        # late images came: the answer that is there is about others
        ("receiving", ((ACCEPT, HOLD),), 10, None),
    ],
)
def test_what_lets_go(state, answers, seconds, answer):
    held = Held(T0, T0 + timedelta(seconds=900), state, answers)
    assert after(held, T0 + timedelta(seconds=seconds)) == answer


def test_a_clock_that_stepped_back_adds_its_step_to_no_deadline():
    held = Held(T0, T0 + timedelta(seconds=900), "queued")
    hour_ago = T0 - timedelta(hours=1)
    assert after(held, hour_ago) == Restamp(hour_ago, hour_ago + timedelta(seconds=900))


def test_every_cause_has_words_and_every_reason_a_code():
    assert set(CAUSE_WORDS) == set(Cause)
    assert set(REJECTION_REASONS) == set(codes.load().reasons)
