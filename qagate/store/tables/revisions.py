"""Tables of what was said: revisions and their assessments."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from qagate.store.tables.base import Base


class RevisionRow(Base):
    """The set of instances of a series at the time it was scored.

    digest: over the instances' UIDs and bytes, so that the same set is the same revision. state: queued → assessed →
    reported, or excluded or failed. expected: how many instances it should have, missing: how many of those had not
    come, and expected_by: who says so (MPPS or a destination); null and empty when nobody says. broke_off: a sender did
    not come to its end.
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
    expected: Mapped[int | None]
    expected_by: Mapped[str] = mapped_column(String(64), default="", server_default="")
    missing: Mapped[int] = mapped_column(default=0, server_default="0")
    broke_off: Mapped[bool] = mapped_column(default=False, server_default=false())

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
