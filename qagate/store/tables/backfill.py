"""Tables of backfills: which archives are scored afterwards, and how far that is."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from qagate.store.tables.base import Base


class BackfillRow(Base):
    """One backfill. query: qagate.domain.backfill.Query as JSON.

    next_day: the first day of the query that is not listed yet (YYYY-MM-DD); empty when all are. report: whether its
    series get documents. note, noted_at: what it is doing or waiting for, and when it last said so.
    """

    __tablename__ = "backfill"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    destination: Mapped[str] = mapped_column(String(64))
    query: Mapped[dict[str, Any]]
    report: Mapped[bool]
    next_day: Mapped[str] = mapped_column(String(10))
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    note: Mapped[str] = mapped_column(Text, default="")
    noted_at: Mapped[datetime | None]


class BackfillSeriesRow(Base):
    """One series that a backfill wants. No name and no number of a patient stands here.

    state: found → fetching → fetched, or known (it was here before), failed, or again (tried, and due at next_at).
    sender: the AE title as whose it comes. study_at: date and time of its study. images: how many the archive says
    there are; null when it does not. touched_at: the last sign of life while it is fetched. revision: the number of the
    revision (1-based) that was made of it; 0 before.
    """

    __tablename__ = "backfill_series"

    id: Mapped[int] = mapped_column(primary_key=True)
    backfill_id: Mapped[int] = mapped_column(ForeignKey("backfill.id"))
    study_instance_uid: Mapped[str] = mapped_column(String(64))
    series_instance_uid: Mapped[str] = mapped_column(String(64), index=True)
    modality: Mapped[str] = mapped_column(String(16))
    description: Mapped[str] = mapped_column(String(128))
    sender: Mapped[str] = mapped_column(String(16))
    study_at: Mapped[datetime | None]
    images: Mapped[int | None]
    state: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime | None]
    touched_at: Mapped[datetime | None]
    revision: Mapped[int] = mapped_column(default=0)
    detail: Mapped[str] = mapped_column(Text, default="")

    __table_args__ = (
        UniqueConstraint("backfill_id", "series_instance_uid"),
        Index("ix_backfill_series_backfill_id_state", "backfill_id", "state"),
    )
