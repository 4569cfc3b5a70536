"""Second opinion: what the picture itself looks like, beside what the tags say.

It fills in a word that no tag says, when it is sure; it takes confidence away where it is sure of something else. It
never adds confidence to what the tags say, and never replaces a word of theirs.
"""

from __future__ import annotations

import math
from dataclasses import replace

from qagate.domain.finding import Finding, FindingCode, Severity
from qagate.domain.glance import NEITHER, Glance
from qagate.domain.prompt import MODALITIES, Evidence, Prompt
from qagate.prompt.rules import Rules

CONFIDENCE_FROM_PIXELS = 0.8
"""A region that only the picture says is believed by this share of the classifier's own belief."""
DOUBT_FACTOR = 0.5
"""What is left of the confidence in the tags when the picture is sure of something else."""
MAX_WEIGHT = 3.0
SHOWN_FROM = 0.3
"""What the picture looks like with less belief than this is not worth a line."""
_TAG = "PixelData"


def second_opinion(prompt: Prompt, glance: Glance, rules: Rules) -> Prompt:
    """Return the prompt with what a glance at the pixels adds to it. Pure."""
    if not glance.slices:
        return prompt
    prompt = _on_modality(prompt, glance)
    if prompt.modality is None or not glance.regions:
        return prompt
    seen = max(glance.regions, key=lambda word: glance.regions[word])
    if glance.regions[seen] < SHOWN_FROM:
        return prompt
    line = _line(glance, f"region:{seen}", glance.regions[seen], seen in glance.sure)
    if seen not in glance.sure:
        return replace(prompt, evidence=(*prompt.evidence, line))
    if not prompt.regions:
        return _filled(prompt, seen, glance.regions[seen], line)
    if any(seen == said or frozenset((seen, said)) in rules.neighbours for said in prompt.regions):
        return replace(prompt, evidence=(*prompt.evidence, line))
    if "whole_body" in prompt.regions:
        return replace(prompt, evidence=(*prompt.evidence, line))
    detail = f"The picture looks like {seen.replace('_', ' ')}, the tags say {_words(prompt.regions)}."
    return _doubted(replace(prompt, evidence=(*prompt.evidence, line)), detail)


def _on_modality(prompt: Prompt, glance: Glance) -> Prompt:
    if NEITHER in glance.sure and prompt.modality is not None:
        line = _line(glance, f"modality:{NEITHER}", glance.modality[NEITHER], True)
        return _doubted(replace(prompt, evidence=(*prompt.evidence, line)), "The picture looks like no scan of a body.")
    seen = next((word for word in MODALITIES if word in glance.sure), None)
    if seen is None:
        return prompt
    line = _line(glance, f"modality:{seen}", glance.modality[seen], True)
    if prompt.modality is None:
        # Other kinds of objects (PET, ultrasound) look like MR now and then: what tags exclude stays excluded.
        return prompt if prompt.exclusions else replace(prompt, modality=seen, evidence=(*prompt.evidence, line))
    if prompt.modality == seen:
        return replace(prompt, evidence=(*prompt.evidence, line))
    detail = f"The values look like {seen}, the tags say {prompt.modality}."
    return _doubted(replace(prompt, evidence=(*prompt.evidence, line)), detail)


def _filled(prompt: Prompt, region: str, share: float, line: Evidence) -> Prompt:
    return replace(
        prompt,
        regions=(region,),
        confidence=round(min(0.75, CONFIDENCE_FROM_PIXELS * share), 3),
        evidence=(*prompt.evidence, line),
        findings=tuple(finding for finding in prompt.findings if finding.code is not FindingCode.PROMPT_UNKNOWN),
    )


def _doubted(prompt: Prompt, detail: str) -> Prompt:
    finding = Finding(FindingCode.PROMPT_CONFLICT, Severity.MILD, detail)
    others = tuple(one for one in prompt.findings if one.code is not FindingCode.PROMPT_CONFLICT)
    kept = prompt.findings if len(others) < len(prompt.findings) else (*others, finding)
    return replace(prompt, confidence=round(prompt.confidence * DOUBT_FACTOR, 3), conflict=True, findings=kept)


def _line(glance: Glance, says: str, share: float, sure: bool) -> Evidence:
    weight = math.log(max(share, 1e-3) / max(1 - share, 1e-3)) if sure else 0.0
    value = f"{share:.0%} in {glance.slices} slice(s)" + ("" if sure else ", not sure enough to count")
    return Evidence(_TAG, value, f"glance/{glance.version}", says, round(min(weight, MAX_WEIGHT), 1))


def _words(regions: tuple[str, ...]) -> str:
    return ", ".join(word.replace("_", " ") for word in regions)
