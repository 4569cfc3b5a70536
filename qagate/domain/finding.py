"""Finding: one plain fact about a series that a person may have to know, with the instances concerned."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding or an artefact matters, in the words of SNOMED CT severity grades."""

    NONE = "none"
    MILD = "mild"
    MODERATE = "moderate"
    SEVERE = "severe"


class FindingCode(StrEnum):
    """Every finding qagate can make. Those in UNSCORABLE explain why there is no score."""

    # geometry: the volume can still be scored
    MISSING_SLICES = "missing_slices"
    DUPLICATE_POSITIONS = "duplicate_positions"
    OVERLAPPING_SLICES = "overlapping_slices"
    GANTRY_TILT = "gantry_tilt"
    VARIABLE_SPACING = "variable_spacing"
    POSITION_JITTER = "position_jitter"
    MULTIPLE_FRAMES_OF_REFERENCE = "multiple_frames_of_reference"
    NO_POSITION = "no_position"
    CONTRADICTORY_TAGS = "contradictory_tags"
    MULTIPLE_VOLUMES = "multiple_volumes"
    # pixels
    UNREADABLE_SLICE = "unreadable_slice"
    LOSSY_COMPRESSION = "lossy_compression"
    HU_UNPROVEN = "hu_unproven"
    CONFLICTING_COPY = "conflicting_copy"
    # reception
    INCOMPLETE_SERIES = "incomplete_series"
    # prompt
    PROMPT_CONFLICT = "prompt_conflict"
    PROMPT_UNKNOWN = "prompt_unknown"
    # why there is no score
    NOT_CT_OR_MR = "not_ct_or_mr"
    NOT_AN_IMAGE = "not_an_image"
    LOCALIZER = "localizer"
    SECONDARY_CAPTURE = "secondary_capture"
    DERIVED = "derived"
    PHANTOM = "phantom"
    COLOUR = "colour"
    PROJECTION = "projection"
    PHASE_IMAGE = "phase_image"
    TOO_SMALL = "too_small"
    TOO_LARGE = "too_large"
    UNREADABLE_PIXELS = "unreadable_pixels"
    NO_GEOMETRY = "no_geometry"
    EMPTY_PIXELS = "empty_pixels"
    OUT_OF_DOMAIN = "out_of_domain"
    SCORING_FAILED = "scoring_failed"


UNSCORABLE = frozenset(
    {
        FindingCode.NOT_CT_OR_MR,
        FindingCode.NOT_AN_IMAGE,
        FindingCode.LOCALIZER,
        FindingCode.SECONDARY_CAPTURE,
        FindingCode.DERIVED,
        FindingCode.PHANTOM,
        FindingCode.COLOUR,
        FindingCode.PROJECTION,
        FindingCode.PHASE_IMAGE,
        FindingCode.TOO_SMALL,
        FindingCode.TOO_LARGE,
        FindingCode.UNREADABLE_PIXELS,
        FindingCode.NO_GEOMETRY,
        FindingCode.EMPTY_PIXELS,
        FindingCode.OUT_OF_DOMAIN,
        FindingCode.SCORING_FAILED,
    }
)
"""Findings that mean "no score", each being the reason itself."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One plain fact about a series.

    `detail` is one sentence for a person, without patient data. `sop_instance_uids` are the instances concerned;
    empty means the whole volume or series.
    """

    code: FindingCode
    severity: Severity
    detail: str
    sop_instance_uids: tuple[str, ...] = ()

    @property
    def unscorable(self) -> bool:
        """Whether this finding alone means that the volume gets no score."""
        return self.code in UNSCORABLE
