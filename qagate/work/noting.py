"""Rejection notes: written only after a person rejected a series, only for destinations that are set to get them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from qagate.assemble.headers import read_header
from qagate.clock import Clock
from qagate.domain.assessment import Assessment, Source
from qagate.domain.finding import Finding, FindingCode, Severity
from qagate.domain.holding import REJECTION_REASONS
from qagate.domain.prompt import Prompt
from qagate.domain.verdict import Action, Outcome, Verdict, worst
from qagate.errors import InputError, QagateError, ReportError
from qagate.report.build import rejection_note, withdrawal_note
from qagate.report.request import ReportRequest
from qagate.settings import Destination, Settings
from qagate.store import assessments, notes
from qagate.store.database import Database
from qagate.store.notes import Wanted
from qagate.store.revisions import WrittenDocument
from qagate.store.tables import AssessmentRow

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Notes:
    """Writes the notes that people's decisions ask for."""

    settings: Settings
    database: Database
    clock: Clock

    def write(self) -> None:
        """Write every note that is asked for. Safe to repeat: the same decision gives the same note."""
        with self.database.read() as session:
            asked = notes.wanted(session)
        for wanted in asked:
            try:
                self._write_one(wanted)
            except QagateError as error:
                if error.retryable:
                    raise
                logger.error("no note about series %s: %s", wanted.series_instance_uid, error)
                with self.database.begin() as session:
                    notes.record(session, wanted, None, (), at=self.clock.now())
            except Exception:  # one series must not keep back the notes about others
                logger.exception("no note about series %s yet; it is tried again", wanted.series_instance_uid)

    def _write_one(self, wanted: Wanted) -> None:
        with self.database.begin() as session:
            if wanted.withdrawal:
                told = notes.told(session, wanted)
                destinations = [d for d in self.settings.destinations if d.withdrawal_notes and d.name in told]
            else:
                uid = wanted.series_instance_uid
                # an archive that never got the images would take the note for one about images to come
                destinations = [
                    d
                    for d in self.settings.destinations
                    if d.rejection_notes and (not d.originals or notes.reached(session, uid, d.name))
                ]
            paths = notes.paths(session, wanted.series_instance_uid)
            said = assessments.of(session, wanted.revision_id)
        document = self._document(wanted, paths, said) if destinations and paths else None
        with self.database.begin() as session:
            notes.record(session, wanted, document, _names(destinations), at=self.clock.now())

    def _document(
        self, wanted: Wanted, paths: tuple[str, ...], assessments: tuple[AssessmentRow, ...]
    ) -> WrittenDocument:
        evidence = []
        for path in paths:
            try:
                evidence.append(read_header(Path(path)))
            except InputError:
                continue  # it cannot be referred to either
        if not evidence:
            raise ReportError("a note needs at least one image that can be read, got none")
        study = str(evidence[0].get("StudyInstanceUID") or "")
        try:
            pairs = tuple(_said(row, study, wanted.series_instance_uid, len(paths)) for row in assessments)
        except (KeyError, TypeError, ValueError) as error:  # written by another version
            raise ReportError(f"the assessment of the series must be readable, got {error!r}") from error
        pairs = pairs or (_unsaid(study, wanted.series_instance_uid, len(paths)),)
        request = ReportRequest(
            assessments=pairs,
            overall=worst(tuple(verdict for _, verdict in pairs)),
            evidence=tuple(evidence),
            pictures={},
            revision=1,
            predecessor=None,
            created_at=self.clock.now(),
            settings=self.settings.report,
            station_name=self.settings.node.station_name,
            public_url=None,
            seed=f"{wanted.series_instance_uid}|{wanted.kind}",
        )
        if wanted.withdrawal:
            document = withdrawal_note(request, by=wanted.by)
        else:
            code = (
                wanted.code if wanted.code in REJECTION_REASONS else None
            )  # another list's: the dominant reason stands
            document = rejection_note(request, confirmed_by=wanted.by, reason=code)
        written = document.write(self.settings.outbox_dir)
        note = document.variants[0]
        return WrittenDocument(
            kind=wanted.kind,
            sop_class_uid=str(note.SOPClassUID),
            sop_instance_uid=str(note.SOPInstanceUID),
            series_instance_uid=str(note.SeriesInstanceUID),
            variants=tuple(str(path) for path in written),
        )


def _said(row: AssessmentRow, study: str, series: str, instances: int) -> tuple[Assessment, Verdict]:
    """Return what a note needs of an assessment. Without slices: the note is about all images of the series."""
    said = row.document
    policy = said.get("policy") or {}
    assessment = Assessment(
        source=Source("", study, series, instances, row.volume_index, 1),
        prompt=Prompt(modality=(said.get("prompt") or {}).get("modality")),
        geometry=None,
        score=row.score,
        interval=None,
        attributes=dict(said.get("attributes") or {}),
        slices=(),
        physics=(),
        findings=tuple(
            Finding(FindingCode(f["code"]), Severity(f["severity"]), f["detail"]) for f in said.get("findings") or ()
        ),
        model=None,
    )
    verdict = Verdict(
        Outcome(row.outcome),
        tuple(said.get("reasons") or ()),
        row.policy,
        Action(policy.get("action", Action.ADVISE)),
        policy.get("limit"),
        tuple((policy.get("attribute_limits") or {}).items()),
    )
    return assessment, verdict


def _unsaid(study: str, series: str, instances: int) -> tuple[Assessment, Verdict]:
    """Return the same for a series that was never judged."""
    assessment = Assessment(
        Source("", study, series, instances, 0, 1), Prompt(), None, None, None, {}, (), (), (), None
    )  # fmt: skip
    return assessment, Verdict(Outcome.UNSCORED, (), "", Action.ADVISE)


def _names(destinations: list[Destination]) -> list[str]:
    return [destination.name for destination in destinations]
