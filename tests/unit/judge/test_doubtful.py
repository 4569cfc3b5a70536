from __future__ import annotations

import pytest

from qagate.judge.decide import FALLBACK
from qagate.judge.doubtful import doubtful
from qagate.settings import DEFAULT_POLICIES, Policy


@pytest.mark.parametrize(
    ("policy", "sentence"),
    [
        ({"match": {"region": ["abdomn", "chest"]}}, "match.region knows no 'abdomn'"),
        ({"match": {"modality": ["PET"]}}, "match.modality knows no 'PET'"),
        ({"match": {"organ": []}}, "match.organ is an empty list, which no series matches"),
        ({"match": {"ae_title": []}}, "match.ae_title is an empty list, which no series matches"),
        ({"attributes": {"nois": 0.5}}, "attributes knows no 'nois'"),
        ({"findings": ["missing_slice"]}, "findings knows no 'missing_slice'"),
        ({"review_below": 20, "reject_below": 60}, "reject_below 60 does nothing above review_below 20"),
    ],
)
def test_what_can_never_count_is_said(policy, sentence):
    assert doubtful([Policy.model_validate({"name": "ours", **policy})]) == (f"ours: {sentence}",)


def test_what_counts_is_not_doubted():
    ours = Policy.model_validate(
        {
            "name": "ours",
            "match": {"modality": [" ct "], "region": ["Abdomen"], "sequence": ["t1"], "ae_title": ["CT*"]},
            "attributes": {"noise": 0.5},
            "review_below": 50,
            "reject_below": 50,
        }
    )
    assert doubtful([*DEFAULT_POLICIES, FALLBACK, ours]) == ()
