"""Infer: a series' prompt from its tags, with the reason for every word."""

from __future__ import annotations

from qagate.domain.finding import Finding, FindingCode, Severity
from qagate.domain.prompt import PLANES, Evidence, Prompt
from qagate.domain.volume import Tags
from qagate.prompt import acquisition as values
from qagate.prompt.exclusions import exclusions, modality
from qagate.prompt.kernel import contrast, kernel
from qagate.prompt.match import evidence, fires, shown
from qagate.prompt.measured import measured
from qagate.prompt.regions import anatomy
from qagate.prompt.rules import Rules
from qagate.prompt.sequence import sequence


def infer(tags: Tags, rules: Rules, plane: str | None = None) -> Prompt:
    """Return the prompt of a series (or of one volume of it) from its tags.

    tags: DICOM keyword → plain value, see `domain.volume.Tags`; any of them may be absent or odd. plane: the plane
    measured from the geometry, when there is one. Pure, never raises: what the tags do not say stays None.
    """
    found, contradicted, chain = modality(tags)
    where = anatomy(tags, rules, found)
    chain += where.evidence
    sequence_word = kernel_word = None
    if found == "MR":
        sequence_word, more = sequence(tags, rules)
        chain += more
    elif found == "CT":
        kernel_word, more = kernel(tags, rules)
        chain += more
    given, more = contrast(tags, rules)
    chain += more
    plane_word, more = _plane(tags, rules, plane)
    chain += more
    excluded, more = exclusions(tags, rules, found)
    chain += more
    acquired = values.acquisition(tags)
    chain += measured(tags, acquired)
    conflict = where.conflict or contradicted
    return Prompt(
        modality=found,
        regions=where.regions,
        organ=where.organ,
        sequence=sequence_word,
        kernel=kernel_word,
        plane=plane_word,
        contrast=given,
        acquisition=acquired,
        confidence=where.confidence,
        conflict=conflict,
        evidence=chain,
        exclusions=excluded,
        findings=_findings(tags, where.regions, where.conflict, contradicted),
        rules_version=rules.version,
    )


def _plane(tags: Tags, rules: Rules, measured: str | None) -> tuple[str | None, tuple[Evidence, ...]]:
    if measured in PLANES:
        return measured, ()
    by_tag = values.plane(tags)
    if by_tag is not None:
        tag = "ImageOrientationPatient"
        return by_tag, (Evidence(tag, shown(tags, tag), "orientation", f"plane:{by_tag}", 4.0),)
    said = [(rule, hit) for rule in rules.planes if (hit := fires(rule, tags, None))]
    chain = tuple(evidence(rule, hit, f"plane:{rule.to}", rule.weight) for rule, hit in said)
    words = {rule.to for rule, _ in said}
    return (words.pop() if len(words) == 1 else None), chain


def _findings(tags: Tags, regions: tuple[str, ...], conflict: bool, contradicted: bool) -> tuple[Finding, ...]:
    findings = []
    if contradicted:
        detail = f"Modality {shown(tags, 'Modality')} and the kind of object contradict one another."
        findings.append(Finding(FindingCode.PROMPT_CONFLICT, Severity.MILD, detail))
    elif conflict:
        detail = "The tags contradict one another about the body region."
        findings.append(Finding(FindingCode.PROMPT_CONFLICT, Severity.MILD, detail))
    if not regions:
        detail = "The tags do not say which body region this is."
        findings.append(Finding(FindingCode.PROMPT_UNKNOWN, Severity.MILD, detail))
    return tuple(findings)
