"""Usable: what scores are good for beside their order (T7 of the benchmark): intervals, artefacts, slices, doubt."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from qagate.train import metrics
from qagate.train.degrade import REGISTRY
from qagate.train.heard import MODEL, Heard

PRESENT = 0.3
"""Strength from which an artefact counts as present."""


def risk_coverage(width: npt.NDArray[np.float64], error: npt.NDArray[np.float64]) -> list[list[float]]:
    """Return (share kept, mean error of what is kept) when the surest are kept, for tenths of all."""
    by_width = error[np.argsort(width, kind="stable")]
    kept = [max(1, round(len(error) * tenth / 10)) for tenth in range(1, 11)]
    return [[count / len(error), float(by_width[:count].mean())] for count in kept]


def calibration(said: npt.NDArray[np.float64], truth: npt.NDArray[np.float64], parts: int = 8) -> list[list[float]]:
    """Return (mean score, mean truth, count) of equal parts from the lowest scores to the highest."""
    pieces = [piece for piece in np.array_split(np.argsort(said, kind="stable"), parts) if len(piece)]
    return [[float(said[piece].mean()), float(truth[piece].mean()), float(len(piece))] for piece in pieces]


def usable(heard: Heard, other: Heard, local: Heard) -> dict[str, Any]:
    """Return T7: coverage of intervals, risk by interval width, AUC of artefacts and of slices."""
    found: dict[str, Any] = {}
    for name, part in (("T1", heard), ("T3", other)):
        ends = np.array([e.interval for e in part.estimates]).reshape(-1, 2)
        truth = part.quality
        error = np.abs(part.predicted[MODEL] - truth)
        width = ends[:, 1] - ends[:, 0]
        sure = width <= np.median(width)
        found[f"interval {name}"] = {
            "nominal": 0.9,
            "coverage": float(((truth >= ends[:, 0]) & (truth <= ends[:, 1])).mean()),
            "mean_width": float(width.mean()),
            "mean_error": float(error.mean()),
            "mean_error_of_the_surer_half": float(error[sure].mean()),
            "out_of_domain_share": float(np.mean([not e.in_domain for e in part.estimates])),
            "risk_coverage": risk_coverage(width, error),
            "calibration": calibration(part.predicted[MODEL], truth),
        }
    attributes: dict[str, Any] = {}
    for attribute in sorted({a.attribute for a in REGISTRY.values()}):
        scores, present = [], []
        for sample, estimate in zip(heard.samples, heard.estimates, strict=True):
            strengths = [v for n, v in sample.artefacts.items() if REGISTRY[n].attribute == attribute]
            if attribute not in estimate.attributes or (strengths and max(strengths) < PRESENT):
                continue  # barely there: neither present nor absent
            scores.append(estimate.attributes[attribute])
            present.append(bool(strengths))
        value = metrics.auc(scores, present) if scores else None
        attributes[attribute] = {"auc": value, "present": int(sum(present)), "absent": int(len(present) - sum(present))}
    known = [a["auc"] for a in attributes.values() if a["auc"] is not None]
    found["attribute_auc"] = {"mean": float(np.mean(known)) if known else None, "each": attributes}
    places = [
        metrics.auc(-estimate.slice_scores, sample.affected)
        for sample, estimate in zip(local.samples, local.estimates, strict=True)
        if sample.affected is not None and np.isfinite(estimate.slice_scores).all()
    ]
    seen = [value for value in places if value is not None]
    found["slice_auc"] = {"mean": float(np.mean(seen)) if seen else None, "volumes": len(seen)}
    return found
