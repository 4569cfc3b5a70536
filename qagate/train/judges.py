"""Judges: what each judge of a bundle says by itself, and what the others say without it, on the samples of a test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from qagate.score.heard import Heard as Said
from qagate.score.scorer import Scorer
from qagate.train.claims import NOT_RUN
from qagate.train.evaluate import Scores
from qagate.train.heard import MODEL, Heard, compare


def measure(tests: Mapping[str, Heard], scorer: Scores, resamples: int) -> dict[str, Any] | str:
    """Return test → figures of the model, of each judge alone and of the others without it; why not, as a sentence."""
    if not isinstance(scorer, Scorer) or scorer.model.assessor is None:
        return f"{NOT_RUN}: the model has no judges but its network"
    return {name: _measured(heard, scorer, resamples) for name, heard in tests.items()}


def _measured(heard: Heard, scorer: Scorer, resamples: int) -> dict[str, Any]:
    each = [variants(said, scorer) for said in heard.said]
    predicted = {name: np.array([one[name] for one in each]) for name in each[0]}
    return compare(Heard(heard.samples, [], {MODEL: heard.predicted[MODEL], **predicted}), resamples)


def variants(heard: Said, scorer: Scorer) -> dict[str, float]:
    """Return what is said of one volume, 0-100, by each judge that the bundle has alone, and without each of them."""
    calibration = scorer.model.calibration
    share = calibration.worst_share
    network, assessor, practised = heard.network(share), heard.assessor(share), heard.practised(share)
    said: dict[str, npt.ArrayLike] = {"network alone": network}
    if assessor is not None:
        said["assessor alone"] = assessor
    if practised is not None:
        said["practised eye alone"] = practised
        said["no assessor"] = calibration.mixed(network, None, practised, heard.modality)
        said["no practised eye"] = calibration.mixed(network, assessor, None, heard.modality)
    return {name: float(calibration.score(np.asarray(value)[0])) for name, value in said.items()}
