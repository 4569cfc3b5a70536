"""Measured: which attributes the numbers of a scan come from, and how far they are believed."""

from __future__ import annotations

from qagate.domain.prompt import Acquisition, Evidence
from qagate.domain.volume import Tags
from qagate.prompt.acquisition import FEW_MAS, exposures
from qagate.prompt.match import shown
from qagate.prompt.text import number

BELIEVED, DOUBTFUL, NOT_BELIEVED = 1.0, 0.3, 0.0
_STATED = (
    ("slice_thickness_mm", "SliceThickness", "slice thickness", "mm"),
    ("kvp", "KVP", "tube voltage", "kV"),
    ("ctdi_vol_mgy", "CTDIvol", "dose", "mGy"),
    ("magnetic_field_strength_t", "MagneticFieldStrength", "field strength", "T"),
)


def measured(tags: Tags, acquisition: Acquisition) -> tuple[Evidence, ...]:
    """Return one piece of evidence for each attribute that states thickness, voltage, dose or field strength.

    weight: 1 believed as it stands; 0.3 doubtful: its unit had to be guessed, or it contradicts another attribute;
    0 not believed.
    """
    chain = []
    for name, tag, what, unit in _STATED:
        stated, used = number(tags, tag), getattr(acquisition, name)
        if stated is not None:
            weight = NOT_BELIEVED if used is None else BELIEVED if used == stated else DOUBTFUL
            says = f"{what}:not believed" if used is None else f"{what}:{used:g} {unit}"
            chain.append(
                Evidence(tag, shown(tags, tag), "as stated" if weight == BELIEVED else "odd value", says, weight)
            )
    return (*chain, *_dose(tags, acquisition.exposure_mas))


def _dose(tags: Tags, used: float | None) -> list[Evidence]:
    chain = []
    for tag, mas in exposures(tags):
        # Mean and maximum over a helix, and mAs over pitch, differ by up to a factor of three.
        agrees = used is not None and used / 3 <= mas <= used * 3
        weight = NOT_BELIEVED if used is None else BELIEVED if agrees and mas >= FEW_MAS else DOUBTFUL
        says = f"dose:{mas:g} mAs" if weight else "dose:not believed"
        chain.append(Evidence(tag, shown(tags, tag), "as stated" if weight == BELIEVED else "odd value", says, weight))
    return chain
