"""The journey of a series. The whole product can be read on this page:

    receive → assemble → prompt → score → judge → report → deliver

`receive` has put the objects in the spool (work/receiving.py) and a sweep has found the series complete
(work/sweeps.py). From here on each revision of a series is one durable workflow.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from qagate.assemble.child import Decoders
from qagate.assemble.headers import read_header
from qagate.assemble.series import Limits, read_series
from qagate.clock import Clock
from qagate.domain.assessment import Assessment, SliceScore, Source
from qagate.domain.finding import Finding, FindingCode, Severity
from qagate.domain.prompt import Prompt
from qagate.domain.verdict import Action, Verdict, worst
from qagate.domain.volume import SeriesVolumes, Volume
from qagate.errors import InputError, QagateError
from qagate.judge.decide import decide
from qagate.prompt.infer import infer
from qagate.prompt.rules import Rules
from qagate.report.build import build
from qagate.report.request import ReportRequest
from qagate.score.physics import measure
from qagate.score.scorer import Scorer
from qagate.settings import Settings
from qagate.store import reception, retention, revisions
from qagate.store.database import Database
from qagate.store.revisions import WrittenDocument
from qagate.store.tables import RevisionRow, SeriesRow
from qagate.work.previews import pictures_of, save

logger = logging.getLogger(__name__)

HEADER_WORDS = {
    "accession_number": ("AccessionNumber",),
    "series_description": ("SeriesDescription",),
    "protocol_name": ("ProtocolName",),
    "station_name": ("StationName",),
    "device": ("Manufacturer", "ManufacturerModelName"),
}
"""Columns of the worklist and the DICOM attributes they are made of."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One volume with all that is said about it."""

    volume: Volume
    assessment: Assessment
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What a worker needs to judge series: opened once, used for all."""

    settings: Settings
    database: Database
    clock: Clock
    rules: Rules
    scorer: Scorer
    decoders: Decoders

    def journey(self, revision_id: int) -> None:
        """Take one revision from the spool to the outbox. Safe to repeat: what was written before stays."""
        with self.database.begin() as session:
            revision, series = revisions.get(session, revision_id)
            if revision.state not in revisions.UNFINISHED:
                return
            paths = reception.spool_paths(session, series.series_instance_uid, revision.number)
            remarks = _remarks(
                revisions.conflicting(session, series.series_instance_uid),
                aborted=revisions.aborted(session, revision),
                gone=retention.gone(session, series.series_instance_uid),
            )
        try:
            volumes = read_series(paths, limits(self.settings), self.decoders)
            if not volumes.volumes:
                self._exclude(revision_id, volumes)
                return
            judged = assess(volumes, self.rules, self.scorer, self.settings, series.calling_ae_title, remarks=remarks)
            self._record(revision_id, volumes, judged)
            self._report(revision, series, judged, paths)
        except QagateError as error:
            if error.retryable:
                raise
            self._park(revision_id, str(error))
        except Exception:
            # The last line of defence: a fault of ours must not stop other series, and must not go unseen.
            logger.exception("series %s could not be judged", series.series_instance_uid)
            self._park(revision_id, "an unexpected fault; the log has its details")

    def _exclude(self, revision_id: int, volumes: SeriesVolumes) -> None:
        findings = volumes.findings or (Finding(FindingCode.NOT_AN_IMAGE, Severity.NONE, "There is no image in it."),)
        rule = f"{findings[0].code}: {findings[0].detail}"
        with self.database.begin() as session:
            revisions.exclude(session, revision_id, rule=rule, at=self.clock.now())
        logger.info("excluded %s (%s)", volumes.series_instance_uid, findings[0].code)

    def _park(self, revision_id: int, reason: str) -> None:
        with self.database.begin() as session:
            revisions.fail(session, revision_id, reason=reason, at=self.clock.now())
        logger.error("revision %d was parked: %s", revision_id, reason)

    def _record(self, revision_id: int, volumes: SeriesVolumes, judged: Sequence[Judged]) -> None:
        folder = self.settings.previews_dir / str(revision_id)
        for item in judged:
            save(folder, item.assessment, pictures_of(item.volume, item.assessment))
        with self.database.begin() as session:
            revisions.record_assessments(
                session,
                revision_id,
                [(item.assessment, item.verdict) for item in judged],
                words=header_words(volumes),
                at=self.clock.now(),
            )

    def _report(
        self, revision: RevisionRow, series: SeriesRow, judged: Sequence[Judged], paths: Sequence[Path]
    ) -> None:
        overall = worst(tuple(item.verdict for item in judged))
        now = self.clock.now()
        if overall.action is Action.SHADOW:
            documents: list[WrittenDocument] = []
        else:
            with self.database.begin() as session:
                before = revisions.predecessor(session, revision)
            request = ReportRequest(
                assessments=tuple((item.assessment, item.verdict) for item in judged),
                overall=overall,
                evidence=tuple(_headers(paths)),
                pictures=_pictures(judged),
                revision=revision.number,
                predecessor=(before.sop_class_uid, before.sop_instance_uid, before.series_instance_uid)
                if before
                else None,
                created_at=now,
                settings=self.settings.report,
                station_name=self.settings.node.station_name,
                public_url=series_url(self.settings, series.series_instance_uid),
                seed=_seed(revision, judged),
            )
            documents = [self._written(document) for document in build(request)]
        with self.database.begin() as session:
            revisions.record_documents(
                session,
                revision.id,
                documents,
                destinations=[(d.name, d.documents) for d in self.settings.destinations],
                at=now,
            )
        logger.info(
            "%s %s: %s %s",
            series.modality or "series",
            series.series_instance_uid,
            overall.word,
            "" if judged[0].assessment.score is None else round(judged[0].assessment.score),
        )

    def _written(self, document: Any) -> WrittenDocument:
        paths = document.write(self.settings.outbox_dir)
        richest: Dataset = document.variants[0]
        return WrittenDocument(
            kind=document.kind,
            sop_class_uid=str(richest.SOPClassUID),
            sop_instance_uid=str(richest.SOPInstanceUID),
            series_instance_uid=str(richest.SeriesInstanceUID),
            variants=tuple(str(path) for path in paths),
        )


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
) -> list[Judged]:
    """Judge every volume of a series: prompt → score → judge.

    remarks: findings from reception. prompt: words given by a person, which then stand for what the tags say.
    """
    judged = []
    for volume in volumes.volumes:
        started = time.perf_counter()
        words = prompt or infer(volume.tags, rules)
        assessment = _assess_volume(volumes, volume, words, scorer, remarks, path)
        milliseconds = (time.perf_counter() - started) * 1000
        assessment = replace(assessment, timing_ms={**assessment.timing_ms, "total": milliseconds})
        verdict = decide(
            assessment,
            settings.policies,
            calling_ae_title=calling_ae_title,
            protocol=str(volume.tags.get("ProtocolName", "")),
        )
        judged.append(Judged(volume, assessment, verdict))
    return judged


def _assess_volume(
    series: SeriesVolumes, volume: Volume, prompt: Prompt, scorer: Scorer, remarks: Sequence[Finding], path: str
) -> Assessment:
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
        return assessment
    started = time.perf_counter()
    physics = measure(volume, prompt)
    measured = time.perf_counter()
    try:
        estimate = scorer.score(volume, prompt)
    except QagateError as error:
        failure = Finding(FindingCode.SCORING_FAILED, Severity.SEVERE, f"The network could not score it: {error}")
        return replace(assessment, physics=physics, findings=(*findings, failure))
    timing = {"physics": (measured - started) * 1000, "score": (time.perf_counter() - measured) * 1000}
    if not estimate.in_domain:
        strange = Finding(
            FindingCode.OUT_OF_DOMAIN, Severity.MODERATE, "It looks like nothing the model has learnt from."
        )
        return replace(
            assessment,
            physics=physics,
            findings=(*findings, strange),
            out_of_domain=estimate.out_of_domain,
            timing_ms=timing,
        )
    scores: npt.NDArray[np.float32] = estimate.slice_scores
    return replace(
        assessment,
        score=estimate.score,
        interval=estimate.interval,
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


def header_words(volumes: SeriesVolumes) -> dict[str, str]:
    """Return the words of the headers that the worklist shows."""
    return {
        column: " ".join(str(volumes.tags[k]) for k in keywords if k in volumes.tags)
        for column, keywords in HEADER_WORDS.items()
    }


def series_url(settings: Settings, series_instance_uid: str) -> str | None:
    """Return the address of a series' page, when people can reach one."""
    base = settings.web.public_url
    return f"{base.rstrip('/')}/series/{series_instance_uid}" if base else None


