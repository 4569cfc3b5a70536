"""Calibration: from what the network says to a score with an interval, and whether it may say anything at all.

temperature: the bins' logits are divided by it (fit by likelihood on the select part).
knots: network score 0..1 → score 0-100, monotone, straight between knots.
multiples: half width of a 90 % interval in units of the spread of the bins, by modality (from subjects apart, each
residual divided by its own spread, after Lei et al., JASA 2018; few subjects, so coverage is measured, not guaranteed).
mean, directions: of the pooled features of training, for the distance of a volume from all of them (Mahalanobis 1936).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

NARROWEST = 2.0
"""Least spread, 0-100, that is believed."""


def weighed(shares: Iterable[Any], said: Iterable[Any]) -> npt.NDArray[np.float64]:
    """Return the mean of what judges say, by their shares. Who says nothing leaves its share to the rest.

    shares: of each judge, a number or an array as large as what is said; said: numbers or arrays, None for nothing. The
    first judge who speaks stands for all where nobody who speaks has a share.
    """
    each = [
        (share, np.asarray(value, np.float64)) for share, value in zip(shares, said, strict=True) if value is not None
    ]
    first = each[0][1]
    weight, total = np.zeros(first.shape), np.zeros(first.shape)
    for share, value in each:
        weight, total = weight + share, total + share * value
    return np.where(weight > 0.0, total / np.where(weight > 0.0, weight, 1.0), first)


@dataclass(frozen=True, slots=True)
class Calibration:
    """All numbers of the calibration; the defaults say nothing and trust nothing (three spreads, always in domain).

    directions: (k, c) rows that turn centred features into unit variance. usual: the distance of an ordinary volume,
    unusual: the distance from which a volume is out of domain. worst_share: part of the score that the worst fifth of
    a volume's slabs has. assessor_share, practised_share: what part of the score the assessor and the practised eye
    have, by modality; the rest is the network's. grade_share, practised_grade_share: what part of the grades.
    """

    temperature: float = 1.0
    knots_from: tuple[float, ...] = (0.0, 1.0)
    knots_to: tuple[float, ...] = (0.0, 100.0)
    multiples: Mapping[str, float] = field(default_factory=lambda: {"CT": 3.0, "MR": 3.0})
    mean: tuple[float, ...] = ()
    directions: tuple[tuple[float, ...], ...] = ()
    usual: float = 1.0
    unusual: float = 2.0
    worst_share: float = 0.25
    assessor_share: Mapping[str, float] = field(default_factory=lambda: {"CT": 0.0, "MR": 0.0})
    practised_share: Mapping[str, float] = field(default_factory=lambda: {"CT": 0.0, "MR": 0.0})
    grade_share: float = 0.0
    practised_grade_share: float = 0.0

    def mixed(
        self,
        network: npt.ArrayLike,
        assessor: npt.ArrayLike | None,
        practised: npt.ArrayLike | None,
        modality: str | Sequence[str],
    ) -> npt.NDArray[np.float64]:
        """Return what all say together: a mean by their shares. A judge that is not there leaves its share to the rest.

        network, assessor, practised: of one volume, or (n, ...) of several, each with its modality.
        """
        shares = [self._share(judge, modality, np.ndim(network)) for judge in range(3)]
        return weighed(shares, (network, assessor, practised))

    def _share(self, judge: int, modality: str | Sequence[str], ndim: int) -> npt.NDArray[np.float64]:
        """Return the share of network (0), assessor (1) or practised eye (2)."""

        def of(one: str) -> float:
            kind = "CT" if one == "CT" else "MR"
            others = (self.assessor_share[kind], self.practised_share[kind])
            return (1.0 - sum(others), *others)[judge]

        if isinstance(modality, str):
            return np.array(of(modality))
        return np.array([of(str(one)) for one in modality]).reshape(-1, *[1] * (ndim - 1))

    def score(self, said: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return scores 0-100 for network scores 0..1."""
        return np.interp(np.asarray(said, dtype=np.float64), self.knots_from, self.knots_to)

    def interval(self, score: float, spread: float, modality: str | None, widening: float = 1.0) -> tuple[float, float]:
        """Return the 90 % interval around a score, within 0-100. spread: SD of the bins, 0-100."""
        widest = max(self.multiples.values(), default=3.0)
        half = self.multiples.get(modality or "", widest) * max(spread, NARROWEST) * widening
        return max(0.0, score - half), min(100.0, score + half)

    def strangeness(self, pooled: npt.NDArray[np.floating[Any]]) -> float:
        """Return how far features are from training, 0 (usual) .. 1 (like nothing seen). pooled: (c,)."""
        if not self.mean:
            return 0.0
        distance = self.distance(pooled)
        # 0.5 is the limit: half way between what is usual and twice the unusual distance
        if distance <= self.usual:
            return 0.0
        if distance <= self.unusual:
            return 0.5 * (distance - self.usual) / max(1e-6, self.unusual - self.usual)
        return float(1.0 - 0.5 * self.unusual / distance)

    def distance(self, pooled: npt.NDArray[np.floating[Any]]) -> float:
        """Return the root mean square of the whitened features; 1 is usual."""
        centred = np.asarray(pooled, dtype=np.float64) - np.asarray(self.mean)
        whitened = np.asarray(self.directions) @ centred
        return float(np.sqrt(np.mean(whitened * whitened)))

    def plain(self) -> dict[str, Any]:
        """Return the numbers as plain data for the sheet."""
        return {
            "temperature": self.temperature,
            "knots_from": [round(v, 5) for v in self.knots_from],
            "knots_to": [round(v, 3) for v in self.knots_to],
            "usual": self.usual,
            "unusual": self.unusual,
            "worst_share": self.worst_share,
            "grade_share": self.grade_share,
            "practised_grade_share": self.practised_grade_share,
            "mean": [float(f"{v:.5g}") for v in self.mean],
            "directions": [[float(f"{v:.5g}") for v in row] for row in self.directions],
            "multiples": {k: round(v, 3) for k, v in self.multiples.items()},
            "assessor_share": dict(self.assessor_share),
            "practised_share": dict(self.practised_share),
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Calibration:
        """Return the calibration of a sheet. Raises KeyError, TypeError, ValueError on one that is not whole."""
        found = cls(
            temperature=float(plain["temperature"]),
            knots_from=tuple(float(v) for v in plain["knots_from"]),
            knots_to=tuple(float(v) for v in plain["knots_to"]),
            multiples={str(k): float(v) for k, v in plain["multiples"].items()},
            mean=tuple(float(v) for v in plain["mean"]),
            directions=tuple(tuple(float(v) for v in row) for row in plain["directions"]),
            usual=float(plain["usual"]),
            unusual=float(plain["unusual"]),
            worst_share=float(plain["worst_share"]),
            assessor_share=_by_modality(plain.get("assessor_share", 0.0)),
            practised_share=_by_modality(plain.get("practised_share", 0.0)),
            grade_share=float(plain.get("grade_share", 0.0)),
            practised_grade_share=float(plain.get("practised_grade_share", 0.0)),
        )
        if (
            not found.temperature > 0
            or not 0 < len(found.knots_from) == len(found.knots_to)
            or not bool(np.all(np.diff(found.knots_from) > 0) and np.all(np.diff(found.knots_to) >= 0))
        ):
            raise ValueError("calibration needs a temperature above 0 and rising knots in pairs")
        return found


def _by_modality(share: Any) -> dict[str, float]:
    """Return a share for each modality; a bundle from before 0.4.0 has one for all."""
    listed = share if isinstance(share, Mapping) else {"CT": share, "MR": share}
    return {modality: float(listed[modality]) for modality in ("CT", "MR")}


OUT_OF_DOMAIN = 0.5
"""`Calibration.strangeness` above this is out of domain."""
