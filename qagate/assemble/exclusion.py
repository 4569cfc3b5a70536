"""Exclusion: which images get no score because of what they are, as far as structure (not words) says it. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from qagate.domain.finding import Finding, FindingCode, Severity

CT_CLASSES = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.2",  # CT
        "1.2.840.10008.5.1.4.1.1.2.1",  # Enhanced CT
        "1.2.840.10008.5.1.4.1.1.2.2",  # Legacy Converted Enhanced CT
    }
)
MR_CLASSES = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.4",  # MR
        "1.2.840.10008.5.1.4.1.1.4.1",  # Enhanced MR
        "1.2.840.10008.5.1.4.1.1.4.3",  # Enhanced MR Color
        "1.2.840.10008.5.1.4.1.1.4.4",  # Legacy Converted Enhanced MR
    }
)
SECONDARY_CAPTURE_CLASSES = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.7",
        "1.2.840.10008.5.1.4.1.1.7.1",
        "1.2.840.10008.5.1.4.1.1.7.2",
        "1.2.840.10008.5.1.4.1.1.7.3",
        "1.2.840.10008.5.1.4.1.1.7.4",
    }
)
NO_IMAGE_CLASSES = frozenset({"1.2.840.10008.5.1.4.1.1.4.2", "1.2.840.10008.5.1.4.1.1.66"})
"""MR spectroscopy and raw data: they may have rows and columns, but no picture."""
FEWEST_WATCHED, SAME_PLACE_MM = 4, 0.5
"""So many images of one place, and no other, are no scan of it: fewer may be the kernels of one slice."""
_MODALITY_OF = dict.fromkeys(CT_CLASSES, "CT") | dict.fromkeys(MR_CLASSES, "MR")

# Words of Image Type, Frame Type and Volume Based Calculation Technique, as scanners and workstations write them.
_LOCALIZER = frozenset({"LOCALIZER", "SURVIEW", "REF_SURVIEW", "SCOUT", "SCANOGRAM", "TOPOGRAM", "SCANO", "LOCALISER"})
_PROJECTION = frozenset(
    {"MIP", "MINIP", "MAX_IP", "MIN_IP", "MAXIP", "PROJECTION IMAGE", "PROJECTION", "VOLUME_RENDER", "SURFACE_RENDER"}
    | {"VRT", "SSD", "CSA MIP", "CSA VRT", "CSA SSD", "MIP_SAG", "MIP_COR", "MIP_TRA", "3D RENDER", "THINMIP"}
    | {"VR", "VOLREN", "VOLUME RENDER", "RENDERED", "3D RENDERING", "CT_SOM5 VRT", "CT_SOM7 VRT", "DRR", "AVERAGE_IP"}
    | {"MAX IP", "MIN IP", "MAXIMUM", "MINIMUM", "COLLAPSE", "CURVED_MPR", "MNIP", "MNIP_SAG", "MNIP_COR", "MNIP_TRA"}
)
_MAP = frozenset(
    {"ADC", "ADC_UNSPECIFIED", "ADC MAP", "ADC_MAP", "APPARENT DIFFUSION", "DIFFUSION_ADC"}
    | {"EADC", "EXP", "FA", "TENSOR", "TENSOR_B0", "COLFA", "TENSOR_FA", "AVERAGE_DC", "DIFFUSION_ANISO", "ISO"}
    | {"PERFUSION", "CBF", "CBV", "MTT", "TTP", "TMAX", "PBP", "GBP", "RELCBF", "RELCBV", "RELMTT", "RCBF", "RCBV"}
    | {"REGCBF", "REGCBV", "REGMTT", "RELCMB", "BRAINPERF", "T1 MAP", "T2 MAP", "T2_STAR MAP", "R2 MAP", "R2_STAR MAP"}
    | {"T1_MAP", "T2_MAP", "T2_STAR_MAP", "T2STAR_MAP", "T1MAP", "T2MAP", "R2_MAP", "R2STAR_MAP", "PD MAP", "FIELD_MAP"}
    | {"B0 MAP", "B0_MAP", "B1 MAP", "B1_MAP", "FIELDMAP", "FAT_FRACTION", "FAT_PERCENT", "FATFRAC", "FF", "FMRI"}
    | {"TEMPERATURE", "VELOCITY_MAP", "STIFFNESS", "WAVE", "ELASTOGRAPHY", "T_TEST", "Z_SCORE", "MEAN_MOTION"}
    | {"IODINE", "IODINE_MAP", "RHO_Z", "ZEFF", "Z_EFF", "EFF_Z", "PERF", "LUNG_PBV", "PARAMETRIC"}
    | {"MAT_SPECIFIC", "MAT_REMOVED", "MAT_FRACTIONAL", "MAT_MODIFIED", "MAT_VALUE_BASED"}  # PS3.3 C.8.15.3.8
    | {"EFF_ATOMIC_NUM", "ELECTRON_DENSITY", "VNC", "VUE", "OVERLAY", "FUSION", "FUSED", "QSM", "R2_STAR"}
    | {"EXP_ADC", "EXPONENTIAL ADC", "ISO_TENSOR", "FMRI_STAT", "PARAMETER MAP", "PERFUSION_MAP", "FAT FRACTION"}
    | {"CALC_BVALUE", "CALC_BVAL", "MEAN_TRANSIT", "TIME_TO_PEAK"}
    | {"QUANTITY", "STD_DEVIATION", "DIVISION", "MULTIPLICATION"}  # value 4 of Enhanced objects, PS3.3 C.8.16.1.4
)
# Words for what was made of other images, which rules name for people: here they part volumes only.
_MADE = dict.fromkeys(
    ("MPR", "CSA MPR", "CPR", "CURVED", "REFORMATTED", "RESLICE", "REFORMAT", "REFORMATTED IMAGE", "RIBBON"), "reformat"
) | dict.fromkeys(("SUBTRACTION", "SUBTRACT", "SUB"), "subtraction")
# Value 3 of Enhanced objects names the purpose of images as acquired, too; a map says so in value 4. PS3.3 C.8.13.3.1
_FLAVOURS = frozenset({"FMRI", "PERFUSION", "TEMPERATURE"})
# Rescale Types of a CT that are no attenuation: concentration, atomic number, electron density, percent. C.11.1.1.2
_NO_ATTENUATION = frozenset({"MGML", "MG/ML", "MG/CM3", "Z_EFF", "ZEFF", "ED", "EDW", "%EDW", "PCT"})
_SCREEN = frozenset(
    {"SCREEN SAVE", "SCREENSAVE", "SCREENSHOT", "SCREEN", "DOSE", "DOSE_INFO", "DOSE INFO", "DOSE REPORT", "PROTOCOL"}
    | {"SCREEN_SAVE", "SCREEN_CAPTURE", "DOSE_REPORT", "EXAM SUMMARY", "PATIENT PROTOCOL", "CAPTURE", "SC", "SPECTRA"}
    | {"SPECTROSCOPY", "GRAPH", "EVALUATION DOCUMENT"}
)
# Value 3 and later of Image Type, and Complex Image Component. Source: PS3.3 C.8.3.1.1.1 and C.8.13.3.1.1.
_COMPONENTS = {
    "M": "magnitude",
    "MAGNITUDE": "magnitude",
    "P": "phase",
    "PHASE": "phase",
    "PHASE MAP": "phase",
    "PHASE_MAP": "phase",
    "R": "real",
    "REAL": "real",
    "I": "imaginary",
    "IMAGINARY": "imaginary",
    "VELOCITY": "phase",
    "PCA": "phase",
}
_PREFIXES = {"M_": "magnitude", "P_": "phase", "R_": "real", "I_": "imaginary"}


def modality_of(modality: str, sop_class_uid: str) -> str:
    """Return "CT" or "MR", or what the object calls itself. The SOP class outweighs the Modality attribute."""
    return _MODALITY_OF.get(sop_class_uid) or modality.upper()


def component_of(image_type: Iterable[str], complex_component: str = "") -> str:
    """Return magnitude, phase, real or imaginary; "" when the object does not say."""
    if complex_component.upper() in _COMPONENTS:
        return _COMPONENTS[complex_component.upper()]
    for word in tuple(image_type)[2:]:
        found = _COMPONENTS.get(word.upper()) or _PREFIXES.get(word.upper()[:2])
        if found:
            return found
    return ""


def kind_of(
    sop_class_uid: str, image_type: Iterable[str], photometric: str, technique: str = "", unit: str = ""
) -> FindingCode | None:
    """Return why images of this structure get no score, or None when they can get one. unit: Rescale Type."""
    values = [word.upper() for word in image_type]
    words = {*values, technique.upper()}
    if len(values) > 2 and values[2] in _FLAVOURS and (values[0] == "ORIGINAL" or values[3:4] == ["NONE"]):
        words.discard(values[2])
    if sop_class_uid in SECONDARY_CAPTURE_CLASSES:
        return FindingCode.SECONDARY_CAPTURE
    if words & _LOCALIZER:
        return FindingCode.LOCALIZER
    if words & _PROJECTION:
        return FindingCode.PROJECTION
    if words & _MAP or (sop_class_uid in CT_CLASSES and unit.upper() in _NO_ATTENUATION):
        return FindingCode.DERIVED
    if words & _SCREEN:
        return FindingCode.SECONDARY_CAPTURE
    if photometric.startswith(("RGB", "YBR", "PALETTE")):
        return FindingCode.COLOUR
    return None


def made_of(image_type: Iterable[str]) -> str:
    """Return "reformat" or "subtraction" for images that were made of others, "" for the others."""
    return next((_MADE[word.upper()] for word in image_type if word.upper() in _MADE), "")


_SENTENCES = {
    FindingCode.SECONDARY_CAPTURE: "this is a picture of a screen or page, not an image as acquired",
    FindingCode.LOCALIZER: "this is a localizer, made to plan other series",
    FindingCode.PROJECTION: "this is a projection or rendering of a volume, not slices of it",
    FindingCode.DERIVED: "this is a map calculated from other images",
    FindingCode.COLOUR: "this is a colour image",
    FindingCode.NO_GEOMETRY: "slices are tiled into one picture, and its header does not say how they lie",
    FindingCode.PHASE_IMAGE: "this shows phase (or real or imaginary parts), not signal strength",
}


def exclusion(kind: FindingCode | None, component: str) -> Finding | None:
    """Return the finding for a volume of this kind and component; None when it can be scored."""
    if kind is None and component in ("phase", "real", "imaginary"):
        kind = FindingCode.PHASE_IMAGE
    if kind is None:
        return None
    return Finding(kind, Severity.NONE, _SENTENCES[kind])


def looks_like_localizer(normals: Sequence[tuple[float, float, float]], counts: Iterable[int]) -> bool:
    """Return whether one series holds planes across each other: three of few slices, or two of a handful.

    normals: of each volume. Many directions are a radial series, and many volumes in one direction are a cine.
    """
    across = _apart_by(normals, 0.5)  # 60 degrees
    directions = _apart_by(normals, 0.966)  # 15 degrees
    if len(directions) > 3 or len(normals) > 2 * len(directions):
        return False
    most = max(counts, default=0)
    return (len(across) == 3 and most <= 30) or (len(across) == 2 and most <= 3)


def _apart_by(normals: Sequence[tuple[float, float, float]], cosine: float) -> list[tuple[float, float, float]]:
    distinct: list[tuple[float, float, float]] = []
    for n in normals:
        if all(abs(n[0] * m[0] + n[1] * m[1] + n[2] * m[2]) < cosine for m in distinct):
            distinct.append(n)
    return distinct


def looks_like_watching(places: Sequence[tuple[float, float, float] | None], counts: Sequence[int]) -> bool:
    """Return whether the volumes of a CT are one slice each, all of one place: a bolus or a needle was watched.

    places: of the first slice of each volume, None where it has none.
    """
    first = places[0] if places else None
    if len(places) < FEWEST_WATCHED or max(counts) > 1 or first is None:
        return False
    return all(place is not None and math.dist(first, place) < SAME_PLACE_MM for place in places)


def looks_like_scout(image_type: str, normal: tuple[float, float, float], count: int) -> bool:
    """Return whether a CT that lies across the axial plane can only be a scout: an original of one image or two.

    image_type: values joined by backslashes. A gantry tilts by 30 degrees; reformats are not original.
    """
    words = image_type.upper().split("\\")
    return count <= 2 and abs(normal[2]) < 0.5 and words[0] == "ORIGINAL" and "AXIAL" not in words
