"""The journey of a series. The whole product can be read on this page:

    receive → assemble → prompt → score → judge → report → deliver

`receive` has put the objects in the spool (work/receiving.py) and a sweep has found the series complete
(work/sweeps.py). From here on each revision of a series is one durable workflow.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset

from qagate.clock import Clock
from qagate.domain.decision import Sampling
from qagate.domain.finding import Finding, FindingCode, Severity
from qagate.domain.verdict import Action, worst
from qagate.domain.volume import SeriesVolumes
from qagate.errors import QagateError
from qagate.report.build import build
from qagate.settings import Settings
from qagate.store import assessments, backfills, holding, reception, retention, revisions
from qagate.store import limits as site_limits
from qagate.store.database import Database
from qagate.store.revisions import WrittenDocument
from qagate.store.tables import DocumentRow, RevisionRow, SeriesRow
from qagate.work.ahead import Judge, Question
from qagate.work.assessing import Judged
from qagate.work.previews import pictures_of, save, save_heatmap
from qagate.work.reporting import Pictures, request_for

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
class Pipeline:
    """What a worker needs to judge series: opened once, used for all."""

    settings: Settings
    database: Database
    clock: Clock
    judge: Judge

    def journey(self, revision_id: int) -> None:
        """Take one revision from the spool to the outbox. Safe to repeat: what was written before stays."""
        with self.database.read() as session:
            revision, series = revisions.get(session, revision_id)
            if revision.state not in revisions.UNFINISHED:
                return
            paths = reception.spool_paths(session, series.series_instance_uid, revision.number)
            question = Question(
                series.series_instance_uid,
                series.calling_ae_title,
                frozenset(paths),
                remarks=_remarks(
                    revisions.conflicting(session, series.series_instance_uid),
                    revision,
                    gone=retention.gone(session, series.series_instance_uid),
                ),
                site_limits=tuple(site_limits.standing(session)),
            )
        try:
            answer = self.judge.answer(question)
            volumes, judged = answer.volumes, answer.judged
            if not volumes.volumes:
                self._exclude(revision_id, volumes)
                return
            pictures = {item.volume.index: pictures_of(item.volume, item.assessment) for item in judged}
            self._record(revision_id, volumes, judged, pictures)
            self._report(revision, series, judged, pictures, answer.headers)
        except QagateError as error:
            if error.retryable:
                raise
            self._park(revision_id, str(error))
        except Exception:
            # The last line of defence: a fault of ours must not stop other series, and must not go unseen.
            logger.exception("series %s could not be judged", series.series_instance_uid)
            self._park(revision_id, "an unexpected fault; the log has its details")

    def _exclude(self, revision_id: int, volumes: SeriesVolumes) -> None:
        why = volumes.why_empty
        rule = f"{why.code}: {why.detail}"
        with self.database.begin() as session:
            revisions.exclude(session, revision_id, rule=rule, at=self.clock.now())
        logger.info("excluded %s (%s)", volumes.series_instance_uid, why.code)

    def _park(self, revision_id: int, reason: str) -> None:
        with self.database.begin() as session:
            revisions.fail(session, revision_id, reason=reason, at=self.clock.now())
        logger.error("revision %d was parked: %s", revision_id, reason)

    def _record(self, revision_id: int, volumes: SeriesVolumes, judged: Sequence[Judged], pictures: Pictures) -> None:
        folder = self.settings.previews_dir / str(revision_id)
        for item in judged:
            save(folder, item.assessment, pictures[item.volume.index])
            save_heatmap(folder, item.volume, item.heatmap)
        with self.database.begin() as session:
            assessments.record(
                session,
                revision_id,
                [(item.assessment, item.verdict) for item in judged],
                words=header_words(volumes),
                at=self.clock.now(),
                sampling=Sampling(self.settings.review.blind_accepted, self.settings.review.blind_flagged),
            )

    def _report(
        self,
        revision: RevisionRow,
        series: SeriesRow,
        judged: Sequence[Judged],
        pictures: Pictures,
        headers: Sequence[Dataset],
    ) -> None:
        overall = worst(tuple(item.verdict for item in judged))
        now = self.clock.now()
        with self.database.read() as session:
            silent = backfills.is_silent(session, revision)
        if silent or overall.action is Action.SHADOW:
            documents: list[WrittenDocument] = []
        else:
            with self.database.read() as session:
                before = revisions.predecessor(session, revision)
                waits = any(item.verdict.flagged and item.verdict.action is Action.HOLD for item in judged)
                said = holding.note(session, series.series_instance_uid, waits=waits)
            request = request_for(
                judged,
                headers,
                pictures,
                self.settings,
                revision=revision.number,
                predecessor=_reference(before) if before is not None else None,
                set_of_images=f"{revision.series_instance_uid}|{revision.number}|{revision.digest}",
                created_at=now,
                notes=(said,),
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


def header_words(volumes: SeriesVolumes) -> dict[str, str]:
    """Return the words of the headers that the worklist shows."""
    return {
        column: " ".join(str(volumes.tags[k]) for k in keywords if k in volumes.tags)
        for column, keywords in HEADER_WORDS.items()
    }


def _remarks(conflicting: Sequence[str], revision: RevisionRow, *, gone: int) -> tuple[Finding, ...]:
    remarks = []
    if conflicting:
        remarks.append(
            Finding(
                FindingCode.CONFLICTING_COPY,
                Severity.MODERATE,
                "1 image came twice with different contents; both are kept."
                if len(conflicting) == 1
                else f"{len(conflicting)} images came twice with different contents; both are kept.",
                tuple(conflicting),
            )
        )
    if revision.missing:
        remarks.append(
            Finding(
                FindingCode.INCOMPLETE_SERIES,
                Severity.MODERATE,
                f"{revision.missing} of {revision.expected} images are missing, as {_who(revision.expected_by)} says.",
            )
        )
    if revision.broke_off:
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


def _who(expected_by: str) -> str:
    return "the scanner's own list (MPPS)" if expected_by == "mpps" else expected_by


def _reference(document: DocumentRow) -> tuple[str, str, str]:
    return document.sop_class_uid, document.sop_instance_uid, document.series_instance_uid
