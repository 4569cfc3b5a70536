"""The table of alerts: one row for each incident, from its first sign to its end."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from qagate.store.tables.base import Base


class AlertRow(Base):
    """One incident. key: what it is about, the same as long as it lasts; kind and scanner are parts of it.

    closed_at: null while it lasts. told_state, told_words, told_at: what was last sent about it ("" = nothing yet).
    """

    __tablename__ = "alert"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(255))
    kind: Mapped[str] = mapped_column(String(32))
    scanner: Mapped[str] = mapped_column(String(64))
    severity: Mapped[str] = mapped_column(String(16))
    words: Mapped[str] = mapped_column(Text)
    opened_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[str] = mapped_column(String(64), default="")
    told_state: Mapped[str] = mapped_column(String(16), default="")
    told_words: Mapped[str] = mapped_column(Text, default="")
    told_at: Mapped[datetime | None]

    __table_args__ = (Index("ix_alert_closed_at_key", "closed_at", "key"),)
