"""Judging with a network whose numbers are none."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qagate.assemble.series import read_series
from qagate.demo.write import write_series
from qagate.domain.assessment import Estimate, ModelIdentity
from qagate.domain.verdict import Outcome
from qagate.prompt.rules import load_rules
from qagate.settings import Settings
from qagate.work.assessing import assess

MODEL = ModelIdentity("made", "1.0", "ab" * 32)


class Says:
    """A network that says what it is told to say."""

    identity = MODEL

    def __init__(self, **changes: Any) -> None:
        self.changes = changes

    def score(self, volume: Any, prompt: Any) -> Estimate:
        count = len(volume.voxels)
        said = {
            "score": 71.0, "interval": (60.0, 80.0), "attributes": {"noise": 0.1}, "heatmap": None, "in_domain": True,
            "slice_scores": np.full(count, 70.0, np.float32), "out_of_domain": 0.1, "model": MODEL,
        }  # fmt: skip
        return Estimate(**(said | self.changes))


@pytest.fixture
def series(tmp_path: Path) -> Any:
    voxels = np.random.default_rng(0).integers(-200, 200, (6, 48, 48)).astype(np.int16)
    return read_series(write_series(voxels, (5.0, 2.0, 2.0), tmp_path, modality="CT", description="abdomen"))


@pytest.mark.parametrize(
    "changes",
    [
        {"score": math.nan},
        {"score": math.inf},
        {"interval": (math.nan, 80.0)},
        {"attributes": {"noise": math.nan}},
        {"out_of_domain": math.nan, "in_domain": False},
    ],
)
def test_numbers_that_are_none_are_no_score(series: Any, changes: dict[str, Any]) -> None:
    """They stood in the report as a rating, and no database takes them."""
    (judged,) = assess(series, load_rules(), Says(**changes), Settings())  # type: ignore[arg-type]
    assert judged.verdict.outcome is Outcome.UNSCORED
    assert judged.verdict.reasons == (
        "The network could not score it: its answer must be numbers, got nan or infinity",
    )
    assert judged.assessment.score is None
    assert judged.assessment.attributes == {}


def test_numbers_are_a_score(series: Any) -> None:
    (judged,) = assess(series, load_rules(), Says(), Settings())  # type: ignore[arg-type]
    assert (judged.assessment.score, judged.verdict.outcome) == (71.0, Outcome.ACCEPT)
    json.dumps(judged.assessment.attributes, allow_nan=False)
