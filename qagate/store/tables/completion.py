"""Tables of what others say a series consists of: scanners by MPPS, archives when they are asked."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from qagate.store.tables.base import Base


class PerformedStepRow(Base):
    """One performed procedure step of a scanner. state: IN PROGRESS, COMPLETED or DISCONTINUED."""

    __tablename__ = "performed_step"

    sop_instance_uid: Mapped[str] = mapped_column(String(64), primary_key=True)
    calling_ae_title: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(String(128), default="")
    study_instance_uid: Mapped[str] = mapped_column(String(64), default="")
    modality: Mapped[str] = mapped_column(String(16), default="")
    station_name: Mapped[str] = mapped_column(String(16), default="")
    begun_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class PerformedSeriesRow(Base):
    """What a step lists of one series: the SOP Instance UIDs of all that was made in it."""

    __tablename__ = "performed_series"

    id: Mapped[int] = mapped_column(primary_key=True)
    step_uid: Mapped[str] = mapped_column(ForeignKey("performed_step.sop_instance_uid"))
    series_instance_uid: Mapped[str] = mapped_column(String(64), index=True)
    instances: Mapped[list[str]]

    __table_args__ = (UniqueConstraint("step_uid", "series_instance_uid"),)


class InquiryRow(Base):
    """What one archive says of one series, and how often images were fetched from it.

    instances: how many it has; null while it has not answered. missing: the SOP Instance UIDs that it has and we have
    not, when it was asked for them.
    """

    __tablename__ = "inquiry"

    id: Mapped[int] = mapped_column(primary_key=True)
    series_instance_uid: Mapped[str] = mapped_column(String(64))
    destination: Mapped[str] = mapped_column(String(64))
    instances: Mapped[int | None]
    asked_at: Mapped[datetime | None]
    retrievals: Mapped[int] = mapped_column(default=0)
    retrieved_at: Mapped[datetime | None]
    detail: Mapped[str] = mapped_column(Text, default="")

    __table_args__ = (UniqueConstraint("series_instance_uid", "destination"),)


class ReconciliationRow(Base):
    """One day's comparison with one archive.

    state: agreed, differs, or failed (the archive could not be asked; `detail` says why). held: how many CT and MR
    series it has of that day; unseen: those of them that never came here. checked: how many documents of ours it took
    that day; absent: the SOP Instance UIDs of those that it does not hold.
    """

    __tablename__ = "reconciliation"

    id: Mapped[int] = mapped_column(primary_key=True)
    destination: Mapped[str] = mapped_column(String(64))
    day: Mapped[str] = mapped_column(String(10))
    state: Mapped[str] = mapped_column(String(16))
    made_at: Mapped[datetime]
    held: Mapped[int] = mapped_column(default=0)
    checked: Mapped[int] = mapped_column(default=0)
    unseen: Mapped[list[str]]
    absent: Mapped[list[str]]
    detail: Mapped[str] = mapped_column(Text, default="")

    __table_args__ = (UniqueConstraint("destination", "day"),)
