"""Numbering: which image of the archive a slice is.

Slices are counted along the stack, from the feet or from the right; viewers count images as the scanner numbered them,
often the other way round. A sentence about slices has to say so, or the reader looks at the wrong end.
"""

from __future__ import annotations

from qagate.domain.assessment import Assessment
from qagate.report.evidence import Origin


def images_of(origin: Origin, assessment: Assessment) -> tuple[int | None, ...]:
    """Return for each slice what a viewer calls it: Instance Number, or the frame of an object that has several."""
    known = {instance.sop_instance_uid: instance for instance in origin.instances}
    found: list[int | None] = []
    for row in assessment.slices:
        instance = known.get(row.sop_instance_uid)
        if instance is None or (row.frame is not None and instance.frames > 1):
            found.append(row.frame)
        else:
            found.append(instance.number)
    return tuple(found)


def counted(origin: Origin, assessment: Assessment) -> str:
    """Return a sentence on how slices and images go together; "" when they count alike or nothing tells them apart."""
    images = images_of(origin, assessment)
    alike = images == tuple(range(1, len(images) + 1)) or len(set(images)) < len(images)  # a mosaic is one image
    if alike or len(images) < 2 or images[0] is None or images[-1] is None:
        return ""
    return f"Slice 1 is image {images[0]} of the series, slice {len(images)} is image {images[-1]}"
