"""Tables of trends: one point for each judged series, and what people noted beside the curves."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from qagate.store.tables.base import Base


class PointRow(Base):
    """What a judged series adds to the curves. Nothing in it tells of a person.

    at: its last image. scanner: station name, else calling AE title. model, policy: who judged. repeated: the same was
    imaged again in the same examination soon after. attributes: 0 (none) .. 1 (severe). physics: values in their units.
    """

    __tablename__ = "trend_point"

    series_instance_uid: Mapped[str] = mapped_column(String(64), primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    scanner: Mapped[str] = mapped_column(String(64))
    protocol: Mapped[str] = mapped_column(String(128))
    modality: Mapped[str] = mapped_column(String(16))
    organ: Mapped[str] = mapped_column(String(32))
    outcome: Mapped[str] = mapped_column(String(16))
    score: Mapped[float | None]
    seconds_to_verdict: Mapped[float]
    model: Mapped[str] = mapped_column(String(128))
    policy: Mapped[str] = mapped_column(String(64))
    repeated: Mapped[bool] = mapped_column(default=False)
    attributes: Mapped[dict[str, Any]]
    physics: Mapped[dict[str, Any]]

    __table_args__ = (Index("ix_trend_point_scanner_protocol_at", "scanner", "protocol", "at"),)


class AnnotationRow(Base):
    """What a person noted at a day of a scanner; protocol "" = all of them. restarts: limits are learnt anew there."""

    __tablename__ = "annotation"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    scanner: Mapped[str] = mapped_column(String(64), index=True)
    protocol: Mapped[str] = mapped_column(String(128))
    words: Mapped[str] = mapped_column(Text)
    restarts: Mapped[bool]
    by: Mapped[str] = mapped_column(String(64))
    written_at: Mapped[datetime]
