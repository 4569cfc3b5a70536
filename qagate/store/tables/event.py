"""The table of what happened."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from qagate.store.tables.base import Base


class EventRow(Base):
    """What happened, when, to which series: the trail a person can read. No patient data."""

    __tablename__ = "event"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    series_instance_uid: Mapped[str] = mapped_column(String(64), index=True, default="")
    what: Mapped[str] = mapped_column(String(64))
    detail: Mapped[str] = mapped_column(Text, default="")
