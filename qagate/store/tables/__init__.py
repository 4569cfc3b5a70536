"""The tables: one row per fact. Times are UTC; UIDs and AE titles are as in DICOM."""

from __future__ import annotations

from qagate.store.tables.alert import AlertRow
from qagate.store.tables.audit import AuditRow
from qagate.store.tables.backfill import BackfillRow, BackfillSeriesRow
from qagate.store.tables.base import Base, UtcDateTime
from qagate.store.tables.completion import InquiryRow, PerformedSeriesRow, PerformedStepRow, ReconciliationRow
from qagate.store.tables.decision import DecisionRow, ReviewRow, SiteLimitRow
from qagate.store.tables.event import EventRow
from qagate.store.tables.holding import CommitmentRow, ForwardRow, HoldingRow
from qagate.store.tables.kind import KindRow
from qagate.store.tables.outbox import DeliveryRow, DocumentRow
from qagate.store.tables.people import InvitationRow, LoginRow, PersonRow, TokenRow, TryRow
from qagate.store.tables.reception import AnnouncedRow, AssociationRow, InstanceRow, SeriesRow
from qagate.store.tables.revisions import AssessmentRow, RevisionRow
from qagate.store.tables.trend import AnnotationRow, PointRow
from qagate.store.tables.worker import WorkerRow

__all__ = [
    "AlertRow",
    "AnnotationRow",
    "AnnouncedRow",
    "AssessmentRow",
    "AssociationRow",
    "AuditRow",
    "BackfillRow",
    "BackfillSeriesRow",
    "Base",
    "CommitmentRow",
    "DecisionRow",
    "DeliveryRow",
    "DocumentRow",
    "EventRow",
    "ForwardRow",
    "HoldingRow",
    "InquiryRow",
    "InstanceRow",
    "InvitationRow",
    "KindRow",
    "LoginRow",
    "PerformedSeriesRow",
    "PerformedStepRow",
    "PersonRow",
    "PointRow",
    "ReconciliationRow",
    "ReviewRow",
    "RevisionRow",
    "SeriesRow",
    "SiteLimitRow",
    "TokenRow",
    "TryRow",
    "UtcDateTime",
    "WorkerRow",
]
