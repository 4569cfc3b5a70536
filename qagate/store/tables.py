"""The tables: one row per fact. Times are UTC; UIDs and AE titles are as in DICOM."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class UtcDateTime(TypeDecorator[datetime]):
    """A timezone-aware time, kept as UTC; SQLite has no zones of its own."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times: they would silently mean another moment."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"times are timezone-aware here, got {value!r}")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the time as UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Root of the tables; constraint names are fixed so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime, dict[str, Any]: JSON, list[str]: JSON}  # noqa: RUF012


class AssociationRow(Base):
    """One association a peer opened with us; closed_at is null while it lasts. receiver: the process that served it."""

    __tablename__ = "association"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    calling_ae_title: Mapped[str] = mapped_column(String(16))
    called_ae_title: Mapped[str] = mapped_column(String(16))
    host: Mapped[str] = mapped_column(String(255))
    receiver: Mapped[str] = mapped_column(String(128), default="")
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None] = mapped_column(index=True)
    aborted: Mapped[bool] = mapped_column(default=False)


class SeriesRow(Base):
    """One series as it stands now.

    state: receiving → queued → scored → delivered, or excluded (not for us) or failed (parked after repeated faults).
    The verdict columns repeat the latest revision's, so that the worklist is one query.
    """

    __tablename__ = "series"

    series_instance_uid: Mapped[str] = mapped_column(String(64), primary_key=True)
    study_instance_uid: Mapped[str] = mapped_column(String(64), index=True)
    modality: Mapped[str] = mapped_column(String(16), default="")
    calling_ae_title: Mapped[str] = mapped_column(String(16), default="")
    state: Mapped[str] = mapped_column(String(16), index=True)
    state_reason: Mapped[str] = mapped_column(Text, default="")
    instances: Mapped[int] = mapped_column(default=0)
    first_instance_at: Mapped[datetime]
    last_instance_at: Mapped[datetime] = mapped_column(index=True)
    completed_by: Mapped[str] = mapped_column(String(32), default="")
    revision: Mapped[int] = mapped_column(default=0)
    accession_number: Mapped[str] = mapped_column(String(64), default="")
    series_description: Mapped[str] = mapped_column(String(128), default="")
    protocol_name: Mapped[str] = mapped_column(String(128), default="")
    station_name: Mapped[str] = mapped_column(String(64), default="")
    device: Mapped[str] = mapped_column(String(160), default="")
    region: Mapped[str] = mapped_column(String(64), default="")
    organ: Mapped[str] = mapped_column(String(32), default="")
    sequence: Mapped[str] = mapped_column(String(16), default="")
    outcome: Mapped[str] = mapped_column(String(16), default="", index=True)
    score: Mapped[float | None]
    interval_low: Mapped[float | None]
    interval_high: Mapped[float | None]
    reason: Mapped[str] = mapped_column(Text, default="")
    verdict_at: Mapped[datetime | None] = mapped_column(index=True)

    __table_args__ = (Index("ix_series_outcome_last_instance_at", "outcome", "last_instance_at"),)


class InstanceRow(Base):
    """One object in the spool. Other bytes under the same UID are another row, marked as a conflict."""

    __tablename__ = "instance"

    id: Mapped[int] = mapped_column(primary_key=True)
    series_instance_uid: Mapped[str] = mapped_column(ForeignKey("series.series_instance_uid"))
    sop_instance_uid: Mapped[str] = mapped_column(String(64))
    sop_class_uid: Mapped[str] = mapped_column(String(64))
    transfer_syntax_uid: Mapped[str] = mapped_column(String(64))
    path: Mapped[str] = mapped_column(Text)
    size_bytes: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    conflict: Mapped[bool] = mapped_column(default=False)
    association_id: Mapped[str] = mapped_column(String(64), default="")
    received_at: Mapped[datetime]
    revision: Mapped[int | None] = mapped_column(default=None)
    deleted_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("series_instance_uid", "sop_instance_uid", "sha256"),
        Index("ix_instance_association_id", "association_id"),
    )


class RevisionRow(Base):
    """The set of instances of a series at the time it was scored.

    digest: over the instances' UIDs and bytes, so that the same set is the same revision. state: queued → assessed →
    reported, or excluded or failed.
    """

    __tablename__ = "revision"

    id: Mapped[int] = mapped_column(primary_key=True)
    series_instance_uid: Mapped[str] = mapped_column(ForeignKey("series.series_instance_uid"))
    number: Mapped[int]
    digest: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16), index=True)
    completed_by: Mapped[str] = mapped_column(String(32))
    last_instance_at: Mapped[datetime]
    created_at: Mapped[datetime]
    assessed_at: Mapped[datetime | None]
    reported_at: Mapped[datetime | None]

    __table_args__ = (UniqueConstraint("series_instance_uid", "number"),)


class AssessmentRow(Base):
    """What was said about one volume of one revision; `document` is qagate.assessment/1."""

    __tablename__ = "assessment"

    id: Mapped[int] = mapped_column(primary_key=True)
    revision_id: Mapped[int] = mapped_column(ForeignKey("revision.id"))
    volume_index: Mapped[int]
    score: Mapped[float | None]
    outcome: Mapped[str] = mapped_column(String(16))
    policy: Mapped[str] = mapped_column(String(64))
    document: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("revision_id", "volume_index"),)


class DocumentRow(Base):
    """One SR, SC or KO we wrote. `variants` are its files, richest SOP class first."""

    __tablename__ = "document"

    id: Mapped[int] = mapped_column(primary_key=True)
    revision_id: Mapped[int] = mapped_column(ForeignKey("revision.id"), index=True)
    kind: Mapped[str] = mapped_column(String(4))
    sop_class_uid: Mapped[str] = mapped_column(String(64))
    sop_instance_uid: Mapped[str] = mapped_column(String(64))
    series_instance_uid: Mapped[str] = mapped_column(String(64))
    variants: Mapped[list[str]]
    created_at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("revision_id", "kind"),)


class DeliveryRow(Base):
    """One document for one destination.

    state: planned → sent (or warning: taken, with a remark) → committed; parked: refused, or tried often enough.
    """

    __tablename__ = "delivery"

    id: Mapped[int] = mapped_column(primary_key=True)
    document_id: Mapped[int] = mapped_column(ForeignKey("document.id"))
    destination: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime]
    sop_instance_uid: Mapped[str] = mapped_column(String(64), default="")
    detail: Mapped[str] = mapped_column(Text, default="")
    sent_at: Mapped[datetime | None]
    committed_at: Mapped[datetime | None]
    transaction_uid: Mapped[str] = mapped_column(String(64), default="")
    commitment_asked_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("document_id", "destination"),
        Index("ix_delivery_state_next_attempt_at", "state", "next_attempt_at"),
    )


class EventRow(Base):
    """What happened, when, to which series: the trail a person can read. No patient data."""

    __tablename__ = "event"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    series_instance_uid: Mapped[str] = mapped_column(String(64), index=True, default="")
    what: Mapped[str] = mapped_column(String(64))
    detail: Mapped[str] = mapped_column(Text, default="")
