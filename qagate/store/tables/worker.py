"""The table of workers that are at work."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from qagate.store.tables.base import Base


class WorkerRow(Base):
    """One worker. beats: counts up while it lives; when it stands still for long, the worker is dead or cut off."""

    __tablename__ = "worker"

    executor_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    device: Mapped[str] = mapped_column(String(32))
    beats: Mapped[int]
    started_at: Mapped[datetime]
    beat_at: Mapped[datetime]
