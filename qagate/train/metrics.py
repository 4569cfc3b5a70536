"""How well predicted quality agrees with reference quality.

Every figure is a pure function of two arrays of the same length. Predictions that do not vary (or references that do
not) carry no information about order: correlations are then 0.0, never NaN, so that a table can always be made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats

from qagate.errors import InputError

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Agreement:
    """All figures for one set of predictions. Correlations and pair accuracy: higher is better; errors: lower.

    rmse is in units of the reference; rmse_sd is rmse over the reference's standard deviation, so that 1.0 is what
    predicting the mean would give. plcc_fitted and rmse_fitted are after a 4-parameter logistic fitted on these very
    data (as video quality experts do for scores on another scale): for zero-shot figures only. srcc_within is the
    mean over contents (groups) of the SRCC inside one content, None without contents of at least three items.
    """

    srcc: float
    krocc: float
    plcc: float
    plcc_fitted: float
    rmse: float
    rmse_sd: float
    rmse_fitted: float
    rmse_sd_fitted: float
    pair_accuracy: float
    srcc_within: float | None
    n: int

    def as_dict(self) -> dict[str, float | int | None]:
        """Return the figures by name."""
        return asdict(self)


def agreement(predicted: npt.ArrayLike, reference: npt.ArrayLike, groups: npt.ArrayLike | None = None) -> Agreement:
    """Return every figure. Raises InputError when there are fewer than three items or the lengths differ."""
    p, r = checked(predicted, reference)
    fitted = fit_logistic(p, r)(p)
    return Agreement(
        srcc=srcc(p, r),
        krocc=krocc(p, r),
        plcc=plcc(p, r),
        plcc_fitted=plcc(fitted, r),
        rmse=rmse(p, r),
        rmse_sd=rmse_sd(p, r),
        rmse_fitted=rmse(fitted, r),
        rmse_sd_fitted=rmse_sd(fitted, r),
        pair_accuracy=pair_accuracy(p, r),
        srcc_within=None if groups is None else srcc_within(p, r, groups),
        n=len(r),
    )


def checked(predicted: npt.ArrayLike, reference: npt.ArrayLike) -> tuple[Array, Array]:
    """Return both as finite float64 vectors. Raises InputError when they cannot be compared."""
    p, r = np.asarray(predicted, np.float64).ravel(), np.asarray(reference, np.float64).ravel()
    if len(p) != len(r) or len(r) < 3:
        raise InputError(f"agreement needs at least three pairs of one length, got {len(p)} and {len(r)}")
    if not (np.isfinite(p).all() and np.isfinite(r).all()):
        raise InputError(
            f"scores must be finite, got {int((~np.isfinite(p)).sum() + (~np.isfinite(r)).sum())} that are not"
        )
    return p, r


def plcc(predicted: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Return Pearson's linear correlation, -1..1."""
    p, r = np.asarray(predicted, np.float64), np.asarray(reference, np.float64)
    if _flat(p) or _flat(r):
        return 0.0
    p, r = p - p.mean(), r - r.mean()
    return float(np.clip(p @ r / np.sqrt((p @ p) * (r @ r)), -1.0, 1.0))


def _flat(values: Array) -> bool:
    """Return whether values vary no more than by rounding: a constant minus its own mean is not always exactly 0."""
    return float(np.std(values)) <= 1e-14 * float(np.abs(values).max(initial=0.0))


def srcc(predicted: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Return Spearman's rank correlation, -1..1; ties get their mean rank."""
    return plcc(stats.rankdata(predicted), stats.rankdata(reference))


def krocc(predicted: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Return Kendall's rank correlation tau-b, -1..1."""
    tau = float(stats.kendalltau(np.asarray(predicted), np.asarray(reference)).statistic)
    return tau if np.isfinite(tau) else 0.0


def rmse(predicted: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Return the root mean squared error in units of the reference."""
    return float(np.sqrt(np.mean((np.asarray(predicted, np.float64) - np.asarray(reference, np.float64)) ** 2)))


def rmse_sd(predicted: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Return rmse over the population SD of the reference; infinite when the reference does not vary."""
    r = np.asarray(reference, np.float64)
    return float("inf") if _flat(r) else rmse(predicted, r) / float(np.std(r))


def pair_accuracy(predicted: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Return the share of pairs with different reference that are ordered alike, 0..1; a predicted tie counts half."""
    p, r = np.asarray(predicted, np.float64), np.asarray(reference, np.float64)
    right, total = 0.0, 0
    for i in range(len(r) - 1):
        difference = np.sign(r[i + 1 :] - r[i])
        agreed = difference * np.sign(p[i + 1 :] - p[i])
        counted = difference != 0
        right += float(np.sum((agreed[counted] + 1) / 2))
        total += int(counted.sum())
    return right / total if total else 0.5


def srcc_within(predicted: npt.ArrayLike, reference: npt.ArrayLike, groups: npt.ArrayLike) -> float | None:
    """Return the mean SRCC inside each group of three or more items with varying reference; None without one."""
    p, r, g = np.asarray(predicted, np.float64), np.asarray(reference, np.float64), np.asarray(groups)
    inside = [
        srcc(p[g == name], r[g == name]) for name in np.unique(g) if (g == name).sum() >= 3 and np.ptp(r[g == name]) > 0
    ]
    return float(np.mean(inside)) if inside else None


def auc(scores: npt.ArrayLike, positive: npt.ArrayLike) -> float | None:
    """Return the area under the ROC curve of `scores` being higher where `positive`; None without both classes."""
    s, y = np.asarray(scores, np.float64), np.asarray(positive, bool)
    ones, zeros = int(y.sum()), int((~y).sum())
    if not ones or not zeros:
        return None
    return float((stats.rankdata(s)[y].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def fit_logistic(predicted: npt.ArrayLike, reference: npt.ArrayLike) -> Callable[[npt.ArrayLike], Array]:
    """Return the logistic b2 + (b1 - b2) / (1 + exp(-(x - b3) / b4)) that maps predictions to the reference.

    Falls back to the straight least-squares line when the logistic fits no better. Source: VQEG FR-TV Phase II, 2003.
    """
    p, r = np.asarray(predicted, np.float64), np.asarray(reference, np.float64)
    spread = float(p.std())
    if spread == 0:
        return lambda x: np.full(np.shape(x), r.mean())
    slope = float(np.cov(p, r, bias=True)[0, 1]) / spread**2
    centre, level = float(p.mean()), float(r.mean())

    def line(x: npt.ArrayLike) -> Array:
        return level + slope * (np.asarray(x, np.float64) - centre)

    def curve(b: Array, x: npt.ArrayLike) -> Array:
        return np.asarray(b[1] + (b[0] - b[1]) * special.expit((np.asarray(x, np.float64) - b[2]) / b[3]))

    up, down = (float(r.max()), float(r.min())) if slope >= 0 else (float(r.min()), float(r.max()))
    start = np.array([up, down, centre, spread])
    scale = np.array([max(up - down, down - up, 1e-12)] * 2 + [spread] * 2)
    found = optimize.least_squares(lambda b: curve(b, p) - r, start, x_scale=scale, max_nfev=400)
    best: Array = found.x
    if not np.isfinite(best).all() or best[3] == 0 or rmse(curve(best, p), r) > rmse(line(p), r):
        return line
    return lambda x: curve(best, x)
