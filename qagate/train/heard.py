"""Heard: the samples of a test with what everybody says of them, and the figures of that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from qagate.domain.assessment import Estimate
from qagate.score.heard import Heard as Said
from qagate.score.scorer import Scorer
from qagate.train import baselines, bootstrap, metrics
from qagate.train.evaluate import FIGURES, Scores
from qagate.train.sampling import Sample

MODEL = "model"
SEEDS = {"learned": 50, "T0": 51, "T1": 52, "T3": 53, "T2": 54, "T7": 57}
"""Test → seed of its samples, so that every command judges the same ones."""


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """Samples with what the model and the baselines say of them. predicted: name → (items,).

    said: what each judge of the model said of each, none when it has no judges.
    """

    samples: list[Sample]
    estimates: list[Estimate]
    predicted: dict[str, npt.NDArray[np.float64]]
    said: list[Said] = field(default_factory=list)

    @property
    def quality(self) -> npt.NDArray[np.float64]:
        """The truth, 0-100: (items,)."""
        return np.array([s.quality for s in self.samples])

    @property
    def subjects(self) -> npt.NDArray[np.str_]:
        """(items,) names of subjects."""
        return np.array([s.subject for s in self.samples])

    def some(self, chosen: npt.NDArray[np.bool_]) -> Heard:
        """Return a part of the samples."""
        at = np.flatnonzero(chosen)
        return Heard(
            [self.samples[i] for i in at],
            [self.estimates[i] for i in at],
            {name: values[at] for name, values in self.predicted.items()},
            [self.said[i] for i in at] if self.said else [],
        )


def hear(samples: Iterable[Sample], scorer: Scores, fitted: dict[str, baselines.Predict]) -> Heard:
    """Return what everybody says of the samples."""
    kept, estimates, said = [], [], []
    for sample in samples:
        kept.append(sample)
        if isinstance(scorer, Scorer):
            said.append(scorer.hear(sample.volume, sample.prompt))
            estimates.append(scorer.conclude(said[-1], sample.volume, sample.prompt))
        else:
            estimates.append(scorer.score(sample.volume, sample.prompt))
    predicted = {MODEL: np.array([e.score for e in estimates])}
    if fitted and kept:
        features = baselines.describe(kept)
        predicted |= {name: predict(features) for name, predict in fitted.items()}
    return Heard(kept, estimates, predicted, said)


def fit_baselines(samples: list[Sample]) -> dict[str, baselines.Predict]:
    """Return every baseline fitted on samples, or none of them without scikit-learn."""
    try:
        import sklearn  # noqa: F401
    except ImportError:
        return {}
    features, target = baselines.describe(samples), np.array([s.quality for s in samples])
    return {name: fit(features, target) for name, fit in baselines.BASELINES.items()}


def compare(
    heard: Heard,
    resamples: int,
    curve: dict[str, Callable[[npt.ArrayLike], npt.NDArray[np.float64]]] | None = None,
    lead: str = MODEL,
) -> dict[str, Any]:
    """Return figures with intervals for everybody, and the lead of `lead` over each other one in SRCC.

    RMSE is on 0-1. curve: logistics fitted on T0, for the PLCC after them.
    """
    truth, subjects = heard.quality / 100.0, heard.subjects
    rows: dict[str, Any] = {}
    for name, values in heard.predicted.items():
        said = values / 100.0
        found = metrics.agreement(said, truth, np.array([s.content for s in heard.samples]))
        intervals = bootstrap.intervals(FIGURES, said, truth, subjects, resamples=resamples)
        rows[name] = {
            **{key: interval.as_dict() for key, interval in intervals.items()},
            "rmse": found.rmse,
            "rmse_sd": found.rmse_sd,
            "pair_accuracy": found.pair_accuracy,
            "srcc_within": found.srcc_within,
            "plcc_fitted": metrics.plcc(curve[name](values), truth) if curve and name in curve else None,
        }
        if name != lead:
            ahead = bootstrap.paired_difference(
                metrics.srcc, heard.predicted[lead], values, truth, subjects, resamples=resamples
            )
            rows[name][f"{lead}_leads_by_srcc"] = ahead.as_dict()
    return {"n": len(truth), "subjects": len(set(subjects)), "sd": float(truth.std()), "rows": rows}


def compare_families(families: Mapping[str, Heard], resamples: int) -> dict[str, Any]:
    """Return the figures of all families of artefacts together, and rows of each by its name under "each"."""
    names = list(next(iter(families.values())).predicted)
    together = Heard(
        [s for heard in families.values() for s in heard.samples],
        [],
        {who: np.concatenate([heard.predicted[who] for heard in families.values()]) for who in names},
    )
    each = {name: compare(heard, resamples)["rows"] for name, heard in families.items()}
    return {**compare(together, resamples), "each": each}
