"""Tables of what people decided: where each series stands with them, every decision, and limits they set."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from qagate.store.tables.base import Base


class ReviewRow(Base):
    """Where one series stands with people; there is none for a series that nobody need look at.

    version: grows with every decision and every new verdict, for optimistic locking. revision: the one that is judged.
    state: domain.decision.State. asked: flagged, or drawn blind. blind: the verdict is hidden while nobody decided.
    outcome, score, limit, policy, model: of the verdict; limit is the score below which its policy flags.
    """

    __tablename__ = "review"

    series_instance_uid: Mapped[str] = mapped_column(ForeignKey("series.series_instance_uid"), primary_key=True)
    version: Mapped[int] = mapped_column(default=1)
    revision: Mapped[int]
    state: Mapped[str] = mapped_column(String(16), index=True)
    asked: Mapped[bool]
    blind: Mapped[bool] = mapped_column(default=False)
    outcome: Mapped[str] = mapped_column(String(16))
    score: Mapped[float | None]
    limit: Mapped[float | None]
    policy: Mapped[str] = mapped_column(String(96), default="")
    model: Mapped[str] = mapped_column(String(96), default="")


class DecisionRow(Base):
    """One decision of one person, never changed and never deleted: see domain.decision.Decision."""

    __tablename__ = "decision"

    id: Mapped[int] = mapped_column(primary_key=True)
    series_instance_uid: Mapped[str] = mapped_column(ForeignKey("series.series_instance_uid"), index=True)
    at: Mapped[datetime] = mapped_column(index=True)
    person: Mapped[str] = mapped_column(String(128))
    kind: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(String(32), default="")
    quality: Mapped[str] = mapped_column(String(16), default="")
    note: Mapped[str] = mapped_column(Text, default="")
    revision: Mapped[int]
    outcome: Mapped[str] = mapped_column(String(16))
    score: Mapped[float | None]
    policy: Mapped[str] = mapped_column(String(96), default="")
    model: Mapped[str] = mapped_column(String(96), default="")
    blind: Mapped[bool] = mapped_column(default=False)
    undoes: Mapped[int | None] = mapped_column(ForeignKey("decision.id"), unique=True)


class SiteLimitRow(Base):
    """One limit that a person set or took back (`undoes`); the last one of a modality and protocol that stands is used.

    basis: one sentence on what it would have flagged when it was set.
    """

    __tablename__ = "site_limit"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    person: Mapped[str] = mapped_column(String(128))
    modality: Mapped[str] = mapped_column(String(16))
    protocol: Mapped[str] = mapped_column(String(128))
    review_below: Mapped[float]
    basis: Mapped[str] = mapped_column(Text, default="")
    undoes: Mapped[int | None] = mapped_column(ForeignKey("site_limit.id"), unique=True)

    __table_args__ = (Index("ix_site_limit_modality_protocol", "modality", "protocol"),)
