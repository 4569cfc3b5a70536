"""Glance: what a volume looks like, as a small classifier sees it, whatever its tags say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

NEITHER = "neither"
"""What is neither CT nor MR: a page, noise, nothing."""


@dataclass(frozen=True, slots=True)
class Glance:
    """Shares of belief, 0..1. modality: CT, MR and neither, adding up to 1; regions: words of `domain.prompt.REGIONS`.

    Regions add up to 1 with what lies elsewhere in the body. sure: the modality and region words that held-out subjects
    allow to be said at this share. slices: how many were looked at; 0 when there was nothing to see, and then all is
    empty. version: of the classifier.
    """

    modality: Mapping[str, float]
    regions: Mapping[str, float]
    sure: frozenset[str]
    slices: int
    version: str
