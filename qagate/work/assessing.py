"""Judging one series: prompt → score → judge, for each of its volumes. No database, no network."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from qagate.assemble.series import Limits
from qagate.domain.assessment import Assessment, Estimate, Measurement, SliceScore, Source
from qagate.domain.finding import Finding, FindingCode, Severity
from qagate.domain.limit import SiteLimit
from qagate.domain.prompt import Prompt
from qagate.domain.verdict import Verdict
from qagate.domain.volume import SeriesVolumes, Volume
from qagate.errors import QagateError, ScoringError
from qagate.judge.decide import decide
from qagate.prompt.rules import Rules
from qagate.score.physics import measure
from qagate.score.scorer import Scorer
from qagate.settings import Settings
from qagate.work.reading import read_prompt


@dataclass(frozen=True, slots=True)
class Judged:
    """One volume with all that is said about it. heatmap: as in Estimate; None when unscored."""

    volume: Volume
    assessment: Assessment
    verdict: Verdict
    heatmap: npt.NDArray[np.float32] | None = None


def assess(
    volumes: SeriesVolumes,
    rules: Rules,
    scorer: Scorer,
    settings: Settings,
    calling_ae_title: str = "",
    *,
    remarks: Sequence[Finding] = (),
    prompt: Prompt | None = None,
    path: str = "",
    site_limits: Sequence[SiteLimit] = (),
) -> list[Judged]:
    """Judge every volume of a series: prompt → score → judge.

    remarks: findings from reception. prompt: words given by a person, which then stand for what the tags say.
    site_limits: limits that people set over the policies' own.
    """
    judged = []
    for volume in volumes.volumes:
        started = time.perf_counter()
        words = prompt or read_prompt(volume, rules)
        assessment, heatmap = _assess_volume(volumes, volume, words, scorer, remarks, path)
        milliseconds = (time.perf_counter() - started) * 1000
        assessment = replace(assessment, timing_ms={**assessment.timing_ms, "total": milliseconds})
        verdict = decide(
            assessment,
            settings.policies,
            calling_ae_title=calling_ae_title,
            protocol=str(volume.tags.get("ProtocolName", "")),
            site_limits=site_limits,
        )
        judged.append(Judged(volume, assessment, verdict, heatmap))
    return judged


def _assess_volume(
    series: SeriesVolumes, volume: Volume, prompt: Prompt, scorer: Scorer, remarks: Sequence[Finding], path: str
) -> tuple[Assessment, npt.NDArray[np.float32] | None]:
    findings = _once(*remarks, *series.findings, *volume.findings, *prompt.exclusions, *prompt.findings)
    assessment = Assessment(
        source=Source(
            path=path,
            study_instance_uid=series.study_instance_uid,
            series_instance_uid=series.series_instance_uid,
            instances=series.instances,
            volume_index=volume.index,
            volumes=len(series.volumes),
            label=volume.label,
        ),
        prompt=prompt,
        geometry=volume.geometry,
        score=None,
        interval=None,
        attributes={},
        slices=tuple(SliceScore(s.sop_instance_uid, s.frame_number, s.position_mm, None) for s in volume.slices),
        physics=(),
        findings=findings,
        model=scorer.identity,
    )
    if any(finding.unscorable for finding in findings):
        return assessment, None
    with ThreadPoolExecutor(1, "physics") as beside:
        measuring = beside.submit(_measured, volume, prompt)
        started = time.perf_counter()
        estimate: Estimate | QagateError
        try:
            estimate = _finite(scorer.score(volume, prompt))
        except QagateError as error:
            estimate = error
        timing = {"score": (time.perf_counter() - started) * 1000}
        physics, timing["physics"] = measuring.result()
    if isinstance(estimate, QagateError):
        failure = Finding(FindingCode.SCORING_FAILED, Severity.SEVERE, f"The network could not score it: {estimate}")
        return replace(assessment, physics=physics, findings=(*findings, failure)), None
    if not estimate.in_domain:
        strange = Finding(
            FindingCode.OUT_OF_DOMAIN, Severity.MODERATE, "It looks like nothing the model has learnt from."
        )
        unlike = replace(
            assessment,
            physics=physics,
            findings=(*findings, strange),
            out_of_domain=estimate.out_of_domain,
            timing_ms=timing,
        )
        return unlike, None
    scores: npt.NDArray[np.float32] = estimate.slice_scores
    scored = replace(
        assessment,
        score=_told(estimate.score),
        interval=estimate.interval and (_told(estimate.interval[0]), _told(estimate.interval[1])),
        attributes=dict(estimate.attributes),
        slices=tuple(
            replace(s, score=None if np.isnan(value) else float(value))
            for s, value in zip(assessment.slices, scores, strict=True)
        ),
        physics=physics,
        model=estimate.model,
        out_of_domain=estimate.out_of_domain,
        timing_ms=timing,
    )
    return scored, estimate.heatmap


def _finite(estimate: Estimate) -> Estimate:
    """Return the estimate. Raises ScoringError for one with numbers that no report and no database takes."""
    numbers = (estimate.score, *estimate.interval, *estimate.attributes.values(), estimate.out_of_domain)
    if not np.isfinite(numbers).all():
        raise ScoringError("its answer must be numbers, got nan or infinity")
    return estimate


def _told(score: float) -> float:
    """Return a score as it is written everywhere: the verdict, its reasons, documents and pages then agree."""
    return round(float(score), 1)


def _measured(volume: Volume, prompt: Prompt) -> tuple[tuple[Measurement, ...], float]:
    """Return the measurements, and the milliseconds that they took."""
    started = time.perf_counter()
    return measure(volume, prompt), (time.perf_counter() - started) * 1000


def _once(*findings: Finding) -> tuple[Finding, ...]:
    """Keep the first of several reasons of one kind for having no score: tags and geometry often agree."""
    kept: list[Finding] = []
    for finding in findings:
        if not (finding.unscorable and any(other.code == finding.code for other in kept)):
            kept.append(finding)
    return tuple(kept)


def limits(settings: Settings) -> Limits:
    """Return the sizes beyond which nothing is decoded."""
    return Limits(
        max_object_bytes=settings.storage.max_object_mb << 20, max_volume_bytes=settings.storage.max_volume_mb << 20
    )
