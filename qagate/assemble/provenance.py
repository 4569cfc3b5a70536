"""Provenance: what headers say of how the values came to be: with loss, or with no proof that they are HU."""

from __future__ import annotations

from qagate.assemble.extract import Extracted
from qagate.assemble.headers import Header
from qagate.assemble.layout import Layout
from qagate.assemble.values import numbers_of, text_of
from qagate.domain.finding import Finding, FindingCode, Severity
from qagate.domain.volume import Tags

STEEPEST = 64.0
"""No CT needs a larger Rescale Slope: so much stretches 8 bits over 16,000 HU."""


def lossy(objects: list[tuple[Header, Layout]]) -> list[Finding]:
    """Say which images were compressed with loss. Source: PS3.3 C.7.6.1.1.5."""
    syntaxes = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.81")
    concerned = [
        header.dataset
        for header, layout in objects
        if text_of(header.dataset, "LossyImageCompression") == "01" or layout.transfer_syntax_uid in syntaxes
    ]
    if not concerned:
        return []
    some = len(concerned) < len(objects)
    worst = max((ratio for one in concerned for ratio in numbers_of(one, "LossyImageCompressionRatio")), default=0.0)
    text = f"{len(concerned)} of {len(objects)} images were" if some else "the images were"
    text += " compressed with loss" + (f", {worst:g}:1" if worst else "")
    uids = tuple(text_of(one, "SOPInstanceUID") for one in concerned) if some else ()
    return [Finding(FindingCode.LOSSY_COMPRESSION, Severity.MILD, text, uids)]


def cut_short(objects: list[tuple[Header, Layout]]) -> list[Finding]:
    """Say which images lack the very end of their pixels, which was filled up."""
    cut = [(header, layout) for header, layout in objects if 0 < layout.lacking_bytes <= layout.spare_bytes]
    if not cut:
        return []
    most = max(layout.lacking_bytes for _, layout in cut)
    text = f"the pixel data of {len(cut)} of {len(objects)} images end up to {most} bytes too early, which count as 0"
    uids = tuple(text_of(header.dataset, "SOPInstanceUID") for header, _ in cut)
    return [Finding(FindingCode.CONTRADICTORY_TAGS, Severity.MILD, text, uids)]


def calibration(tags: Tags, layouts: list[Layout], refs: list[Extracted]) -> list[Finding]:
    """Say when nothing proves that the values of a CT are Hounsfield units. Source: PS3.3 C.8.2.1.1.4, C.11.1.1.2."""
    first = layouts[refs[0].pixels.source]
    if not first.is_ct or first.lut is not None or first.samples > 1:
        return []
    unit = str(tags.get("RescaleType", "HU")).upper()
    steepest = max(abs(ref.pixels.rescale.slope) for ref in refs)
    lowest = min(ref.pixels.rescale.intercept for ref in refs)
    airless = sum(ref.pixels.rescale.intercept >= 0 for ref in refs)
    silent = sum(not ref.pixels.rescale.stated for ref in refs)
    if silent:
        why = "there is no Rescale Intercept" + (f" in {silent} of {len(refs)} images" if silent < len(refs) else "")
    elif tags.get("RescaleSlope") == 0:
        why = "Rescale Slope is 0, which was taken for 1"
    elif not unit.startswith("HU"):
        why = f"Rescale Type says {unit}"
    elif steepest > STEEPEST:
        why = f"Rescale Slope says {steepest:g}"
    elif not first.signed and first.whole and airless == len(refs):
        why = "air at -1000 could not be stored: values are unsigned and nothing is taken off"
    elif not first.signed and first.whole and airless and lowest <= -500:
        why = f"Rescale Intercept is 0 or more in {airless} of {len(refs)} images, and {lowest:g} in others"
    else:
        return []
    text = f"the values may not be Hounsfield units: {why}"
    return [Finding(FindingCode.HU_UNPROVEN, Severity.MILD, text)]
