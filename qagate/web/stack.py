"""Stack: the quality of each slice as a curve, and what the viewer needs to show the volume."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qagate.domain.display import CT_WINDOWS_HU, DEFAULT_CT_WINDOW_HU
from qagate.score.preprocess import CELL

WINDOW_NAMES = {"head": "Brain", "neck": "Neck", "chest": "Lung", "abdomen": "Abdomen", "spine": "Bone"}
"""The presets that are offered for CT: region of CT_WINDOWS_HU → what it is called."""

WORST = 3


def chosen(assessments: Sequence[dict[str, Any]], volume: int | None) -> dict[str, Any]:
    """Return the assessment of the volume that was asked for, else of the one with the lowest score."""
    for assessment in assessments:
        if assessment["source"]["volume_index"] == volume:
            return assessment
    return min(assessments, key=lambda a: 101.0 if a["score"] is None else a["score"])


def curve(assessment: dict[str, Any]) -> dict[str, Any] | None:
    """Return the per-slice quality as SVG data; None when fewer than two slices have a score.

    paths: runs of scored slices; x is the 0-based slice + 0.5, y is 100 - score. worst: (slice, score), worst first.
    """
    scores = [one["score"] for one in assessment["slices"]]
    scored = [(score, index) for index, score in enumerate(scores) if score is not None]
    if len(scored) < 2:
        return None
    paths, run = [], []
    for index, score in [*enumerate(scores), (len(scores), None)]:
        if score is not None:
            run.append(f"{index + 0.5:g},{100 - score:g}")
        elif run:
            paths.append("M" + "L".join(run) + ("h0" if len(run) == 1 else ""))
            run = []
    return {
        "slices": len(scores),
        "paths": paths,
        "limit": assessment["policy"]["limit"],
        "worst": [(index, score) for score, index in sorted(scored)[:WORST]],
        "lowest": min(scored)[0],
        "highest": max(scored)[0],
    }


def viewer(
    uid: str, assessment: dict[str, Any], *, there: bool, warm: bool = False, hidden: bool = False
) -> dict[str, Any] | None:
    """Return what viewer.js needs; None when there is no volume to show.

    there: whether NiiVue is installed; else, and without a graphics card, the page's own slices.js shows the volume.
    warm: whether there is a heatmap. hidden: the verdict is, and so is all that would tell it.
    """
    geometry = assessment["geometry"]
    if geometry is None or not all(geometry["shape"]):
        return None
    index = assessment["source"]["volume_index"]
    scores = [None if hidden else one["score"] for one in assessment["slices"]]
    scored = [(score, i) for i, score in enumerate(scores) if score is not None]
    return {
        "there": there,
        "heatmap": {"url": f"/api/v1/series/{uid}/heatmap/{index}.nii.gz", "cell": CELL} if warm else None,
        "url": f"/api/v1/series/{uid}/volume/{index}.nii.gz",
        "slices": geometry["shape"][0],
        "rows": geometry["shape"][1],
        "columns": geometry["shape"][2],
        "affine": geometry["affine_lps"],
        "spacing": list(reversed(geometry["spacing_mm"])),  # along columns, rows, slices
        "start": min(scored)[1] if scored else geometry["shape"][0] // 2,
        "scores": scores,
        "windows": windows(
            assessment["prompt"]["modality"], assessment["prompt"]["regions"], usual=assessment["score"] is not None
        ),
    }


def windows(modality: str | None, regions: Sequence[str], *, usual: bool = True) -> list[dict[str, Any]]:
    """Return the window presets, the fitting one first: name, low, high; null limits are found by the viewer.

    usual: the pixels are those of a scan; of a localizer, say, CT does not have HU.
    """
    automatic = {"name": "Automatic", "low": None, "high": None}
    if modality != "CT":
        return [
            automatic,
            {"name": "Full range", "low": "min", "high": "max"},
            {"name": "Dark", "low": "min", "high": 0.35},
        ]
    fitting = next((CT_WINDOWS_HU[r] for r in regions if r in CT_WINDOWS_HU), DEFAULT_CT_WINDOW_HU)
    presets = [(name, CT_WINDOWS_HU[region]) for region, name in WINDOW_NAMES.items()]
    presets.sort(key=lambda preset: preset[1] != fitting)  # stable: the others keep their order
    found = [{"name": name, "low": c - w / 2, "high": c + w / 2} for name, (c, w) in presets]
    if fitting not in CT_WINDOWS_HU.values():
        centre, width = fitting
        found.insert(0, {"name": "Soft tissue", "low": centre - width / 2, "high": centre + width / 2})
    return found[:5] if usual else [automatic, *found[:4]]