def _remarks(conflicting: Sequence[str], *, aborted: bool, gone: int) -> tuple[Finding, ...]:
    remarks = []
    if conflicting:
        remarks.append(
            Finding(
                FindingCode.CONFLICTING_COPY,
                Severity.MODERATE,
                f"{len(conflicting)} image(s) came twice with different contents; both are kept.",
                tuple(conflicting),
            )
        )
    if aborted:
        remarks.append(
            Finding(
                FindingCode.INCOMPLETE_SERIES,
                Severity.MODERATE,
                "The sender broke off before it was finished; images may be missing.",
            )
        )
    if gone:
        remarks.append(
            Finding(
                FindingCode.INCOMPLETE_SERIES,
                Severity.MODERATE,
                f"{gone} earlier images have left the spool; only what came since was judged.",
            )
        )
    return tuple(remarks)


def _headers(paths: Sequence[Path]) -> list[Dataset]:
    headers = []
    for path in paths:
        try:
            headers.append(read_header(path))
        except InputError:
            continue  # already among the findings of the series
    return headers


def _pictures(judged: Sequence[Judged]) -> dict[tuple[int, int], npt.NDArray[np.uint8]]:
    return {
        (item.volume.index, index): picture
        for item in judged
        for index, picture in pictures_of(item.volume, item.assessment).items()
    }


def _seed(revision: RevisionRow, judged: Sequence[Judged]) -> str:
    """What the UIDs of the documents are derived from: the same answer about the same set is the same document."""
    said = ";".join(
        f"{i.volume.index},{i.assessment.score},{i.verdict.outcome},{i.verdict.policy},"
        f"{i.assessment.model and i.assessment.model.sha256},{i.assessment.prompt.rules_version}"
        for i in judged
    )
    return f"{revision.series_instance_uid}|{revision.number}|{revision.digest}|{said}"
