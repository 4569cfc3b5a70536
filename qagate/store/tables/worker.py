"""The table of workers that are at work."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from qagate.store.tables.base import Base


class WorkerRow(Base):
    """One worker. beats: counts up while it lives; when it stands still for long, the worker is dead or cut off.

    queues: what it takes work from, separated by spaces. version: of the pipeline, whose workflows it continues. Both
    are empty for a worker of before these columns.
    """

    __tablename__ = "worker"

    executor_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    device: Mapped[str] = mapped_column(String(32))
    beats: Mapped[int]
    started_at: Mapped[datetime]
    beat_at: Mapped[datetime]
    queues: Mapped[str] = mapped_column(String(128), default="", server_default="")
    version: Mapped[str] = mapped_column(String(64), default="", server_default="")
