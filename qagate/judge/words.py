"""Words: the sentence a radiographer reads for each artefact and finding, as data."""

from __future__ import annotations

from dataclasses import dataclass

from qagate.domain.finding import FindingCode


@dataclass(frozen=True, slots=True)
class Phrase:
    """How one artefact is told.

    whole: about the volume as a whole. within: with {first} and {last}, 1-based slice numbers; at: with {slice};
    both None when the artefact is nothing that comes and goes along the stack. measured: physical measurements that say
    the same in units, as (name, sentence with {value}); the first one that is there is shown instead of `whole`.
    """

    whole: str
    within: str | None = None
    at: str | None = None
    measured: tuple[tuple[str, str], ...] = ()


ATTRIBUTE_WORDS = {
    "noise": Phrase(
        "Noisy images",
        "Noisy between slices {first} and {last}",
        "Noisy in slice {slice}",
        (("noise_hu", "Noise {value:.0f} HU"), ("snr", "Noisy images, signal-to-noise {value:.1f}")),
    ),
    "blur": Phrase("Blurred images", "Blurred between slices {first} and {last}", "Blurred in slice {slice}"),
    "motion": Phrase(
        "Patient moved", "Patient moved between slices {first} and {last}", "Patient moved at slice {slice}"
    ),
    "ghosting": Phrase(
        "Ghost images", "Ghost images between slices {first} and {last}", "Ghost image in slice {slice}"
    ),
    "streak": Phrase("Streaks", "Streaks between slices {first} and {last}", "Streaks in slice {slice}"),
    "ring": Phrase("Rings", "Rings between slices {first} and {last}", "Rings in slice {slice}"),
    "metal": Phrase("Metal artefacts", "Metal between slices {first} and {last}", "Metal in slice {slice}"),
    "beam_hardening": Phrase(
        "Dark bands from beam hardening",
        "Dark bands from beam hardening between slices {first} and {last}",
        "Dark bands from beam hardening in slice {slice}",
    ),
    "bias_field": Phrase("Uneven brightness across the image"),
    "spike": Phrase(
        "Stripes from spike noise", "Stripes between slices {first} and {last}", "Stripes in slice {slice}"
    ),
    "gibbs": Phrase("Ringing at edges"),
    "wrap": Phrase("Anatomy folded over (wrap)", "Wrap between slices {first} and {last}", "Wrap in slice {slice}"),
    "undersampling": Phrase("Streaks from too few measurements"),
    "truncation": Phrase("Anatomy cut off at the edge of the field of view"),
    "slice_gaps": Phrase("Gaps between slices"),
    "oversmoothing": Phrase("Over-smoothed images, fine detail is lost"),
    "clipping": Phrase("Brightest or darkest parts are cut off"),
    "compression": Phrase("Visible compression"),
}
"""Every artefact of domain.assessment.ATTRIBUTES. Local scores go with the artefacts that have `within`."""

FINDING_WORDS = {
    FindingCode.MISSING_SLICES: "Slices are missing",
    FindingCode.DUPLICATE_POSITIONS: "Several images at one position",
    FindingCode.OVERLAPPING_SLICES: "Slices overlap",
    FindingCode.GANTRY_TILT: "Gantry was tilted",
    FindingCode.VARIABLE_SPACING: "Slice spacing varies",
    FindingCode.POSITION_JITTER: "Slice positions are uneven",
    FindingCode.MULTIPLE_FRAMES_OF_REFERENCE: "Patient was repositioned within the series",
    FindingCode.NO_POSITION: "Slice positions are absent",
    FindingCode.HU_UNPROVEN: "Grey values may not be Hounsfield units",
    FindingCode.CONTRADICTORY_TAGS: "Tags contradict one another",
    FindingCode.MULTIPLE_VOLUMES: "Several volumes in one series",
    FindingCode.UNREADABLE_SLICE: "A slice cannot be read",
    FindingCode.LOSSY_COMPRESSION: "Images were compressed with loss",
    FindingCode.CONFLICTING_COPY: "An image came twice with different content",
    FindingCode.INCOMPLETE_SERIES: "Series is incomplete",
    FindingCode.PROMPT_CONFLICT: "Tags contradict one another about what this is",
    FindingCode.PROMPT_UNKNOWN: "Tags do not say what this is",
    FindingCode.NOT_CT_OR_MR: "Neither CT nor MR",
    FindingCode.NOT_AN_IMAGE: "Not an image",
    FindingCode.LOCALIZER: "A localiser",
    FindingCode.SECONDARY_CAPTURE: "A secondary capture",
    FindingCode.DERIVED: "Derived from other images",
    FindingCode.PHANTOM: "A phantom",
    FindingCode.COLOUR: "A colour image",
    FindingCode.PROJECTION: "A projection",
    FindingCode.PHASE_IMAGE: "A phase image",
    FindingCode.TOO_SMALL: "Too few slices or pixels",
    FindingCode.TOO_LARGE: "Too large",
    FindingCode.UNREADABLE_PIXELS: "The pixels cannot be read",
    FindingCode.NO_GEOMETRY: "The slices make no volume",
    FindingCode.EMPTY_PIXELS: "The images are empty",
    FindingCode.OUT_OF_DOMAIN: "Unlike anything the model knows",
    FindingCode.SCORING_FAILED: "Scoring failed",
}
"""What is said when a finding has no sentence of its own."""

SCORE_BELOW = "Score {score}, below this site's {limit}"
LOWEST_WITHIN = "Lowest between slices {first} and {last}"
LOWEST_AT = "Lowest at slice {slice}"
NO_REASON = "No score was given"
