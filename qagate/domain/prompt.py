"""Prompt: what the series shows, in the words the model was trained on, and which tag said so."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from qagate.domain.finding import Finding

MODALITIES = ("CT", "MR")
REGIONS = (
    "head", "neck", "chest", "breast", "abdomen", "pelvis", "spine", "upper_extremity", "lower_extremity", "whole_body",
)  # fmt: skip
ORGANS = (
    "brain", "orbit", "sinus", "jaw", "larynx", "thyroid", "carotid", "lung", "heart", "aorta", "breast", "liver",
    "pancreas", "spleen", "kidney", "adrenal", "bowel", "bladder", "prostate", "uterus", "rectum", "fetus",
    "spine", "shoulder", "elbow", "wrist_hand", "hip", "thigh", "knee", "lower_leg", "ankle_foot", "hippocampus",
)  # fmt: skip
ORGANS_IN = {
    "head": ("brain", "orbit", "sinus", "jaw", "hippocampus"),
    "neck": ("larynx", "thyroid", "carotid"),
    "chest": ("lung", "heart", "aorta"),
    "breast": ("breast",),
    "abdomen": ("liver", "pancreas", "spleen", "kidney", "adrenal", "bowel"),
    "pelvis": ("bladder", "prostate", "uterus", "rectum", "fetus"),
    "spine": ("spine",),
    "upper_extremity": ("shoulder", "elbow", "wrist_hand"),
    "lower_extremity": ("hip", "thigh", "knee", "lower_leg", "ankle_foot"),
}
"""Region → organs in it."""
SEQUENCES = (
    "T1", "T2", "PD", "FLAIR", "STIR", "T2STAR", "SWI", "DWI", "ADC", "BOLD", "ASL", "MRA", "BSSFP", "DIXON",
    "PERFUSION",
)  # fmt: skip
KERNELS = ("soft", "medium", "sharp")
PLANES = ("axial", "coronal", "sagittal", "oblique")


@dataclass(frozen=True, slots=True)
class Acquisition:
    """Acquisition values given to the model; None where a tag is silent. Units are in the names."""

    slice_thickness_mm: float | None = None
    kvp: float | None = None
    exposure_mas: float | None = None
    ctdi_vol_mgy: float | None = None
    repetition_time_ms: float | None = None
    echo_time_ms: float | None = None
    inversion_time_ms: float | None = None
    flip_angle_degrees: float | None = None
    echo_train_length: float | None = None
    magnetic_field_strength_t: float | None = None
    diffusion_b_value: float | None = None

    def present(self) -> dict[str, float]:
        """Return the values that are there."""
        return {f.name: v for f in fields(self) if (v := getattr(self, f.name)) is not None}


@dataclass(frozen=True, slots=True)
class Evidence:
    """One reason for one part of a prompt.

    tag: DICOM keyword. value: as found. rule: id of the rule that fired. says: what it speaks for, as "region:chest".
    weight: log-odds added; negative speaks against. Of a number (dose, field strength): how far it is believed, 0..1.
    """

    tag: str
    value: str
    rule: str
    says: str
    weight: float


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a series shows, as far as its tags say.

    Each word is None (or empty) when unknown: never a guess. `confidence` in 0..1 is for regions and organ together.
    `conflict` says that trusted tags contradict one another. `exclusions` are findings that mean "do not score".
    """

    modality: str | None = None
    regions: tuple[str, ...] = ()
    organ: str | None = None
    sequence: str | None = None
    kernel: str | None = None
    plane: str | None = None
    contrast: bool | None = None
    acquisition: Acquisition = field(default_factory=Acquisition)
    confidence: float = 0.0
    conflict: bool = False
    evidence: tuple[Evidence, ...] = ()
    exclusions: tuple[Finding, ...] = ()
    findings: tuple[Finding, ...] = ()
    rules_version: str = ""


def placed(word: str | None) -> tuple[tuple[str, ...], str | None]:
    """Return the regions and the organ that a word for either names: `liver`, `chest`; nothing for other words."""
    if word in REGIONS and word not in ORGANS:
        return (word,), None
    return tuple(region for region, organs in ORGANS_IN.items() if word in organs), word if word in ORGANS else None
