"""Reading: what a volume is taken for, from its tags and a glance at its pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from qagate.domain.prompt import Prompt
from qagate.domain.volume import Geometry, Volume
from qagate.prompt.acquisition import plane_of
from qagate.prompt.infer import infer
from qagate.prompt.rules import Rules
from qagate.prompt.second import second_opinion
from qagate.score.glance import glance


def read_prompt(volume: Volume, rules: Rules, modality: str | None = None) -> Prompt:
    """Return the prompt of a volume: its tags first, its pixels as a second opinion. Never raises.

    modality: what a person calls it, where tags say nothing.
    """
    plane = measured_plane(volume.geometry)
    words = infer(volume.tags, rules, None if "ImageOrientationPatient" in volume.tags else plane)
    if volume.unscorable or words.exclusions:
        return words
    told = words.modality is None and modality is not None
    words = replace(words, modality=modality) if told else words
    seen = glance(volume, words.modality, plane or words.plane)
    # who looked at a CT in greys knows better than its values, which are like those of MR
    return second_opinion(words, replace(seen, sure=seen.sure - {"CT", "MR"}) if told else seen, rules)


def measured_plane(geometry: Geometry) -> str | None:
    """Return the plane in which the slices of a volume lie; None when it does not say."""
    if not geometry.known:
        return None
    affine = np.array(geometry.affine_lps)
    row, column = affine[:3, 0] / np.linalg.norm(affine[:3, 0]), affine[:3, 1] / np.linalg.norm(affine[:3, 1])
    a, b, c = (float(v) for v in np.cross(row, column))
    return plane_of((a, b, c))
