"""Assessment: what the model and the measurements say about one volume."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from qagate.domain.finding import Finding
from qagate.domain.prompt import Prompt
from qagate.domain.volume import Geometry
from qagate.errors import InputError

ATTRIBUTES = (
    "noise", "blur", "motion", "ghosting", "streak", "ring", "metal", "beam_hardening", "bias_field", "spike", "gibbs",
    "wrap", "undersampling", "truncation", "slice_gaps", "oversmoothing", "clipping", "compression",
)  # fmt: skip
"""Artefacts the model grades, 0 (none) to 1 (severe)."""

SCHEMA = "qagate.assessment/1"


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which model said it. `sha256` is of its sheet, which names the digest of every file of it."""

    name: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Measurement:
    """One physical measurement.

    unit: UCUM code ("[hnsf'U]", "mm", "1", "%"). better: "lower", "higher" or "neither".
    """

    name: str
    value: float
    unit: str
    better: str = "neither"


@dataclass(frozen=True, slots=True)
class SliceScore:
    """Score of one slice, 0-100, 100 best; None when the slice could not be scored. frame is 1-based or None."""

    sop_instance_uid: str
    frame: int | None
    position_mm: float
    score: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """What the network says about one volume.

    score: 0-100, 100 best. interval: 90 % interval on the same scale. attributes: name → 0 (none) .. 1 (severe), only
    those that make sense for the modality. slice_scores: (slices,) 0-100, NaN where a slice was not scored.
    heatmap: (slices, rows', columns') 0 (good) .. 1 (bad), coarse, or None. out_of_domain: 0 (usual) .. 1 (like nothing
    seen in training); `in_domain` is the model's own limit applied to it.
    """

    score: float
    interval: tuple[float, float]
    attributes: Mapping[str, float]
    slice_scores: npt.NDArray[np.float32]
    heatmap: npt.NDArray[np.float32] | None
    out_of_domain: float
    in_domain: bool
    model: ModelIdentity


@dataclass(frozen=True, slots=True)
class Source:
    """Where the volume came from."""

    path: str
    study_instance_uid: str
    series_instance_uid: str
    instances: int
    volume_index: int
    volumes: int
    label: str = ""


@dataclass(frozen=True, slots=True)
class Assessment:
    """What is said about one volume. `score` is None when unscored; the findings then say why."""

    source: Source
    prompt: Prompt
    geometry: Geometry | None
    score: float | None
    interval: tuple[float, float] | None
    attributes: Mapping[str, float]
    slices: tuple[SliceScore, ...]
    physics: tuple[Measurement, ...]
    findings: tuple[Finding, ...]
    model: ModelIdentity | None
    out_of_domain: float | None = None
    timing_ms: Mapping[str, float] = field(default_factory=dict)

    @property
    def unscored_because(self) -> tuple[Finding, ...]:
        """The findings that are the reason for having no score."""
        return tuple(f for f in self.findings if f.unscorable)

    def worst_slices(self, count: int) -> tuple[int, ...]:
        """Return 0-based indices of the lowest-scored slices, worst first."""
        scored = [(s.score, i) for i, s in enumerate(self.slices) if s.score is not None]
        return tuple(i for _, i in sorted(scored)[:count])


def severity_of(attribute: float) -> str:
    """Return the SNOMED CT grade of an attribute in 0..1: none < 0.2 <= mild < 0.45 <= moderate < 0.7 <= severe."""
    for limit, word in ((0.2, "none"), (0.45, "mild"), (0.7, "moderate")):
        if attribute < limit:
            return word
    if attribute <= 1.0:
        return "severe"
    raise InputError(f"an attribute lies between 0 and 1, got {attribute}")


def document(assessment: Assessment) -> dict[str, Any]:
    """Return the assessment as plain JSON data, schema qagate.assessment/1, without the verdict."""
    prompt, geometry, source = assessment.prompt, assessment.geometry, assessment.source
    return {
        "schema": SCHEMA,
        "source": {
            "path": source.path,
            "study_instance_uid": source.study_instance_uid,
            "series_instance_uid": source.series_instance_uid,
            "instances": source.instances,
            "volume_index": source.volume_index,
            "volumes": source.volumes,
            "label": source.label,
        },
        "prompt": {
            "modality": prompt.modality,
            "regions": list(prompt.regions),
            "organ": prompt.organ,
            "sequence": prompt.sequence,
            "kernel": prompt.kernel,
            "plane": prompt.plane,
            "contrast": prompt.contrast,
            "acquisition": prompt.acquisition.present(),
            "confidence": round(prompt.confidence, 3),
            "conflict": prompt.conflict,
            "evidence": [
                {"tag": e.tag, "value": e.value, "rule": e.rule, "says": e.says, "weight": e.weight}
                for e in prompt.evidence
            ],
            "rules_version": prompt.rules_version,
        },
        "geometry": geometry
        and {
            "shape": list(geometry.shape),
            "spacing_mm": [round(v, 6) for v in geometry.spacing_mm],
            "affine_lps": [[round(v, 6) for v in row] for row in geometry.affine_lps],
            "missing_positions": list(geometry.missing_positions),
            "duplicate_positions": list(geometry.duplicate_positions),
            "tilt_degrees": round(geometry.tilt_degrees, 3),
            "known": geometry.known,
        },
        "score": _rounded(assessment.score),
        "interval": assessment.interval and [_rounded(v) for v in assessment.interval],
        "attributes": {name: round(float(v), 3) for name, v in assessment.attributes.items()},
        "slices": [
            {
                "sop_instance_uid": s.sop_instance_uid,
                "frame": s.frame,
                "position_mm": round(s.position_mm, 3),
                "score": _rounded(s.score),
            }
            for s in assessment.slices
        ],
        "physics": {m.name: float(f"{m.value:.4g}") for m in assessment.physics},
        "physics_units": {m.name: m.unit for m in assessment.physics},
        "findings": [
            {
                "code": str(f.code),
                "severity": str(f.severity),
                "detail": f.detail,
                "sop_instance_uids": list(f.sop_instance_uids),
            }
            for f in assessment.findings
        ],
        "model": assessment.model
        and {
            "name": assessment.model.name,
            "version": assessment.model.version,
            "sha256": assessment.model.sha256,
        },
        "out_of_domain": assessment.out_of_domain,
        "timing_ms": {name: round(v) for name, v in assessment.timing_ms.items()},
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 1)
