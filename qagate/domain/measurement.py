"""Physical measurements as people read them: one table of words for reports, pages and lists."""

from __future__ import annotations

WORDS = {
    "noise_hu": "noise",
    "noise_air_hu": "noise in air",
    "mtf50_per_mm": "sharpness (MTF 50 %)",
    "air_offset_hu": "air off by",
    "soft_tissue_peak_hu": "soft tissue at",
    "streak_index": "streak index",
    "snr": "SNR",
    "snr_tissue": "SNR in tissue",
    "cnr": "CNR",
    "ghosting_ratio": "ghosting ratio",
    "efc": "entropy focus (EFC)",
    "fber": "body to air (FBER)",
    "slices_with_body": "slices with body",
    "body_at_first_slice": "body at first slice",
    "body_at_last_slice": "body at last slice",
    "field_of_view_clipping": "slices cut at the edge",
}
"""Name of a measurement → the words that people are shown; its unit stands beside the value."""

SHARES = frozenset(("slices_with_body", "body_at_first_slice", "body_at_last_slice", "field_of_view_clipping"))
"""Measurements that are shares, 0..1; people are shown percent."""

UNITS = {"1": "", "[hnsf'U]": "HU", "{0:100}": "", "{slices}": "slices", "deg": "°", "Cel": "°C"}
"""UCUM code → what people write; others are written as they are."""


def words(name: str) -> str:
    """Return the name of a measurement (or of an artefact) as words."""
    return WORDS.get(name) or name.replace("_", " ")


def number(name: str, value: float) -> str:
    """Return the value with three significant digits at most (nothing is known better), or as whole percent."""
    if name in SHARES:
        return f"{value * 100:.0f}"
    text = f"{value:.3g}"
    return f"{float(text):g}" if "e" not in text else f"{float(text):.0f}" if abs(value) >= 1 else text


def unit(name: str, ucum: str) -> str:
    """Return the unit that stands beside `number`; empty for pure numbers."""
    return "%" if name in SHARES else UNITS.get(ucum, ucum.strip("{}"))
