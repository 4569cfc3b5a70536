"""Build: which documents a request makes."""

from __future__ import annotations

from qagate.report import codes, ko
from qagate.report.document import Document
from qagate.report.evidence import Origin, normalise
from qagate.report.request import ReportRequest
from qagate.report.sc import secondary_capture
from qagate.report.sr import structured_report

__all__ = ["Document", "build", "origin_of", "rejection_note", "withdrawal_note"]


def build(request: ReportRequest) -> tuple[Document, ...]:
    """Return the documents on one series: the SR always, SC and KO as settings and verdict ask.

    A series without a score gets its SR too, which says why. Nothing is read from or written to disk. The same request
    gives the same documents. Raises ReportError when the request contradicts itself.
    """
    vocabulary, origin = codes.load(), origin_of(request)
    documents = [structured_report(request, origin, vocabulary)]
    if request.settings.secondary_capture:
        documents.append(secondary_capture(request, origin, vocabulary))
    if request.settings.key_object and request.overall.flagged and origin.instances:
        documents.append(ko.quality_issue(request, origin, vocabulary))
    return tuple(documents)


def rejection_note(request: ReportRequest, *, confirmed_by: str, reason: str | None = None) -> Document:
    """Return a rejection note (113001) on the flagged volumes, for an action that a person confirmed; never automatic.

    reason: a name under `ko_reasons` of codes.yaml; the dominant one when None. Raises KeyError for another name,
    ReportError when nobody confirmed.
    """
    vocabulary = codes.load()
    code = None if reason is None else vocabulary.reasons[reason]
    return ko.rejection_note(request, origin_of(request), vocabulary, confirmed_by=confirmed_by, reason=code)


def withdrawal_note(request: ReportRequest, *, by: str) -> Document:
    """Return a note that withdraws an earlier rejection note, for an action that a person confirmed."""
    return ko.withdrawal_note(request, origin_of(request), codes.load(), by=by)


def origin_of(request: ReportRequest) -> Origin:
    """Return what the documents take over from the source series."""
    source = request.assessments[0][0].source
    return normalise(request.evidence, source.study_instance_uid, source.series_instance_uid)
